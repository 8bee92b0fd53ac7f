"""A file that is in low precision already, made elsewhere, as the candidate of a comparison."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trt_core.analysis.divergence import Candidate, Comparison
from trt_core.analysis.scale_rules import REFITTED, with_avoidable
from trt_core.domain.divergence import ScaleChange
from trt_core.domain.jobs import Progress
from trt_core.domain.precision import CalibrationMethod, Precision, Recipe
from trt_core.domain.requests import DivergeSpec
from trt_core.errors import InvalidInput
from trt_core.protocols import Reporter, Runner, SampleBatches
from trt_core.services.library import Library
from trt_core.services.twin_candidates import TwinCandidates


@dataclass(frozen=True, kw_only=True)
class CandidateFile:
    """The file, as the numerics twin that is run; `label` is the precision that it is in.

    `changes` are its scales beside those that fit the samples, by the index of the model's node that reads them.
    """

    label: str
    candidates: tuple[Candidate, ...]
    changes: Mapping[int, Sequence[ScaleChange]]

    def told(self, comparison: Comparison) -> Comparison:
        """The comparison, with what fitting scales would give back in place of a second file."""
        return replace(comparison, layers=with_avoidable(comparison.layers, self.label))


def read_candidate(
    library: Library, spec: DivergeSpec, folder: Path, batches: SampleBatches, *, runner: Runner, reporter: Reporter
) -> CandidateFile:
    """The file's twin, each of its layers alone where that is asked for, and the same with scales that fit.

    Raises InvalidInput for a file that is all FP32, or that shares no tensor's name with the model.
    """
    from trt_core.onnx_graph.load import load_model
    from trt_core.precision.own_precision import own_precision, with_float_inputs
    from trt_core.precision.refit import scale_changes
    from trt_core.precision.twin import make_twin

    record = library.model(spec.candidate_id)
    reporter.progress(Progress(phase=f"Reading {record.name}"))
    wide = {item.name for item in library.model(spec.model_id).inputs if item.dtype == "float32"}
    loaded = with_float_inputs(load_model(library.model_path(spec.candidate_id)), wide)
    precision = own_precision(loaded)
    if precision is None:
        raise InvalidInput(
            f"{record.name!r} has no Q/DQ pair and no FP16 or BF16 tensor: it is in FP32.",
            remedy="Name a file in low precision, or compare precisions.",
        )
    twin = make_twin(loaded, Recipe(precision=precision))
    path, known = library.model_path(spec.model_id), library.graph(spec.model_id).producer_of
    made = TwinCandidates(model_path=path, known=known, folder=folder)
    if not made.names(twin):
        raise InvalidInput(
            "The file shares no tensor's name with the model, so that no layer can be compared.",
            remedy="Name a version of this model whose tensors keep their names, or validate it by its outputs.",
        )
    candidates = list(made.of(twin, precision.value, mode=spec.mode))
    changes: Mapping[int, Sequence[ScaleChange]] = {}
    if spec.mode != "cumulative" and precision is Precision.INT8:
        fitting = _fitting(path, known, twin, batches, runner=runner, reporter=reporter)
        candidates.append(made.alone(fitting, REFITTED))
        changes = {known[name]: items for name, items in scale_changes(twin, fitting).items() if name in known}
    return CandidateFile(label=precision.value, candidates=tuple(candidates), changes=changes)


def _fitting(
    path: Path, known: Iterable[str], twin: Any, batches: SampleBatches, *, runner: Runner, reporter: Reporter
) -> Any:
    """The twin with the scales that the samples ask for."""
    from trt_core.onnx_graph.load import load_model
    from trt_core.precision.calibrate import calibrate
    from trt_core.precision.refit import refitted, scaled_activations

    original = load_model(path)
    tensors = scaled_activations(twin, {*known, *(value.name for value in original.graph.input)})
    measured = calibrate(
        path,
        tensors,
        batches,
        method=CalibrationMethod.MINMAX,
        runner=runner,
        reporter=reporter,
        nan_is_left_out=True,  # a model that gives NaN is told of as such
    )
    return refitted(twin, original, measured.extremes)
