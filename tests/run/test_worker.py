"""What the worker may import, and how it starts and ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from matrix.run import journal

PACKAGE = Path(__file__).parents[2] / "matrix"
HOST_ONLY = ("tomli", "rich", "jinja2", "covertable", "platformdirs", "httpx", "griffe", "markupsafe")
WORKER_SIDE = [
    "matrix.run.worker",
    "matrix.run.journal",
    "matrix.cells.cell",
    "matrix.errors",
    "matrix.verdicts",
    "matrix.environments.fingerprint",
    "matrix.checks",
    *sorted(f"matrix.checks.{path.stem}" for path in (PACKAGE / "checks").glob("[!_]*.py")),
    *("matrix.kernels.moe.probe", "matrix.kernels.moe.dispatch", "matrix.kernels.moe.policy"),
]
BARE = """
import importlib, sys
sys.path[:0] = [{root!r}, {packaging!r}]
for name in {modules!r}:
    importlib.import_module(name)
print("\\n".join(sorted({{name.partition(".")[0] for name in sys.modules}} - set(sys.stdlib_module_names))))
"""


def test_worker_side_modules_import_with_nothing_but_packaging(tmp_path):
    """In an interpreter without site-packages; `packaging` alone is linked into an empty folder."""
    import packaging

    (tmp_path / "packaging").symlink_to(Path(packaging.__file__).parent)
    script = BARE.format(root=str(PACKAGE.parent), packaging=str(tmp_path), modules=WORKER_SIDE)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) <= {"__main__", "matrix", "packaging"}


WATCHED = """
import importlib.abc, sys
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {host_only!r}:
            raise ImportError(f"a worker may not import {{name}}")
sys.meta_path.insert(0, Refuse())
sys.argv[:] = {arguments!r}
sys.path.insert(0, "")
import runpy
runpy.run_path({worker!r}, run_name="__main__")
"""


def test_a_whole_worker_imports_nothing_of_the_hosts(start, passed):
    """Every cell of a plan, with everything that the host uses and an environment lacks made to fail."""
    run = start()
    worker = str(PACKAGE / "run" / "worker.py")
    arguments = [worker, str(run.folder / "plan.json"), str(run.folder / "journal.jsonl"), "9.9.9/inherit"]
    script = WATCHED.format(host_only=HOST_ONLY, arguments=arguments, worker=worker)
    plan = json.loads((run.folder / "plan.json").read_text(encoding="utf-8"))
    assert plan["stages"] == ["import", "bind", "select"]
    done = subprocess.run(
        [run.planted.prefix / "bin" / "python", "-c", script],
        env=run.planted.variables(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert run.verdicts() == dict.fromkeys(run.cells, passed)


def test_an_environments_own_matrix_is_not_taken_for_the_tool(start, passed, planted, tmp_path, monkeypatch):
    """A worker's environment may hold another distribution of that import name."""
    stranger = tmp_path / "strangers" / "matrix"
    stranger.mkdir(parents=True)
    (stranger / "__init__.py").write_text("raise RuntimeError('a stranger')\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(stranger.parent))
    run = start()
    run.go()
    assert run.verdicts() == dict.fromkeys(run.cells, passed)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_an_orphan_ends_with_its_supervisor(start, tmp_path, end):
    run = start()
    script = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen(sys.argv[1:], start_new_session=True)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    worker = [run.planted.prefix / "bin" / "python", PACKAGE / "run" / "worker.py"]
    arguments = [*worker, run.folder / "plan.json", run.folder / "journal.jsonl", "9.9.9/inherit"]
    with subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        env=run.planted.variables({run.cells[0]: "hang"}),
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        child = int(parent.stdout.readline())
        wait(lambda: run.cells[0] in journal.read(run.folder / "journal.jsonl").starts)
        parent.send_signal(end)
        parent.wait()
    wait(lambda: not alive(child))


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    return state != "Z"  # a zombie waits for an init process that may not collect it


def wait(holds, seconds=20):
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.02)
