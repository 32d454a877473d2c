from __future__ import annotations

import json

import pytest

from matrix.environments.fingerprint import Gpu
from matrix.errors import EnvironmentBuildError, InputError
from matrix.run import journal, session
from matrix.run.supervisor import Options


@pytest.fixture
def plan(planted):
    return planted.plan("backend=torch and routing=deepseek_v3")


def test_workers_at_a_time():
    gpu = Gpu(name="n", compute_capability="9.0", driver="1", device="0")
    assert session.jobs([gpu, gpu], None) == 2
    assert session.jobs([gpu], 4) == 4
    assert session.jobs([], None) >= 1


def test_a_run_folder_holds_the_plan_and_a_journal(plan, tmp_path):
    folder = session.create(plan, tmp_path / "a" / "b")
    told = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    assert told == json.loads(json.dumps(plan.document))
    record = journal.read(folder / "journal.jsonl")
    assert record.header["plan"] == plan.document["hash"]
    assert not record.starts


def test_without_a_name_it_is_named_by_the_time(plan, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert session.create(plan, None).parent == session.DEFAULT_FOLDER


def test_a_folder_with_a_run_is_left_alone(plan, tmp_path):
    folder = session.create(plan, tmp_path / "run")
    before = (folder / "journal.jsonl").read_bytes()
    with pytest.raises(InputError, match="holds a run already"):
        session.create(plan, folder)
    assert (folder / "journal.jsonl").read_bytes() == before


def test_a_journal_that_never_got_its_first_line_is_no_run(plan, tmp_path):
    (tmp_path / "journal.jsonl").touch()
    assert session.create(plan, tmp_path) == tmp_path


def test_a_file_is_no_folder(plan, tmp_path):
    (tmp_path / "run").touch()
    with pytest.raises(InputError, match=r"cannot write into .*run: File exists"):
        session.create(plan, tmp_path / "run")


def test_a_plan_is_read_back(plan, tmp_path):
    folder = session.create(plan, tmp_path / "run")
    again = session.read_plan(folder)
    assert again.environments == plan.environments
    assert again.cells == plan.cells
    assert again.document["hash"] == plan.document["hash"]


def test_a_recipe_that_is_gone_is_named(plan, tmp_path):
    folder = session.create(plan, tmp_path / "run")
    document = plan.document | {"environments": [plan.document["environments"][0] | {"recipe": "inherited"}]}
    (folder / "plan.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(InputError, match=r"unknown environment 'inherited'\.\n  Did you mean inherit"):
        session.read_plan(folder)


def test_where_no_environment_is_left_it_says_why(plan, tmp_path, monkeypatch):
    """The planted environment is in another cache, and the index is off: nothing can be built."""
    monkeypatch.setenv("KERNEL_MATRIX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    folder = session.create(plan, tmp_path / "run")
    with pytest.raises(EnvironmentBuildError, match="not one environment could be built"):
        session.execute(plan, folder, Options(jobs=1, timeout=60), None)
    report = session.finish(folder, None)
    assert report.exit_code == 1
    assert dict(report.verdicts) == {"INSTALL_ERROR": len(plan.cells)}
