"""A model under search: loaded, normalized and calibrated once for all plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trt_core.domain.findings import Finding
from trt_core.domain.graph import Graph
from trt_core.domain.jobs import Progress
from trt_core.domain.plans import kept_precision
from trt_core.domain.precision import KeepRule, Precision, Recipe, TensorRange
from trt_core.domain.requests import QuantizeSpec
from trt_core.domain.triage import Unit
from trt_core.errors import InvalidInput
from trt_core.protocols import Array, Reporter, Runner
from trt_core.services.calibrations import Calibrations
from trt_core.services.library import Library

if TYPE_CHECKING:
    from trt_core.precision.float_types import Conversions  # noqa: TC004 - a dataclass keeps its annotations as text
    from trt_core.precision.tails import Trunk

WEIGHTS, ACTIVATIONS = "weights", "activations"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model that is being searched: what every evaluation needs and none makes again."""

    model_id: str
    recipe: Recipe
    original: Any  # onnx.ModelProto
    normalized: Any  # precision.Normalized, or None where the recipe does not normalize
    ranges: tuple[TensorRange, ...]
    units: tuple[Unit, ...]
    graph: Graph
    calibration_id: str = ""
    conversions: Conversions | None = None  # weights that plans share
    findings: tuple[Finding, ...] = ()  # on nodes that no plan can lower

    def twin(self, recipe: Recipe) -> Any:
        """The numerics twin of the variant that a recipe with rules describes."""
        from trt_core.precision.twin import make_twin
        from trt_core.precision.variant import make_variant

        made = make_variant(
            self.original, recipe, self.ranges, normalized=self.normalized, conversions=self.conversions
        )
        return make_twin(made.model, recipe)

    def twin_draft(self, recipe: Recipe) -> Any:
        """The same twin as a draft, without its weights copied."""
        from trt_core.precision.twin import twin_draft
        from trt_core.precision.variant import make_variant

        made = make_variant(
            self.original, recipe, self.ranges, normalized=self.normalized, conversions=self.conversions
        )
        return twin_draft(made.draft)

    def trunk(self, folder: Path, label: str, runner: Runner) -> tuple[Path, Trunk]:
        """The plain twin in a folder, as the trunk of other plans' tails; its weights are rounded once."""
        from trt_core.onnx_graph.save import write_model
        from trt_core.precision.tails import make_trunk

        def compute(model: Any) -> list[Array]:
            path = folder / f"{label}_weights.onnx"
            write_model(model, path)
            found = [array.copy() for array in runner.load(path, optimize=False).run({})]
            path.unlink()
            return found

        trunk = make_trunk(self.twin_draft(self.recipe), folder / f"{label}.data", compute)
        write_model(trunk.model, folder / f"{label}.onnx")
        return folder / f"{label}.onnx", trunk

    def halves(self) -> dict[str, Any]:
        """The plain variant with only its weights and with only its activations quantized; empty without Q/DQ pairs.

        What is not quantized is in FP32 here, so that nothing but the quantization is seen.
        """
        from trt_core.precision.halves import without_pairs
        from trt_core.precision.twin import make_twin
        from trt_core.precision.variant import make_variant

        if not self.recipe.needs_data:
            return {}
        recipe = replace(self.recipe, rest=Precision.FP32, keep=())
        whole = make_variant(self.original, recipe, self.ranges, normalized=self.normalized).model
        return {
            WEIGHTS: make_twin(without_pairs(whole, of_weights=False), recipe),
            ACTIVATIONS: make_twin(without_pairs(whole, of_weights=True), recipe),
        }

    def keeping(self, kept: Sequence[Unit]) -> Recipe:
        """The recipe that lowers everything but these units."""
        high = kept_precision(self.recipe)
        return replace(self.recipe, keep=tuple(KeepRule(node=unit.node, precision=high) for unit in kept))


def read_subject(
    library: Library,
    calibrations: Calibrations,
    wish: QuantizeSpec,
    reporter: Reporter,
    *,
    like: Subject | None = None,
) -> Subject:
    """Load, normalize and calibrate; InvalidInput where the recipe can lower nothing.

    `wish` is resolved. `like` is another subject of the same model: its graphs are used again.
    """
    from trt_core.onnx_graph.load import load_model
    from trt_core.precision.float_types import Conversions
    from trt_core.precision.normalize import normalize
    from trt_core.precision.units import left_high, plan_units, why_none

    reporter.progress(Progress(phase="Reading the model"))
    if like is not None:
        original, normalized = like.original, like.normalized
    else:
        original = load_model(library.model_path(wish.model_id))
        normalized = normalize(original) if wish.recipe.normalize else None
    graph = library.graph(wish.model_id)
    conversions = Conversions()
    units = plan_units(normalized or original, wish.recipe, graph, conversions=conversions)
    if not units:
        raise _nothing_to_lower(
            wish.recipe.precision, why_none(normalized or original, wish.recipe, conversions=conversions)
        )
    calibrated = calibrations.perform(wish, normalized or original, reporter) if wish.recipe.needs_data else None
    return Subject(
        model_id=wish.model_id,
        recipe=wish.recipe,
        original=original,
        normalized=normalized,
        ranges=calibrated.ranges if calibrated else (),
        units=units,
        graph=graph,
        calibration_id=calibrated.id if calibrated else "",
        conversions=conversions,
        findings=left_high(normalized or original, wish.recipe, conversions=conversions),
    )


def _nothing_to_lower(precision: Precision, reasons: str) -> InvalidInput:
    return InvalidInput(
        f"No node of the model can be lowered to {precision.value}. {reasons}",
        remedy="Try FP16." if precision.is_quantized else "Start from the model in FP32.",
    )
