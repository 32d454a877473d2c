from dataclasses import replace

import pytest

from matrix.errors import InputError
from matrix.kernels.moe import profiles, routings
from matrix.kernels.moe.problem import Problem

ALL = profiles.load()


@pytest.mark.parametrize("profile", ALL.values(), ids=ALL)
def test_routed_experts_make_up_most_of_the_published_model(profile):
    matrices = 3 if profile.gated else 2
    routed = profile.moe_layers * profile.experts * matrices * profile.hidden * profile.intermediate / 1e9
    assert 0.85 < routed / profile.total_parameters_billion < 1


def test_the_published_figures():
    shapes = {
        name: (p.hidden, p.intermediate, p.experts, p.top_k, p.n_group, p.topk_group)
        for name, p in ALL.items()
    }
    assert shapes == {
        "deepseek-v3": (7168, 2048, 256, 8, 8, 4),
        "nemotron-h": (1024, 2688, 512, 22, 1, 1),
        "nemotron-h-nano": (2688, 1856, 128, 6, 1, 1),
        "qwen3-moe": (4096, 1536, 128, 8, 1, 1),
        "qwen3-next": (2048, 512, 512, 10, 1, 1),
        "glm4-moe": (5120, 1536, 160, 8, 1, 1),
        "llama4": (5120, 8192, 16, 1, 1, 1),
        "kimi-k2": (7168, 2048, 384, 8, 1, 1),
    }


@pytest.mark.parametrize("profile", ALL.values(), ids=ALL)
def test_scaled_keeps_the_structure(profile):
    small = profile.scaled()
    assert small == profile.scaled()
    assert small.hidden % profiles.BLOCK == small.intermediate % profiles.BLOCK == 0
    assert (small.hidden > small.intermediate) == (profile.hidden > profile.intermediate)
    assert (small.top_k, small.n_group, small.topk_group) == (
        profile.top_k,
        profile.n_group,
        profile.topk_group,
    )
    assert small.experts % small.n_group == 0
    assert 2 * small.top_k <= small.experts // small.n_group * small.topk_group <= small.experts <= 64


@pytest.mark.parametrize("profile", ALL.values(), ids=ALL)
def test_the_natural_cell_is_a_layer(profile):
    problem = Problem.from_profile(
        profile.to_json(),
        tokens=4,
        routing=profile.routing,
        activation=profile.activation,
        gated=profile.gated,
    )
    assert problem.gemm1_rows == profile.intermediate * (2 if profile.gated else 1)
    assert problem.scaling == (profile.routed_scaling_factor if profile.routing == "deepseek_v3" else 1.0)


@pytest.mark.parametrize("routing", routings.NAMES)
def test_a_foreign_routing_takes_away_what_it_does_not_know(routing):
    shape = profiles.find("deepseek-v3").to_json()
    problem = Problem.from_profile(shape, tokens=4, routing=routing, activation="silu", gated=True)
    assert problem.n_group == (8 if routing == "deepseek_v3" else 1)
    assert problem.top_k == (1 if routing == "llama4" else 8)
    assert problem.scaling == (2.5 if routing == "deepseek_v3" else 1.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[x]\nhidden = 1\n", r"\[x\].*missing"),
        ("[x", "not valid TOML"),
        (
            profiles.FILE.read_text(encoding="utf-8").replace('"llama4"\nact', '"llama5"\nact'),
            "routing method 'llama5'",
        ),
    ],
)
def test_a_bad_file_gives_one_clear_error(tmp_path, text, message):
    file = tmp_path / "profiles.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        profiles.load(file)


def test_an_unknown_profile_names_the_nearest():
    with pytest.raises(InputError, match=r"unknown profile 'deepseek'.*\n.*deepseek-v3"):
        profiles.find("deepseek")


def test_contradicting_figures_are_no_layer():
    problem = Problem.from_profile(
        profiles.find("deepseek-v3").to_json(),
        tokens=4,
        routing="deepseek_v3",
        activation="silu",
        gated=True,
    )
    for change in (
        {"tokens": 0},
        {"n_group": 7},
        {"topk_group": 9},
        {"n_group": 128, "topk_group": 1},
        {"routing": "topk"},
        {"n_group": 0},
    ):
        with pytest.raises(InputError, match="not an MoE layer"):
            replace(problem, **change)
