"""The selection function's parameters, read from source."""

import pytest

from matrix.cubins import questions, settings, signature
from matrix.cubins.signature import NotAskableError, Parameter, UnknownSignatureError
from matrix.kernels.moe import profiles
from matrix.releases.wheel import open_file

FUNCTION = "get_configs"
SOURCE = """
  // get_configs(comment) is called first
  auto x = get_configs(a, b);
Array<int64_t> get_configs(
    int64_t const dtype_act_, bool const useDeepSeekFp8,  // a comment, with a comma
    int64_t const act_type, /* another */ int64_t num_tokens, bool has_gemm1_lora_delta = false) {
  return {};
}
"""
NAMES = ["dtype_act_", "useDeepSeekFp8", "act_type", "num_tokens", "has_gemm1_lora_delta"]


@pytest.fixture(scope="module")
def question():
    every = questions.every(profiles.load(), settings.load().ask)
    return next(each for each in every if each.activation == "relu2-nongated" and each.tokens == 64)


def test_parameters_are_read_from_the_definition():
    found = signature.read(SOURCE, FUNCTION)
    assert [parameter.name for parameter in found] == NAMES
    assert [parameter.type for parameter in found] == ["int64_t", "bool", "int64_t", "int64_t", "bool"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "defines no function get_configs"),
        ("auto y = get_configs(a, b);", "defines no function"),
        ("int get_configs(int64_t) { }", "declares 'int64_t', which cannot be read"),
    ],
)
def test_another_form_is_said(source, message):
    with pytest.raises(UnknownSignatureError, match=message):
        signature.read(source, FUNCTION)


def test_arguments_follow_the_declared_order(question):
    enums = {"DtypeTrtllmGen": {"Bfloat16": 1052672}, "ActivationType": {"Swiglu": 3, "Relu2": 6}}
    told = signature.arguments(signature.read(SOURCE, FUNCTION), question, settings.load().parameter, enums)
    assert told == [1052672, False, 6, 64, False]


def test_a_parameter_without_a_meaning_is_named():
    with pytest.raises(UnknownSignatureError, match="takes novel, whose meaning is not known"):
        signature.check([Parameter(type="bool", name="novel")], settings.load().parameter)


def test_a_member_that_the_release_lacks_cannot_be_asked_for(question):
    parameters = [Parameter(type="int64_t", name="gated_act_type")]
    meanings = settings.load().parameter
    with pytest.raises(NotAskableError, match="GatedActType has no Relu2"):
        signature.arguments(parameters, question, meanings, {"GatedActType": {"SwiGlu": 0, "GeGlu": 1}})


def test_members_are_found_however_they_are_capitalized():
    every = questions.every(profiles.load(), settings.load().ask)
    gated = next(each for each in every if each.activation == "silu-gated")
    told = signature.arguments(
        [Parameter(type="int64_t", name="gated_act_type")],
        gated,
        settings.load().parameter,
        {"GatedActType": {"SwiGlu": 0, "GeGlu": 1}},
    )
    assert told == [0]


@pytest.mark.wheels
@pytest.mark.parametrize(
    ("release", "count", "differs"),
    [
        ("0.5.3", 11, "gated_act_type"),
        ("0.6.7.post3", 11, "quantization_type"),
        ("0.6.11.post1", 12, "use_per_token_scaling"),
        ("0.6.14", 13, "has_gemm1_lora_delta"),
        ("0.7.2.post1", 14, "hidden_size_output"),
    ],
)
def test_the_signature_of_real_releases(release, count, differs, online):
    name = "flashinfer/data/csrc/trtllm_fused_moe_kernel_launcher.cu"
    with open_file(online.release("flashinfer-python", release).best, online.network) as wheel:
        source = wheel.read([name])[name].decode()
    loaded = settings.load()
    found = signature.read(source, loaded.code["function"])
    assert len(found) == count
    assert differs in {parameter.name for parameter in found}
    signature.check(found, loaded.parameter)
