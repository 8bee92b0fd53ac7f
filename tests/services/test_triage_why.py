"""What a search says of the model's numbers, on graphs of a few nodes with one fault each."""

from __future__ import annotations

import io

import numpy as np
import pytest
from onnx import helper, numpy_helper

from tests.models import model, value
from trt_core.domain.precision import CalibrationMethod, Precision, Recipe
from trt_core.domain.requests import TriageSpec
from trt_core.settings import Settings
from trt_core.testing import CollectingReporter
from trt_core.workbench import Workbench, open_workbench

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((32, 8), np.float32)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    return open_workbench(Settings(workspace=tmp_path_factory.mktemp("why")))


def rules(bench: Workbench, scale: float, precision: Precision, rest: Precision) -> dict[str, tuple[str, ...]]:
    """The findings of a search over MatMul and Softmax, the first one's weights scaled; rule and nodes."""
    weights = {"w": RANDOM.standard_normal((8, 8), np.float32) * np.float32(scale)}
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["s"], name="scores"),
        helper.make_node("Softmax", ["s"], ["y"], name="soft"),
    ]
    inits = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    proto = model(nodes, [value("x", ["n", 8])], [value("y", ["n", 8])], inits)
    record = bench.library.add_upload({"small.onnx": io.BytesIO(proto.SerializeToString())})
    data = io.BytesIO()
    np.savez(data, x=X)
    samples = bench.library.add_data(io.BytesIO(data.getvalue()), name="x.npz", model_id=record.id)
    recipe = Recipe(precision=precision, rest=rest, method=CalibrationMethod.MINMAX)
    spec = TriageSpec(
        model_id=record.id,
        recipe=recipe,
        data_id=samples.id if recipe.needs_data else "",
        validation_id=samples.id,
        metric="sqnr",
        tolerance=10.0,
    )
    return {item.rule: item.nodes for item in bench.triage.perform(spec, CollectingReporter()).findings}


@pytest.mark.parametrize(
    ("precision", "rest", "meets_fp16"),
    [
        (Precision.FP16, Precision.FP16, True),
        (Precision.INT8, Precision.FP16, True),
        (Precision.INT8, Precision.FP32, False),
        (Precision.BF16, Precision.FP16, False),
    ],
)
def test_what_a_softmax_reads_matters_where_it_meets_fp16(bench: Workbench, precision, rest, meets_fp16):
    assert rules(bench, 100.0, precision, rest).get("wide-input") == (("soft",) if meets_fp16 else None)


def test_a_softmax_that_reads_small_values_is_no_finding(bench: Workbench):
    assert "wide-input" not in rules(bench, 1.0, Precision.FP16, Precision.FP16)


def test_a_node_that_fp16_cannot_hold_is_a_finding_of_the_search(bench: Workbench):
    assert rules(bench, 1e5, Precision.FP16, Precision.FP32)["weights-outside-fp16"] == ("scores",)
