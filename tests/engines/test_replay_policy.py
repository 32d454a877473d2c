from __future__ import annotations

import contextlib
from dataclasses import asdict

import pytest

from matrix.engines import policies
from matrix.engines.replay import policy
from matrix.engines.replay.policy import Answer, Point
from matrix.engines.sglang import replay_policy
from matrix.kernels.moe.policy import Policy


class Obedient:
    """An engine that follows a rule set, save for what a test bends."""

    def __init__(self, name, bend=lambda _, answer: answer):
        self.rules, self.bend = policies.load()[name], bend
        named = (one for family in self.rules.families for one in family.architectures)
        self.architectures = [*dict.fromkeys(named), "LlamaForCausalLM", "MixtralForCausalLM"]
        self.algorithms = ["EAGLE", "NGRAM"]

    @contextlib.contextmanager
    def on(self, _):
        yield

    def choose(self, point):
        return self.bend(point, policy.ours(self.rules, point))


def hold(chooser, name="sglang-0.5.12"):
    return policy.hold(chooser, name, {key: asdict(value) for key, value in policies.load().items()})


def test_an_engine_that_follows_our_rules_agrees_at_every_point():
    held = hold(Obedient("sglang-0.5.12"))
    assert held["answered"] == held["points"] > 8_000
    assert held["disagreements"] == []


@pytest.fixture
def few(monkeypatch):
    """Fewer points, where one GPU of each kind tells enough."""
    monkeypatch.setattr(policy, "CAPABILITIES", ((9, 0), (10, 0)))


@pytest.mark.usefixtures("few")
def test_the_rules_of_another_release_disagree_with_both_answers_told():
    held = hold(Obedient("sglang-0.5.11"))
    wrong = [one for one in held["disagreements"] if one["point"]["architecture"] == "DeepseekV3ForCausalLM"]
    drafts = [one for one in wrong if one["point"]["quantization"] == "modelopt_fp4"]
    assert {(one["engine"], one["rules"]) for one in drafts if one["point"]["requested"] == "auto"} >= {
        ("target flashinfer_trtllm, draft auto", "target flashinfer_trtllm, draft flashinfer_trtllm")
    }


@pytest.mark.usefixtures("few")
def test_one_point_that_differs_is_found():
    def bend(point, answer):
        chosen = point.architecture == "Llama4ForCausalLM" and point.quantization == "mxfp8"
        return Answer(target="auto", draft=answer.draft) if chosen and point.requested == "triton" else answer

    held = hold(Obedient("sglang-0.5.13", bend), "sglang-0.5.13")
    assert {one["point"]["architecture"] for one in held["disagreements"]} == {"Llama4ForCausalLM"}


@pytest.mark.usefixtures("few")
def test_an_engine_that_breaks_is_not_counted_as_agreeing():
    def bend(point, answer):
        if point.architecture == "NemotronHForCausalLM":
            raise AttributeError("nothing there")
        return answer

    held = hold(Obedient("sglang-0.5.12", bend))
    assert held["answered"] < held["points"]
    (why,) = held["unanswered"]
    assert why.startswith("NemotronHForCausalLM: asking raised AttributeError: nothing there")


@pytest.mark.usefixtures("few")
def test_a_release_without_rules_says_so():
    held = hold(Obedient("sglang-0.5.12"), "sglang-0.5.99")
    assert not held["rules"]
    assert held["held_against"] == "sglang-0.5.23"
    assert "there is no rule set for this release; that of sglang-0.5.23 agrees" in held["summary"]
    assert held["disagreements"]


@pytest.mark.usefixtures("few")
def test_a_model_class_that_our_rules_miss_is_a_disagreement():
    def bend(point, answer):
        new = point.architecture == "MixtralForCausalLM" and point.requested == "auto"
        return Answer(target="flashinfer_trtllm", draft=answer.draft) if new else answer

    held = hold(Obedient("sglang-0.5.12", bend))
    assert "MixtralForCausalLM" in held["special"]
    assert {one["point"]["architecture"] for one in held["disagreements"]} == {"MixtralForCausalLM"}
    assert held["disagreements"][0]["engine"] == "target flashinfer_trtllm, draft auto"
    assert held["disagreements"][0]["rules"] == "target auto, draft auto"


@pytest.mark.usefixtures("few")
def test_a_speculative_algorithm_that_our_rules_miss_is_a_disagreement():
    def bend(point, answer):
        refused = point.algorithm == "NGRAM" and point.architecture == "Glm4MoeForCausalLM"
        return Answer(target=None, draft=None, error="AssertionError: no NGRAM") if refused else answer

    held = hold(Obedient("sglang-0.5.12", bend))
    assert {one["point"]["algorithm"] for one in held["disagreements"]} == {"NGRAM"}
    assert {one["engine"] for one in held["disagreements"]} == {
        "target None, draft None (AssertionError: no NGRAM)"
    }


def test_the_rule_set_of_the_release_before():
    known = ["sglang-0.5.12", "sglang-0.5.12.post1", "sglang-0.5.13", "vllm-0.5.12"]
    assert policy.nearest("sglang-0.5.12.post2", known) == "sglang-0.5.12.post1"
    assert policy.nearest("sglang-0.5.11", known) == ""


def test_model_classes_are_read_from_the_registry_without_importing_it(tmp_path):
    (tmp_path / "a.py").write_text("class A: ...\nEntryClass = [A, B]\n", encoding="utf-8-sig")
    (tmp_path / "b.py").write_text("import nothing_there\nEntryClass = C\n", encoding="utf-8")
    (tmp_path / "c.py").write_text("Other = D\n", encoding="utf-8")
    assert replay_policy.registered(tmp_path) == ["A", "B", "C"]


@pytest.mark.parametrize(
    ("engine", "point", "target", "error"),
    [
        ("sglang-0.5.12", ("LlamaForCausalLM", "mxfp8", (9, 0), "triton"), "flashinfer_trtllm", ""),
        (
            "sglang-0.5.12",
            ("LlamaForCausalLM", "fp8", (9, 0), "flashinfer_cutlass"),
            None,
            "is not used with fp8",
        ),
        ("sglang-0.5.13", ("LlamaForCausalLM", "modelopt_fp4", (12, 0), "auto"), "flashinfer_cutlass", ""),
        ("sglang-0.5.13", ("NemotronHForCausalLM", "modelopt_fp4", (9, 0), "auto"), "marlin", ""),
        ("sglang-0.5.13", ("NemotronHForCausalLM", "none", (9, 0), "auto"), "flashinfer_cutlass", ""),
    ],
)
def test_constraints_of_quantizations(engine, point, target, error):
    architecture, quantization, capability, requested = point
    answer = policy.ours(
        policies.load()[engine],
        Point(
            architecture=architecture, quantization=quantization, capability=capability, requested=requested
        ),
    )
    assert answer.target == target
    assert error in answer.error


def test_a_rule_set_survives_the_plan():
    for rules in policies.load().values():
        assert Policy.from_json(asdict(rules)) == rules
