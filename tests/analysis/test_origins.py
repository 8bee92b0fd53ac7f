from __future__ import annotations

import math

import pytest

from trt_core.analysis.origins import origins, verdict
from trt_core.domain.divergence import LayerDivergence, TensorError
from trt_core.domain.graph import Graph, Node


def error(sqnr_db: float) -> TensorError:
    return TensorError(sqnr_db=sqnr_db, cosine=0.0, max_abs=0.0, mean_abs=0.0, rel_l2=0.0)


def chain(count: int) -> Graph:
    """n0 -> n1 -> ..., each reading the tensor of the one before it."""
    nodes = tuple(
        Node(index=i, name=f"n{i}", op_type="Relu", inputs=(f"t{i - 1}" if i else "x",), outputs=(f"t{i}",))
        for i in range(count)
    )
    return Graph(nodes=nodes, inputs=(), outputs=())


def layers(accumulated: list[float | None], isolated: list[float] | None = None) -> list[LayerDivergence]:
    return [
        LayerDivergence(
            index=i,
            name=f"n{i}",
            op_type="Relu",
            tensor=f"t{i}",
            accumulated=() if db is None else (("int8", error(db)),),
            isolated=() if isolated is None else (("int8", error(isolated[i])),),
        )
        for i, db in enumerate(accumulated)
        if db is not None or isolated is not None
    ]


def names(found) -> list[str]:
    return [origin.name for origin in found]


def test_a_layer_that_loses_six_decibels_is_an_origin() -> None:
    assert origins(chain(4), layers([40.0, 38.0, 32.5, 30.0]), "int8") == ()
    found = origins(chain(4), layers([36.0, 35.0, 29.0, 28.0]), "int8")
    assert names(found) == ["n2"]
    assert found[0].loss_db == pytest.approx(6.0)
    assert found[0].before_db == 35.0


def test_the_largest_loss_comes_first_where_nothing_was_isolated() -> None:
    found = origins(chain(4), layers([36.0, 29.0, 28.0, 8.0]), "int8")
    assert names(found) == ["n3", "n1"]


def test_a_fall_to_what_the_precision_can_do_weighs_less_than_a_fall_from_there() -> None:
    found = origins(chain(3), layers([70.0, 36.0, 22.0]), "int8")
    assert names(found) == ["n2", "n1"]
    assert [origin.loss_db for origin in found] == [14.0, 34.0]


def test_the_strongest_isolated_error_comes_first_where_it_was_measured() -> None:
    found = origins(chain(4), layers([36.0, 29.0, 28.0, 8.0], isolated=[40.0, 5.0, 40.0, 20.0]), "int8")
    assert names(found) == ["n1", "n3"]


def test_isolated_errors_alone_are_ranked_by_themselves() -> None:
    found = origins(chain(3), layers([None, None, None], isolated=[40.0, 12.0, 3.0]), "int8")
    assert names(found) == ["n2", "n1"]


def test_only_the_first_layer_that_is_not_finite_is_an_origin() -> None:
    found = origins(chain(4), layers([36.0, -math.inf, -math.inf, -math.inf]), "int8")
    assert names(found) == ["n1"]


def test_a_healthy_first_layer_is_none_although_its_input_is_exact() -> None:
    assert origins(chain(2), layers([36.0, 35.0]), "int8") == ()
    assert names(origins(chain(2), layers([20.0, 19.0]), "int8")) == ["n0"]


def test_a_layer_that_was_not_compared_hands_on_what_came_before_it() -> None:
    found = origins(chain(4), layers([30.0, None, 22.0, 21.0]), "int8")
    assert names(found) == ["n0", "n2"] or names(found) == ["n2", "n0"]
    assert next(origin for origin in found if origin.name == "n2").loss_db == pytest.approx(8.0)


def test_the_worst_of_several_inputs_counts() -> None:
    nodes = (
        Node(index=0, name="good", op_type="Relu", inputs=("x",), outputs=("g",)),
        Node(index=1, name="bad", op_type="Relu", inputs=("x",), outputs=("b",)),
        Node(index=2, name="sum", op_type="Add", inputs=("g", "b"), outputs=("s",)),
    )
    measured = [
        LayerDivergence(index=i, name=node.name, op_type="", tensor="", accumulated=(("int8", error(db)),))
        for i, (node, db) in enumerate(zip(nodes, (36.0, 12.0, 10.0), strict=True))
    ]
    assert names(origins(Graph(nodes=nodes, inputs=(), outputs=()), measured, "int8")) == ["bad"]


def test_the_verdict_says_how_much_where_and_what_was_before() -> None:
    found = origins(chain(3), layers([36.0, 35.0, 21.0]), "int8")
    assert verdict("int8", found) == "INT8 loses 14.0 dB at n2; everything before it is at 35.0 dB or above."
    assert verdict("int8", ()) == "INT8 loses less than 6 dB at every layer."


def test_the_verdict_on_a_first_layer_speaks_of_nothing_before_it() -> None:
    assert verdict("int8", origins(chain(1), layers([10.0]), "int8")) == "INT8 loses 26.0 dB at n0."
