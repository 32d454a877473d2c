"""SGLang's automatic choice, as read in its wheels, against the data: 0.5.11 is the last release before the change."""

from __future__ import annotations

import pytest

from matrix.cells import axes
from matrix.engines import policies
from matrix.errors import InputError

ENGINES = ("sglang-0.5.11", "sglang-0.5.12", "sglang-0.5.23")
MODELOPT = {"modelopt_fp8", "modelopt_fp4", "modelopt_mixed"}
EVERY = MODELOPT | {"fp8", "none"}
# Of these quantizations, those for which `auto` becomes flashinfer_trtllm on SM100, engine by engine.
TABLE = {
    "DeepseekV3ForCausalLM": ({"fp8"} | MODELOPT, EVERY, EVERY),
    "DeepseekV32ForCausalLM": (set(), EVERY, EVERY),
    "KimiK25ForConditionalGeneration": ({"fp8"} | MODELOPT, EVERY, EVERY),
    "Qwen3MoeForCausalLM": (
        *[{"fp8", "modelopt_fp4", "none"}] * 2,
        {"fp8", "modelopt_fp4", "modelopt_mixed", "none"},
    ),
    "Qwen3NextForCausalLM": (
        *[{"fp8", "modelopt_fp4", "none"}] * 2,
        {"fp8", "modelopt_fp4", "modelopt_mixed", "none"},
    ),
    "Glm4MoeForCausalLM": ({"modelopt_fp4"}, {"modelopt_fp4"}, {"modelopt_fp4", "none"}),
    "NemotronHForCausalLM": (MODELOPT, MODELOPT, MODELOPT | {"none"}),
    "Llama4ForConditionalGeneration": (*[{"fp8", "modelopt_fp8"}] * 3,),
    "MixtralForCausalLM": (set(), set(), set()),
}


@pytest.fixture(scope="module")
def known():
    return policies.load()


def test_the_engines_of_the_question_are_there(known):
    assert set(ENGINES) <= set(known)
    assert all(policy.engine == name for name, policy in known.items())


@pytest.mark.parametrize("number", range(len(ENGINES)), ids=ENGINES)
@pytest.mark.parametrize("architecture", TABLE)
def test_the_automatic_choice_is_the_tables(known, number, architecture):
    policy = known[ENGINES[number]]
    for capability in ((10, 0), (10, 3)):
        found = {
            quantization
            for quantization in EVERY
            if policy.target(architecture, capability, quantization=quantization).backend
            == "flashinfer_trtllm"
        }
        assert found == TABLE[architecture][number]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("capability", [None, (8, 0), (9, 0), (12, 0)])
def test_only_sm100_is_chosen_by_itself(known, engine, capability):
    for architecture in TABLE:
        for quantization in EVERY:
            choice = known[engine].target(architecture, capability, quantization=quantization)
            assert choice.backend not in {"flashinfer_trtllm", "flashinfer_trtllm_routed"}


@pytest.mark.parametrize("engine", ENGINES)
def test_nemotron_h_falls_to_cutlass_where_the_gpu_does_not_fit(known, engine):
    choice = known[engine].target("NemotronHForCausalLM", (9, 0), quantization="modelopt_fp8")
    assert choice.backend == "flashinfer_cutlass"


@pytest.mark.parametrize("engine", ENGINES)
def test_expert_parallelism_keeps_all_but_llama_4_from_it(known, engine):
    def with_a2a(architecture, quantization):
        policy = known[engine]
        return policy.target(architecture, (10, 0), quantization=quantization, a2a="deepep").backend

    assert with_a2a("Llama4ForConditionalGeneration", "fp8") == "flashinfer_trtllm"
    assert with_a2a("DeepseekV3ForCausalLM", "fp8") == "auto"


def test_the_draft_policies_are_those_before_and_after_the_change(known):
    drafts = {engine: known[engine].drafted("flashinfer_trtllm").backend for engine in ENGINES}
    assert drafts == {
        "sglang-0.5.11": "auto",
        "sglang-0.5.12": "flashinfer_trtllm",
        "sglang-0.5.23": "flashinfer_trtllm",
    }
    assert known["sglang-0.5.11"].drafted("triton", "flashinfer_trtllm").backend is None
    assert known["sglang-0.5.12"].drafted("triton", "flashinfer_trtllm").backend == "flashinfer_trtllm"
    newest = known["sglang-0.5.23"]
    assert newest.drafted("flashinfer_megamoe").backend == "flashinfer_trtllm"
    assert newest.drafted("lora_triton").backend == "auto"


def test_the_case_of_the_change(known):
    """A modelopt_fp4 DeepSeek target on SM100, and its unquantized BF16 draft."""
    told = {}
    for engine in ENGINES:
        target = known[engine].target("DeepseekV3ForCausalLM", (10, 0), quantization="modelopt_fp4").backend
        told[engine] = (target, known[engine].drafted(target).backend)
    assert told["sglang-0.5.11"] == ("flashinfer_trtllm", "auto")
    assert told["sglang-0.5.12"] == told["sglang-0.5.23"] == ("flashinfer_trtllm", "flashinfer_trtllm")


def test_the_architecture_of_every_profile_has_a_rule_in_the_newest(known):
    covered = {name for family in known["sglang-0.5.23"].families for name in family.architectures}
    assert {profile.architecture for profile in axes.load().profiles.values()} <= covered


def test_a_rule_set_after_another_has_its_rules_and_its_own_changes(tmp_path):
    family = '[[{}.family]]\nname = "{}"\narchitectures = ["{}"]\nquantizations = ["none"]\n'
    text = GOOD + family.format("a", "x", "X") + family.format("a", "y", "Y")
    text += '[b]\nengine = "f"\nafter = "a"\nwithout = ["y"]\n' + family.format("b", "x", "Z")
    path = tmp_path / "policies.toml"
    path.write_text(text, encoding="utf-8")
    after = policies.load(path)["f"]
    assert (after.majors, after.draft) == ((10,), "same_as_target")
    assert [(one.name, one.architectures) for one in after.families] == [("x", ("Z",))]


def test_a_rule_can_choose_another_backend_and_refuse_an_algorithm(known):
    newest = known["sglang-0.5.23"]
    routed = newest.target("MiniMaxM2ForCausalLM", (10, 0), quantization="modelopt_fp4")
    assert routed.backend == "flashinfer_trtllm_routed"
    refused = newest.target("DeepseekV4ForCausalLM", (10, 0), algorithm="NGRAM")
    assert (refused.backend, "EAGLE and DSPARK" in refused.reason) == (None, True)


def test_every_replayed_release_has_a_rule_set(known):
    from matrix.engines import contracts

    assert {name for name in contracts.names() if name.startswith("sglang")} <= set(known)


GOOD = '[a]\nengine = "e"\nmajors = [10]\ndraft = "same_as_target"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a", "is not valid TOML"),
        (GOOD + 'drafts = "x"\n', "[a]: unknown key 'drafts'.\n  Did you mean draft"),
        (
            GOOD + '[[a.family]]\narchitecture = ["x"]\n',
            "[a]: unknown key 'architecture'.\n  Did you mean architectures",
        ),
        ('[a]\nengine = "e"\n', "[a]: 'draft' and 'majors' are missing"),
        (GOOD + '[b]\nafter = "c"\n', "[b]: unknown rule set 'c'"),
        (GOOD + '[b]\nafter = "a"\nwithout = ["x"]\n', "[b]: unknown family 'x'"),
        (GOOD + '[[a.family]]\nname = "x"\n', "[a]: 'architectures' and 'quantizations' are missing"),
        (
            GOOD.replace("same_as_target", "same_as"),
            "unknown draft policy 'same_as'.\n  Did you mean same_as_target",
        ),
    ],
)
def test_a_rule_set_that_does_not_hold_is_named(tmp_path, text, message):
    path = tmp_path / "policies.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        policies.load(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
