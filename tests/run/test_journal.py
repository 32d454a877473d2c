from __future__ import annotations

import errno
import json
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

import pytest

from matrix.errors import InputError
from matrix.run import journal
from matrix.run.journal import Journal, Tail
from matrix.verdicts import Result, Verdict

HEADER = '{"kind": "header", "schema": "kernel-matrix/journal/1"}\n'


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "journal.jsonl"
    path.write_text(HEADER, encoding="utf-8")
    return path


def result(cell="a", stage="bind", verdict=Verdict.PASS):
    return Result(cell=cell, stage=stage, verdict=verdict, reason="because", evidence={"n": [1, {"x": None}]})


def test_what_is_written_is_read_back(path):
    written = Journal(path=path)
    written.write("environment", id="0.6.14/lean", reused=True)
    written.start("a")
    written.begin("a", "import")
    written.begin("a", "bind")
    written.end(result())
    written.finish("a")
    written.start("b")
    written.write("worker", environment="0.6.14/lean", seconds=1.0)
    record = journal.read(path)
    assert record.header["schema"] == journal.SCHEMA
    assert record.environments[0]["id"] == "0.6.14/lean"
    assert record.workers[0]["seconds"] == 1.0
    assert record.starts == ["a", "b"]
    assert record.stages == {"a": "bind"}
    assert record.ends == [result()]
    assert record.finished == {"a"}
    assert record.torn == 0


def test_what_a_newer_version_writes_is_passed_over(path):
    Journal(path=path).write("temperature", degrees=40)
    newer = result().to_json() | {"colour": "green"}
    Journal(path=path).write("end", **newer)
    assert journal.read(path).ends == [result()]


@pytest.mark.parametrize("length", range(1, 60, 7))
def test_a_torn_last_line_is_dropped_and_counted(path, length):
    Journal(path=path).end(result())
    whole = path.read_bytes()
    path.write_bytes(
        whole + b'{"kind": "end", "cell": "b", "stage": "bind", "verdict": "PASS", "reason"'[:length]
    )
    record = journal.read(path)
    assert record.ends == [result()]
    assert record.torn == 1


def test_bytes_that_are_no_text_tear_only_their_line(path):
    path.write_bytes(path.read_bytes() + b"\x00\xff\xfe\n[]\nnull\n\n")
    Journal(path=path).start("a")
    record = journal.read(path)
    assert record.starts == ["a"]
    assert record.torn == 4


def test_a_line_that_was_torn_is_ended_before_the_next_is_written(path):
    path.write_bytes(path.read_bytes() + b'{"kind": "st')
    with journal.held(path):
        Journal(path=path).start("a")
    with journal.held(path):
        Journal(path=path).start("b")
    assert journal.read(path).starts == ["a", "b"]
    assert journal.read(path).torn == 1


@pytest.mark.parametrize("text", ["", "\n", "{", "[]\n", '{"kind": "header"}\n', '{"kind": "start"}\n'])
def test_a_file_that_is_no_journal_is_named(path, text):
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"journal\.jsonl is no journal"):
        journal.read(path)


def test_a_journal_that_is_absent_is_named(tmp_path):
    with pytest.raises(InputError, match="cannot read the journal"):
        journal.read(tmp_path / "journal.jsonl")


def write_many(path, name):
    for number in range(200):
        Journal(path=path).write("start", cell=f"{name}/{number}", padding="x" * (number * 17 % 3000))


def test_lines_of_several_processes_stay_whole(path):
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(write_many, [path] * 4, "abcd"))
    record = journal.read(path)
    assert record.torn == 0
    assert sorted(record.starts) == sorted(f"{name}/{number}" for name in "abcd" for number in range(200))


def test_a_line_that_the_disk_takes_in_part_is_an_error(path, monkeypatch):
    """A short write happens only as a disk fills up; tests/cli has a disk that really does."""
    monkeypatch.setattr(os, "write", lambda handle, data: len(data) // 2)
    with pytest.raises(OSError, match="No space left") as caught:
        Journal(path=path).start("a")
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(path)


def test_a_follower_sees_each_line_once_and_only_whole(path):
    tail = Tail(path=path, offset=path.stat().st_size)
    assert list(tail.new()) == []
    Journal(path=path).start("a")
    assert [line["cell"] for line in tail.new()] == ["a"]
    with path.open("a", encoding="utf-8") as handle:
        handle.write('{"kind": "start", ')
        handle.flush()
        assert list(tail.new()) == []
        handle.write('"cell": "b"}\n')
    assert [line["cell"] for line in tail.new()] == ["b"]
    assert list(tail.new()) == []


def test_a_line_is_one_line_whatever_is_in_it(path):
    Journal(path=path).end(result(cell="a\nb\u2028c"))
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2
    assert json.loads(path.read_text(encoding="utf-8").splitlines()[1])["cell"] == "a\nb\u2028c"
