from __future__ import annotations

import math

import pytest

from trt_core.analysis.divergence_pictures import (
    axis_db,
    band,
    bands,
    brackets,
    curve,
    curves,
    feeding,
    format_limits,
    losses,
)
from trt_core.domain.divergence import (
    DivergenceRun,
    LayerDivergence,
    OutputDivergence,
    TensorError,
    ValueHistogram,
)
from trt_core.domain.graph import Graph, Node


def error(sqnr_db: float, *, nan: int = 0) -> TensorError:
    return TensorError(sqnr_db=sqnr_db, cosine=1.0, max_abs=0.0, mean_abs=0.0, rel_l2=0.0, nan=nan)


def chain(*names: str) -> Graph:
    nodes = tuple(
        Node(index=index, name=name, op_type="Relu", inputs=(f"t{index - 1}",), outputs=(f"t{index}",))
        for index, name in enumerate(names)
    )
    return Graph(nodes=nodes, inputs=(), outputs=())


def layer(index: int, *, int8: float | None = None, alone: float | None = None, name: str = "") -> LayerDivergence:
    return LayerDivergence(
        index=index,
        name=name or f"n{index}",
        op_type="Relu",
        tensor=f"t{index}",
        accumulated=() if int8 is None else (("int8", error(int8)),),
        isolated=() if alone is None else (("int8", error(alone)),),
    )


def run(*layers: LayerDivergence, candidates=("int8",), outputs=()) -> DivergenceRun:
    return DivergenceRun(
        id="d-000000000000",
        model_id="m-000000000000",
        created_at=0.0,
        baseline="fp32",
        candidates=candidates,
        method="simulated",
        layers=layers,
        outputs=outputs,
        origin=(),
        samples=1,
        seconds=0.1,
    )


def test_a_curve_sets_apart_what_no_axis_can_hold():
    layers = [layer(0, int8=math.inf), layer(1, int8=40.0), layer(2, int8=120.0), layer(3, int8=-math.inf)]

    found = curve(layers, "int8", isolated=False)

    assert found is not None
    assert (found.positions, found.sqnr_db, found.clean, found.broken) == ((1,), (40.0,), (0, 2), (3,))
    assert curve(layers, "int8", isolated=True) is None


def test_accumulated_curves_come_before_isolated_ones():
    found = curves(run(layer(0, int8=30.0, alone=50.0)))

    assert [(item.isolated, item.sqnr_db) for item in found] == [(False, (30.0,)), (True, (50.0,))]
    low, high = axis_db(found)
    assert low < 0
    assert high > 50


def test_name_scopes_become_brackets_at_the_first_depths_that_tell_layers_apart():
    names = ["/net/stem/Conv", "/net/body/a/Add", "/net/body/b/Add", "/net/head/Gemm"]
    layers = [layer(index, int8=30.0, name=name) for index, name in enumerate(names)]

    found = brackets(chain(*names), layers)

    assert [(item.label, item.first, item.last, item.level) for item in found] == [
        ("stem", 0, 0, 0),
        ("body", 1, 2, 0),
        ("head", 3, 3, 0),
        ("a", 1, 1, 1),
        ("b", 2, 2, 1),
    ]


def test_a_loss_names_its_worst_output_its_worst_layer_and_its_origin():
    outputs = (
        OutputDivergence(name="a", errors=(("int8", error(25.0)),)),
        OutputDivergence(name="b", errors=(("int8", error(12.0)),)),
    )
    measured = run(layer(0, int8=40.0), layer(1, int8=12.0), layer(2, int8=15.0), outputs=outputs)

    (found,) = losses(chain("n0", "n1", "n2"), measured)

    assert (found.output, found.output_sqnr_db) == ("b", 12.0)
    assert (found.worst.name, found.worst_sqnr_db) == ("n1", 12.0)
    assert [item.name for item in found.origins] == ["n1"]
    assert [item.name for item in found.guilty] == ["n1"]
    assert found.floor_counts == ((20.0, 2), (30.0, 2), (40.0, 2))


def test_isolated_errors_stand_in_where_nothing_was_accumulated():
    (found,) = losses(chain("n0", "n1"), run(layer(0, alone=50.0), layer(1, alone=10.0)))

    assert found.isolated
    assert found.output_sqnr_db is None
    assert found.worst.name == "n1"


def test_the_most_lossy_precision_comes_first():
    both = LayerDivergence(
        index=0, name="n0", op_type="Relu", tensor="t0", accumulated=(("fp16", error(60.0)), ("int8", error(20.0)))
    )

    found = losses(chain("n0"), run(both, candidates=("fp16", "int8")))

    assert [loss.precision for loss in found] == ["int8", "fp16"]


def test_what_feeds_a_layer_is_found_through_nodes_that_were_not_compared():
    found = feeding(chain("n0", "n1", "n2"), run(layer(0, int8=40.0), layer(2, int8=30.0)), 2)

    assert [item.index for item in found] == [0]
    assert feeding(chain("n0"), run(layer(0, int8=40.0)), 0) == ()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.inf, "equal"),
        (40.0, "≥40 dB"),
        (39.9, "≥30 dB"),
        (20.0, "≥20 dB"),
        (19.9, "<20 dB"),
        (-math.inf, "NaN or Inf"),
    ],
)
def test_a_band_for_every_error(value, expected):
    assert band(error(value)) == expected


def test_nodes_that_were_not_compared_have_a_band_of_their_own():
    assert bands(chain("n0", "n1"), run(layer(1, int8=15.0)), "int8") == {0: "not compared", 1: "<20 dB"}


def test_limits_are_the_clipping_range_of_a_quantized_tensor_and_that_of_fp16_when_it_is_near():
    near = LayerDivergence(
        index=0,
        name="n0",
        op_type="Relu",
        tensor="t0",
        accumulated=(("fp16", error(60.0)), ("int8", error(20.0))),
        histograms=(ValueHistogram(label="fp32", edges=(0.0, 1.0), counts=(1,), low=-2000.0, high=10.0),),
    )

    found = format_limits(near, {"int8": {"t0": 0.5}, "fp16": {}})

    assert [(limit.precision, limit.largest, limit.step) for limit in found] == [
        ("int8", 63.5, 0.5),
        ("fp16", 65504.0, None),
    ]
    assert format_limits(layer(0, int8=20.0), {"int8": {"other": 0.5}}) == ()
