"""A file that is in low precision already, made elsewhere, as the candidate of a comparison."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trt_core.analysis.divergence import Candidate, Comparison
from trt_core.analysis.scale_rules import REFITTED, with_avoidable
from trt_core.domain.divergence import ScaleChange
from trt_core.domain.jobs import Progress
from trt_core.domain.precision import CalibrationMethod, Precision, Recipe
from trt_core.domain.requests import DivergeSpec
from trt_core.errors import InvalidInput
from trt_core.protocols import Reporter, Runner, SampleBatches
from trt_core.services.library import Library

if TYPE_CHECKING:
    import onnx


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
    reader = _Reader(library, spec, precision, twin, folder)
    candidates = list(reader.plain())
    changes: Mapping[int, Sequence[ScaleChange]] = {}
    if spec.mode != "cumulative" and precision is Precision.INT8:
        fitting = reader.fitting(batches, runner, reporter)
        candidates.append(reader.alone(fitting, REFITTED))
        changes = reader.changes(fitting)
    return CandidateFile(label=precision.value, candidates=tuple(candidates), changes=changes)


class _Reader:
    def __init__(
        self, library: Library, spec: DivergeSpec, precision: Precision, twin: onnx.ModelProto, folder: Path
    ) -> None:
        from trt_core.onnx_graph.load import load_model

        self._path = library.model_path(spec.model_id)
        self._original = load_model(self._path)
        self._known = library.graph(spec.model_id).producer_of
        self._spec, self._twin, self._folder, self._label = spec, twin, folder, precision.value
        self._names = {name: name for node in twin.graph.node for name in node.output if name in self._known}
        if not self._names:
            raise InvalidInput(
                "The file shares no tensor's name with the model, so that no layer can be compared.",
                remedy="Name a version of this model whose tensors keep their names, or validate it by its outputs.",
            )

    def plain(self) -> Iterator[Candidate]:
        from trt_core.onnx_graph.save import write_model

        if self._spec.mode in ("cumulative", "both"):
            path = self._folder / "candidate.onnx"
            write_model(self._twin, path)
            yield Candidate(label=self._label, path=path, tensors=self._names)
        if self._spec.mode in ("isolated", "both"):
            yield self.alone(self._twin, self._label)

    def alone(self, twin: Any, label: str) -> Candidate:
        """Every layer of a twin by itself, on exact inputs."""
        from trt_core.onnx_graph.save import write_model
        from trt_core.precision.shadow import make_detached_shadow, make_shadow

        shadow = make_detached_shadow(self._original, twin, self._names) or make_shadow(
            self._original, twin, self._names
        )
        path = self._folder / f"{label}_isolated.onnx"
        write_model(shadow.model, path)
        return Candidate(label=label, path=path, tensors=shadow.tensors, isolated=True, inputs=shadow.inputs)

    def fitting(self, batches: SampleBatches, runner: Runner, reporter: Reporter) -> Any:
        """The twin with the scales that the samples ask for."""
        from trt_core.precision.calibrate import calibrate
        from trt_core.precision.refit import refitted, scaled_activations

        inputs = {value.name for value in self._original.graph.input}
        tensors = scaled_activations(self._twin, {*self._known, *inputs})
        measured = calibrate(
            self._path, tensors, batches, method=CalibrationMethod.MINMAX, runner=runner, reporter=reporter
        )
        return refitted(self._twin, self._original, measured.extremes)

    def changes(self, fitting: Any) -> dict[int, Sequence[ScaleChange]]:
        from trt_core.precision.refit import scale_changes

        found = scale_changes(self._twin, fitting)
        return {self._known[name]: items for name, items in found.items() if name in self._known}
