"""Writes the peak memory, in KiB, of a search and of the validation of its plan over all samples of a file."""

from __future__ import annotations

import io
import resource
import sys
from pathlib import Path

import onnx

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.analysis.test_divergence import chain
from trt_core.domain.precision import CalibrationMethod, Precision, Recipe
from trt_core.domain.requests import TriageSpec, ValidateSpec
from trt_core.settings import Settings
from trt_core.testing import CollectingReporter
from trt_core.workbench import open_workbench

SHAPE = (16, 32, 32)  # 64 KiB a sample
BATCH = 4  # fixed, so that few samples make several batches, too


def pooled() -> onnx.ModelProto:
    """A chain of convolutions with a small output: what is kept of the outputs is bounded, but not what is tested."""
    model = chain(depth=4, channels=SHAPE[0])
    last = model.graph.output[0].name
    model.graph.node.append(onnx.helper.make_node("GlobalAveragePool", [last], ["pooled"], "pool"))
    del model.graph.input[:], model.graph.output[:]
    model.graph.input.append(onnx.helper.make_tensor_value_info("x", 1, [BATCH, *SHAPE]))
    model.graph.output.append(onnx.helper.make_tensor_value_info("pooled", 1, [BATCH, SHAPE[0], 1, 1]))
    return model


def main(workspace: Path, samples: Path) -> None:
    bench, reporter = open_workbench(Settings(workspace=workspace)), CollectingReporter()
    model = bench.library.add_upload({"chain.onnx": io.BytesIO(pooled().SerializeToString())})
    data = bench.library.add_data(samples, name="x.npz", model_id=model.id).id
    recipe = Recipe(precision=Precision.INT8, method=CalibrationMethod.MINMAX)
    spec = TriageSpec(
        model_id=model.id, recipe=recipe, data_id=data, validation_id=data, metric="sqnr", tolerance=60.0,
        max_evaluations=4, leave_one_out=1,
    )  # fmt: skip
    variant = bench.triage.make_variant(bench.triage.perform(spec, reporter), reporter)
    bench.validation.perform(
        ValidateSpec(model_id=model.id, subject_id=variant.id, data_id=data, metric="sqnr", tolerance=20.0), reporter
    )
    sys.stdout.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
