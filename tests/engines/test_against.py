"""`engines --against`: what a tree breaks beyond the release that it is nearest to; and the table as text."""

import os
import signal
import subprocess
import sys

import pytest

from matrix.engines import table, tabulate, upstream

PUBLISHED = ["0.6.12", "0.6.14", "0.6.15", "0.7.0"]


def broken(name, line=3):
    return {
        "file": "server/m.py",
        "line": line,
        "symbol": f"flashinfer.{name}",
        "kind": "call",
        "verdict": "broken at call",
        "class": "removed-parameter",
        "name": name,
        "reason": f"TypeError: {name}",
        "there": "",
        "releases": [],
    }


def cell(*alarms, doubts=()):
    status = table.AT_CALL if alarms else table.SAFE
    return table.Cell(status=status, counts={"bound": 1}, alarms=alarms, doubts=doubts)


@pytest.fixture
def rows():
    cells = {"0.6.12": cell(), "0.6.14": cell(0), "./tree": cell(0, 1, doubts=(0,))}
    return [
        table.Row(
            release="1.0",
            pin="0.6.12",
            cells=cells,
            breaks=[broken("old"), broken("new", 7)],
            doubts=[broken("perhaps", 9)],
            works="==0.6.12",
        )
    ]


def test_the_summary_comes_first_and_counts_only_what_is_new(rows):
    shown = tabulate.against("server", rows, "./tree", "0.6.14").splitlines()
    assert shown[0] == "server: ./tree breaks 1 uses more than FlashInfer 0.6.14 in 1 of 1 releases: 1.0"
    assert shown[1].startswith("  1 uses in 1.0 changed too, and cannot be checked")
    assert "    server/m.py:7  in 1.0" in shown
    assert "    server/m.py:9  in 1.0" in shown
    assert "    server/m.py:3  in 1.0" not in shown
    assert shown[-1] == "broken on FlashInfer 0.6.14 already, though not on the own pin: 1.0 (1)"


def test_without_a_version_the_own_pin_is_what_it_is_compared_with(rows):
    shown = tabulate.against("server", rows, "./tree", "")
    assert "breaks 2 uses more than their own pins do" in shown
    assert "server/m.py:3" in shown


def test_the_document_holds_the_same(rows):
    [told] = tabulate.against_block(rows, "./tree", "0.6.14")["releases"]
    assert [one["name"] for one in told["breaks"]] == ["new"]
    assert [one["name"] for one in told["not_checkable"]] == ["perhaps"]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"version.txt": "0.6.14\n"}, "0.6.14"),
        ({"flashinfer/_build_meta.py": '__version__ = "0.6.15.dev3"\n'}, "0.6.14"),
        ({"flashinfer_python-0.7.0.dist-info/METADATA": "Name: x\nVersion: 0.7.0+local\n"}, "0.7.0"),
        ({"flashinfer/__init__.py": ""}, ""),
        ({"version.txt": "0.5.0"}, ""),
    ],
)
def test_the_nearest_published_release(tmp_path, files, expected):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert upstream.nearest(str(tmp_path), PUBLISHED) == expected


def test_a_published_release_is_compared_with_the_one_before():
    assert upstream.nearest("0.6.15", PUBLISHED) == "0.6.14"
    assert not upstream.nearest("0.6.12", PUBLISHED)


def test_every_column_has_its_release_above_it_and_lines_fit():
    names = [f"0.{minor}.{patch}.post{patch}" for minor in range(9) for patch in range(10)]
    cells = {name: cell() for name in names}
    row = table.Row(release="0.5.15.post1", pin=names[4], cells=cells, works=f">={names[0]},<={names[-1]}")
    lines = tabulate.text("server", [row]).splitlines()
    assert max(map(len, lines)) <= 120
    heads: list[str] = []
    for number, line in enumerate(lines):
        if line.startswith("  0.5.15.post1"):
            signs = line[2:].split()[2]
            at = line.index(signs, 20)
            above = lines[number - 1 - max(map(len, names)) : number - 1]
            heads += [
                "".join(text.ljust(200)[at + one] for text in above).strip() for one in range(len(signs))
            ]
    assert heads == names
    assert any("@" in line for line in lines[5:])


@pytest.mark.parametrize(
    ("alarms", "works", "no_worse"),
    [
        ([(), (), (), (0,)], ">=1.0,<=1.2", ""),
        ([(0,), (), (0,), (0,)], "==1.1", ""),
        ([(0,), (0,), (0, 1), ()], "==1.3", ">=1.0,<=1.1"),
        ([(0,), (0,), (0, 1), (1,)], "", ">=1.0,<=1.1"),
    ],
)
def test_a_specifier_holds_no_break(alarms, works, no_worse):
    names = ["1.0", "1.1", "1.2", "1.3"]
    cells = {name: cell(*numbers) for name, numbers in zip(names, alarms, strict=True)}
    accepted = set(cells["1.1"].alarms)
    assert table._specifier(table._works(cells, "1.1", set())) == works
    if accepted:
        assert table._specifier(table._works(cells, "1.1", accepted)) == no_worse


@pytest.mark.wheels
def test_an_interrupt_ends_a_cold_read_at_once(tmp_path):
    environment = {**os.environ, "KERNEL_MATRIX_CACHE": str(tmp_path)}
    run = subprocess.Popen(
        [sys.executable, "-m", "matrix", "engines", "sglang", "--releases", ">=0.5.22"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    told = [run.stderr.readline() for _ in range(3)]
    assert all(line.startswith("reading ") for line in told), told
    os.killpg(run.pid, signal.SIGINT)
    _, errors = run.communicate(timeout=30)
    assert run.returncode == 130
    assert errors.splitlines()[-1] == "kernel-matrix: interrupted."
    assert "Traceback" not in errors
