from __future__ import annotations

import pytest

from matrix.engines import contracts
from matrix.errors import InputError

ENGINES = ("sglang-0.5.11", "sglang-0.5.12", "sglang-0.5.23")


@pytest.mark.parametrize("engine", ENGINES)
def test_what_every_contract_holds(engine):
    contract = contracts.load(engine)
    assert contract["engine"] == engine
    assert sorted(contract["call"]) == sorted(contracts.BACKENDS)
    for call in contract["call"].values():
        assert len(call["keywords"]) == len(set(call["keywords"]))
    assert {"use_shuffled_weight", "weight_layout", "norm_topk_prob"} <= set(contract["relies_on"])
    assert contract["mirror"]["DeepSeekV3"] == 2


def test_activation_type_is_passed_since_the_change():
    passed = {
        engine: ["activation_type" in call["keywords"] for call in contracts.load(engine)["call"].values()]
        for engine in ENGINES
    }
    assert passed == {
        "sglang-0.5.11": [False, False],
        "sglang-0.5.12": [True, True],
        "sglang-0.5.23": [True, True],
    }
    assert contracts.load("sglang-0.5.11")["relies_on"]["activation_type"] == "Swiglu"


def test_what_an_engine_relies_on_is_not_what_it_passes():
    for engine in ENGINES:
        contract = contracts.load(engine)
        for call in contract["call"].values():
            assert not set(contract["relies_on"]) & set(call["keywords"])


def test_the_mirror_is_the_engines():
    old = contracts.load("sglang-0.5.12")["mirror"]
    new = contracts.load("sglang-0.5.23")["mirror"]
    assert (old["Unspecified"], new["Unspecified"]) == (6, 9)
    assert "SigmoidRenorm" not in old
    assert new["SigmoidRenorm"] == 6


def test_an_engine_that_is_not_there_is_named():
    with pytest.raises(InputError, match=r"unknown engine 'sglang-0\.5\.10'\.\n  Did you mean sglang-0\.5"):
        contracts.load("sglang-0.5.10")
