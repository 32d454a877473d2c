"""No false alarm where an engine meets the FlashInfer release that it pins; what alarms there is proved real."""

import sys
from pathlib import Path

import pytest

from matrix import toml
from matrix.engines import config
from matrix.engines.shelf import Shelf

REAL = toml.load(Path(__file__).with_name("own_pins.toml"))["break"]
ALWAYS = {
    "sglang": ("0.5.6", "0.5.9", "0.5.12", "0.5.16", "0.5.23"),
    "vllm": ("0.15.0", "0.24.0", "0.30.0"),
}
"""Read on every run; the other releases join in where they are kept, as after `kernel-matrix engines`."""


def known(engine, version):
    return {
        (one["symbol"], one["name"]) for one in REAL if one["engine"] == engine and version in one["releases"]
    }


@pytest.fixture(scope="module")
def alarms(library, engine_release, judge):
    """By engine and release: its alarming uses on its own pin."""
    found = {}
    shelf = Shelf(library)
    for name, versions in ALWAYS.items():
        engine = config.load(name)
        kept = {
            version
            for version in shelf.versions(engine)
            if shelf._kept(engine, shelf.index.release(engine.distribution, version).best)
        }
        for version in sorted({*versions, *kept}):
            release = engine_release(name, version)
            judged = judge(name, version, release.pins.exact).all(release)
            found[name, version] = [(use, judgement) for use, judgement in judged if judgement.alarming]
    sys.stderr.write(f"{len(found)} engine releases on their own pins\n")
    return found


@pytest.mark.wheels
def test_every_alarm_on_an_own_pin_is_a_known_real_one(alarms):
    wrong = [
        (engine, version, use.file, use.line, use.symbol, judgement.reason)
        for (engine, version), found in alarms.items()
        for use, judgement in found
        if (use.symbol, judgement.name) not in known(engine, version)
    ]
    assert not wrong


@pytest.mark.wheels
def test_every_known_one_is_found(alarms):
    for (engine, version), found in alarms.items():
        assert known(engine, version) == {(use.symbol, judgement.name) for use, judgement in found}


@pytest.mark.wheels
@pytest.mark.parametrize("one", REAL, ids=lambda one: f"{one['engine']}-{one['releases'][-1]}-{one['name']}")
def test_importing_the_pinned_release_shows_it(  # noqa: PLR0917 - fixtures
    one, alarms, engine_release, judge, live, asked
):
    version = next((v for v in one["releases"] if (one["engine"], v) in alarms), None)
    if version is None:
        pytest.skip("this engine release is not kept")
    uses = [use for use, _ in alarms[one["engine"], version] if use.symbol == one["symbol"]]
    pin = engine_release(one["engine"], version).pins.exact
    answers = live(pin, [asked(use, judge(one["engine"], version, pin)) for use in uses])
    assert {answer["answer"] for answer in answers} == {one["live"]}, answers
