from __future__ import annotations

from matrix.cells.cell import Cell, Point, parse

POINT = Point(
    backend="trtllm_bf16",
    activation="relu2",
    gating="nongated",
    routing="deepseek_v3",
    role="draft",
    bias="bf16",
    profile="nemotron-h",
)
CELL = Cell(release="0.6.8.post1", environment="lean", point=POINT, must=True)


def test_the_id_is_the_documented_one():
    assert CELL.id == "0.6.8.post1/lean/trtllm_bf16/relu2-nongated/deepseek_v3/draft/bias-bf16/nemotron-h"
    assert CELL.environment_id == "0.6.8.post1/lean"
    assert CELL.id == f"{CELL.environment_id}/{POINT.id}"


def test_an_id_is_parsed_back():
    assert parse(POINT.id) == POINT.values()
    assert parse(CELL.id) == {"release": "0.6.8.post1", "environment": "lean"} | POINT.values()


def test_the_form_of_plans_is_read_back():
    told = CELL.to_json()
    assert Cell.from_json(told) == CELL
    assert told["id"] == CELL.id
    assert told["gated"] is False
    assert Cell.from_json(told | {"later": "ignored"}) == CELL
