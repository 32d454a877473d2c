"""What is asked: every profile, activation, split and token count."""

from matrix.cubins import questions, settings
from matrix.kernels.moe import activations, profiles


def test_every_profile_and_activation_at_every_split_that_divides():
    ask = settings.load().ask
    asked = questions.every(profiles.load(), ask)
    assert len(asked) >= 10_000
    assert {question.shape.partition("+")[0] for question in asked} == set(profiles.load())
    assert {question.activation for question in asked} == {a.id for a in activations.ACTIVATIONS}
    assert {question.tokens for question in asked} == set(ask["tokens"])
    by_split = {(q.shape, q.expert_parallel, q.tensor_parallel): q for q in asked}
    spread = by_split["qwen3-moe", 4, 2]
    assert (spread.experts, spread.intermediate, spread.hidden) == (32, 768, 4096)
    assert ("nemotron-h", 1, 8) in by_split
    assert len(set(asked)) == len(asked)


def test_a_size_that_is_no_whole_blocks_is_asked_as_it_is_and_padded():
    asked = questions.every(profiles.load(), {"tokens": [1], "expert_parallel": [1], "tensor_parallel": [1]})
    sizes = {question.shape: question.intermediate for question in asked}
    assert (sizes["nemotron-h-nano"], sizes["nemotron-h-nano+pad"]) == (1856, 1920)
    assert "deepseek-v3+pad" not in sizes
