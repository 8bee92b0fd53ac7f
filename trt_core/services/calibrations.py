"""Calibrations: ranges of activations, kept so that every plan of a model shares them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trt_core.domain.artifacts import ArtifactKind, CalibrationRecord, checked_id
from trt_core.domain.precision import CalibrationMethod
from trt_core.domain.requests import QuantizeSpec
from trt_core.protocols import Reporter
from trt_core.services.batching import sample_batches
from trt_core.services.context import Context, content_id
from trt_core.services.library import Library

if TYPE_CHECKING:
    import onnx

    from trt_core.precision.normalize import Normalized


class Calibrations:
    """Make and find calibrations."""

    def __init__(self, context: Context, library: Library) -> None:
        self._context = context
        self._library = library

    def calibration(self, calibration_id: str) -> CalibrationRecord:
        """One calibration."""
        checked = checked_id(calibration_id, ArtifactKind.CALIBRATION)
        return self._context.decoded.record(CalibrationRecord, checked)

    def calibrations(self, model_id: str) -> list[CalibrationRecord]:
        """The calibrations of a model, newest first."""
        return [self.calibration(item) for item in self._context.store.ids(ArtifactKind.CALIBRATION, parent=model_id)]

    def perform(self, spec: QuantizeSpec, model: onnx.ModelProto | Normalized, reporter: Reporter) -> CalibrationRecord:
        """The calibration that a recipe needs, from the store where it is there.

        `model` is the normalized one where the recipe normalizes. Rules about single nodes do not change a calibration.
        """
        from trt_core.precision.calibrate import calibrate, tensors_to_calibrate

        tensors = tensors_to_calibrate(model, spec.recipe)
        calibration_id = self._id_of(spec, tensors)
        if self._context.store.has(calibration_id):
            return self.calibration(calibration_id)
        # Folding keeps tensor names, so that ranges are taken on the file as uploaded: nothing has to be written first.
        found = calibrate(
            self._library.model_path(spec.model_id),
            tensors,
            sample_batches(self._library, spec.model_id, spec.data_id),
            method=spec.recipe.method,
            percentile=spec.recipe.percentile,
            runner=self._context.runner,
            reporter=reporter,
            samples=self._library.data(spec.data_id).samples,
        )
        record = CalibrationRecord(
            id=calibration_id,
            model_id=spec.model_id,
            data_id=spec.data_id,
            created_at=self._context.clock(),
            method=spec.recipe.method,
            percentile=spec.recipe.percentile,
            samples=found.samples,
            ranges=found.ranges,
            findings=(*self._library.data(spec.data_id).findings, *found.findings),
        )
        parents = (spec.model_id, spec.data_id)
        self._context.store.put(ArtifactKind.CALIBRATION, calibration_id, record, {}, parents=parents)
        return record

    def _id_of(self, spec: QuantizeSpec, tensors: tuple[str, ...]) -> str:
        from trt_core.precision.variant import CONVERTER_VERSION

        recipe = spec.recipe
        content = {
            "model": self._library.model(spec.model_id).sha256,
            "data": self._library.data(spec.data_id).sha256,
            "method": recipe.method.value,
            "percentile": recipe.percentile if recipe.method is CalibrationMethod.PERCENTILE else None,
            "tensors": list(tensors),
            "version": CONVERTER_VERSION,
        }
        return content_id(ArtifactKind.CALIBRATION, content)
