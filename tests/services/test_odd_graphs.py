"""Graphs that ONNX allows and few exporters write: they work, or are refused before a job is queued."""

from __future__ import annotations

import io

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.models import model, tensor, value
from trt_core.domain.artifacts import ModelRecord
from trt_core.domain.engine import Sm
from trt_core.domain.fusion import NodeState
from trt_core.domain.latency import LatencyRequest
from trt_core.domain.precision import CalibrationMethod, Precision, Recipe
from trt_core.domain.requests import BenchSpec, BuildSpec, DivergeSpec, InspectSpec, QuantizeSpec
from trt_core.errors import InvalidInput, UnreadableModel, UnsupportedRequest
from trt_core.settings import settings_from
from trt_core.testing import CollectingReporter
from trt_core.workbench import Workbench, open_workbench

X = value("x", [4, 8])
MATMUL = helper.make_node("MatMul", ["x", "w"], ["y"], name="mm")
WEIGHT = tensor("w", (8, 8))
ZERO = numpy_helper.from_array(np.float32(0), "zero")


def branch(name: str, op: str) -> onnx.GraphProto:
    return helper.make_graph([helper.make_node(op, ["y"], [name], name=f"{name}_op")], name, [], [value(name, [4, 8])])


def if_at_the_end() -> onnx.ModelProto:
    nodes = [
        MATMUL,
        helper.make_node("ReduceSum", ["y"], ["s"], name="sum", keepdims=0),
        helper.make_node("Greater", ["s", "zero"], ["c"], name="greater"),
        helper.make_node(
            "If", ["c"], ["o"], name="if", then_branch=branch("then", "Relu"), else_branch=branch("other", "Neg")
        ),
    ]
    return model(nodes, [X], [value("o", [4, 8])], [WEIGHT, ZERO])


def loop_at_the_end() -> onnx.ModelProto:
    flag, turn = value("flag", [], TensorProto.BOOL), value("turn", [], TensorProto.INT64)
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["flag"], ["go"], name="go"),
            helper.make_node("MatMul", ["v", "w"], ["next"], name="inner"),
        ],
        "body",
        [turn, flag, value("v", [4, 8])],
        [value("go", [], TensorProto.BOOL), value("next", [4, 8])],
    )
    counts = [numpy_helper.from_array(np.int64(3), "three"), numpy_helper.from_array(np.bool_(True), "true")]
    loop = helper.make_node("Loop", ["three", "true", "y"], ["o"], name="loop", body=body)
    return model([MATMUL, loop], [X], [value("o", [4, 8])], [WEIGHT, *counts])


ODD = {
    "an output that is an initializer": lambda: model(
        [MATMUL], [X], [value("y", [4, 8]), value("w", [8, 8])], [WEIGHT]
    ),
    "an input that nothing reads": lambda: model([MATMUL], [X, value("z", [4, 3])], [value("y", [4, 8])], [WEIGHT]),
    "one output named twice": lambda: model([MATMUL], [X], [value("y", [4, 8])] * 2, [WEIGHT]),
    "an output without dimensions": lambda: model(
        [MATMUL, helper.make_node("ReduceSum", ["y"], ["s"], name="sum", keepdims=0)], [X], [value("s", [])], [WEIGHT]
    ),
    "an If at the end": if_at_the_end,
    "a Loop at the end": loop_at_the_end,
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    return open_workbench(settings_from({}, workspace=tmp_path_factory.mktemp("odd") / "workspace"))


def added(bench: Workbench, proto: onnx.ModelProto) -> ModelRecord:
    return bench.library.add_upload({"odd.onnx": io.BytesIO(proto.SerializeToString())})


def noise(bench: Workbench, record: ModelRecord) -> str:
    target = io.BytesIO()
    rng = np.random.default_rng(0)
    np.savez(target, **{spec.name: rng.standard_normal((32, *spec.shape[1:]), np.float32) for spec in record.inputs})
    target.seek(0)
    return bench.library.add_data(target, name="noise.npz", model_id=record.id).id


def build_of(record: ModelRecord, data_id: str = "") -> BuildSpec:
    recipe = Recipe(precision=Precision.INT8 if data_id else Precision.FP16, method=CalibrationMethod.MINMAX)
    return BuildSpec(
        variant=QuantizeSpec(model_id=record.id, recipe=recipe, data_id=data_id),
        backend="rtx",
        target=Sm(major=8, minor=6),
    )


@pytest.mark.parametrize("name", ODD)
def test_an_odd_but_legal_graph_goes_through_the_whole_flow(name: str, bench: Workbench):
    record = added(bench, ODD[name]())
    data_id = noise(bench, record)
    reporter = CollectingReporter()

    support = bench.support.perform(InspectSpec(model_id=record.id, backend="rtx"), reporter)
    build = build_of(record, data_id)
    bench.builds.check(build)
    built = bench.builds.perform(build, reporter)
    latency = bench.latency.perform(
        BenchSpec(subject_id=record.id, request=LatencyRequest(iterations=3, warmup=1)), reporter
    )
    divergence = bench.divergence.perform(
        DivergeSpec(
            model_id=record.id, against=(Precision.FP16, Precision.INT8), data_id=data_id, samples=8, mode="both"
        ),
        reporter,
    )

    assert not support.unsupported
    assert bench.builds.fusion(built.record.id).state_counts[NodeState.UNEXPLAINED] <= 1
    assert latency.samples_ms
    assert divergence.outputs


@pytest.mark.parametrize("batch", [4, "batch"])
def test_an_output_that_is_an_input_is_found_and_no_build_of_it_is_queued(batch: int | str, bench: Workbench):
    ends = [value("y", [batch, 8]), value("x", [batch, 8])]
    record = added(bench, model([MATMUL], [value("x", [batch, 8])], ends, [WEIGHT]))

    with pytest.raises(UnsupportedRequest, match="Output 'x' is an input of the model as well"):
        bench.builds.submit(build_of(record))

    assert bench.jobs.jobs() == []
    rules = {finding.rule for finding in bench.support.model_findings(record.id)}
    assert "output-is-input" in rules
    proved = bench.support.perform(InspectSpec(model_id=record.id, backend="rtx", prove=True), CollectingReporter())
    assert not proved.unsupported, "the nodes are not to blame"


def test_a_graph_without_outputs_and_an_input_that_holds_nothing_are_refused_at_the_door(bench: Workbench):
    with pytest.raises(UnreadableModel, match="names no output"):
        added(bench, model([MATMUL], [X], [], [WEIGHT]))
    with pytest.raises(UnreadableModel, match="'x' declares a dimension of 0"):
        added(bench, model([MATMUL], [value("x", [0, 8])], [value("y", [0, 8])], [WEIGHT]))


def test_an_input_of_unknown_rank_is_named_before_anything_is_queued(bench: Workbench):
    relu = helper.make_node("Relu", ["x"], ["y"], name="relu")
    record = added(bench, model([relu], [value("x", None)], [value("y", None)]))

    with pytest.raises(InvalidInput, match="'x' has no known rank"):
        bench.builds.submit(build_of(record))
    with pytest.raises(InvalidInput, match="'x' has no known rank"):
        bench.support.perform(InspectSpec(model_id=record.id, backend="rtx", prove=True), CollectingReporter())
