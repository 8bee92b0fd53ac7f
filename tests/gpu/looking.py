"""A workbench over real TensorRT with an engine to look into."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from trt_core.analysis.engine_words import step_words
from trt_core.domain.artifacts import BuildRecord, ModelRecord
from trt_core.domain.engine import BuilderOptions
from trt_core.domain.engine_divergence import EngineDivergence, InsideSpec
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.profiles import OptimizationProfile, ShapeRange
from trt_core.domain.requests import BuildSpec, QuantizeSpec
from trt_core.services.typing_plan import TENSORRT_FOLDER
from trt_core.settings import settings_from
from trt_core.testing import CollectingReporter
from trt_core.workbench import Workbench, open_workbench


@dataclass
class Scene:
    """One model, one engine of it, and the looks into it."""

    bench: Workbench
    model: ModelRecord
    build: BuildRecord

    def look(self, **wish) -> EngineDivergence:
        spec = InsideSpec(build_id=self.build.id, **({"samples": 8} | wish))
        return self.bench.inside.perform(spec, CollectingReporter())


def scene(
    folder: Path, caches: Path, proto: onnx.ModelProto, precision: Precision, *, data: Path | None = None, **recipe
) -> Scene:
    """An engine for batch 1 to 8 at optimization level 1; timings are shared by the whole test run."""
    workspace = folder / "workspace"
    workspace.mkdir(parents=True)
    (workspace / TENSORRT_FOLDER).symlink_to(caches, target_is_directory=True)
    bench = open_workbench(settings_from({}, workspace=workspace))
    model = bench.library.add_upload({"model.onnx": io.BytesIO(proto.SerializeToString())})
    (only,) = model.inputs
    rest = tuple(size for size in only.shape[1:])
    ranged = ShapeRange(tensor=only.name, min=(1, *rest), opt=(8, *rest), max=(8, *rest))
    data_id = bench.library.add_data(data, name=data.name, model_id=model.id).id if data else ""
    wish = BuildSpec(
        variant=QuantizeSpec(model_id=model.id, recipe=Recipe(precision=precision, **recipe), data_id=data_id),
        backend="tensorrt",
        profiles=(OptimizationProfile(ranges=(ranged,)),),
        options=BuilderOptions(optimization_level=1),
    )
    build = bench.builds.perform(wish, CollectingReporter()).record
    return Scene(bench=bench, model=model, build=build)


def scaled(proto: onnx.ModelProto, factors: dict[str, float]) -> onnx.ModelProto:
    """A copy of the model in which the named weights are multiplied."""
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    for weight in copy.graph.initializer:
        if weight.name in factors:
            values = numpy_helper.to_array(weight) * np.float32(factors[weight.name])
            weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    return copy


def told(run: EngineDivergence) -> str:
    """The figures of a look in one line."""
    name, error = run.worst_output
    parts = [f"{name} {error.sqnr_db:.1f} dB, {len(run.layers)} inner tensors, {len(run.believed)} believed"]
    for group in run.groups:
        check = group.check
        if check is None:
            parts.append(f"failed: {group.failed}")
            continue
        asked = (("fusions", check.fusions), ("output", check.output), ("latency", check.latency))
        parts += [f"{what} {answer.changed} ({answer.sentence} {answer.evidence[:4]})" for what, answer in asked]
    if run.bisection is not None:
        steps = [f"{step_words(step)} {step.seconds:.1f} s" for step in run.bisection.steps]
        parts.append(f"cuts {'; '.join(steps)} -> {run.bisection.clean} .. {run.bisection.faulty}")
        if run.bisection.segment is not None:
            parts.append(f"first wrong in between {run.bisection.first_wrong!r} {run.bisection.segment.reason}")
    return " | ".join([*parts, f"origin {run.origin[:4]}", f"{run.seconds:.1f} s"])
