"""The corners of the four-way square, run on the samples of a look."""

from __future__ import annotations

from dataclasses import replace

from trt_core.analysis.four_way import Corner, four_way
from trt_core.analysis.session_errors import session_errors, worst
from trt_core.domain.artifacts import SQUARED
from trt_core.domain.engine_divergence import FourWay
from trt_core.domain.jobs import Progress
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.requests import QuantizeSpec
from trt_core.errors import BackendError
from trt_core.services.builds import Builds
from trt_core.services.engine_look import Look
from trt_core.services.variants import Variants


def square_of(look: Look, builds: Builds, variants: Variants) -> FourWay | None:
    """The square of an engine in low precision; None for one in FP32 or TF32, which has no quantization to blame."""
    from trt_core.onnx_graph.load import load_model
    from trt_core.onnx_graph.save import write_model
    from trt_core.precision.twin import make_twin

    precision = look.build.recipe.precision
    if precision in (Precision.FP32, Precision.TF32):
        return None
    look.reporter.progress(Progress(phase=f"Running ONNX Runtime in {precision.value.upper()}"))
    wish = builds.wish_of(look.build.id)
    variant = variants.perform(wish.variant, look.reporter)
    write_model(make_twin(load_model(variants.path(variant.id)), variant.recipe), look.folder / "twin.onnx")
    twin = look.runner.load(look.folder / "twin.onnx", optimize=False)
    against_fp32 = session_errors(
        look.reference_session(), [(twin, look.outputs)], look.sampling.batches, look.reporter
    )[0]
    gap = session_errors(twin, [(look.plain, look.outputs)], look.sampling.batches, look.reporter)[0]
    found_gap = worst(gap)
    return four_way(
        precision.value,
        ort_low=worst(against_fp32) or "no floating output",
        engine_fp32=_engine_fp32(look, builds),
        engine_low=look.worst_output,
        engine_gap=None if found_gap is None else found_gap[1],
        intact_db=look.spec.intact_db,
    )


def _engine_fp32(look: Look, builds: Builds) -> Corner:
    wish = builds.wish_of(look.build.id)
    recipe = Recipe(precision=Precision.FP32, normalize=wish.variant.recipe.normalize)
    options = replace(wish.options, tf32=False, calibration="")
    exact = replace(
        wish, variant=QuantizeSpec(model_id=wish.variant.model_id, recipe=recipe), options=options, rebuild=False
    )
    look.reporter.progress(Progress(phase="Building the FP32 engine to compare with"))
    try:
        built = builds.perform(exact, look.reporter, made_for=SQUARED)
        session = look.observer.load(builds.engine_path(built.record.id))
    except BackendError as error:
        return error.message
    try:
        return worst(look.errors(session, ())) or "no floating output"
    finally:
        session.close()
