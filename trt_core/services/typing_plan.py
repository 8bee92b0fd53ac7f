"""Which file is built, and what the compiler is told beside it, where types are weak or the library calibrates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from trt_core.domain.artifacts import VariantRecord
from trt_core.domain.graph import Graph
from trt_core.domain.precision import CalibrationMethod, KeepRule, Precision, Recipe, TensorRange
from trt_core.domain.requests import BuildSpec, QuantizeSpec
from trt_core.hashing import file_sha256
from trt_core.protocols import CalibrationInput, Feeds, Reporter, Runner

if TYPE_CHECKING:
    import onnx

TENSORRT_FOLDER = "tensorrt"  # of a workspace: timings and calibration caches


def built_variant(spec: BuildSpec, *, weakly_typed: bool) -> QuantizeSpec:
    """The variant whose file is built.

    Implicit calibration starts from the FP32 file. A weakly typed library wants FP32 around Q/DQ pairs: what is not
    quantized may then run in the recipe's `rest`, which is a flag there.
    """
    recipe = spec.variant.recipe
    if spec.is_implicit:
        plain = Recipe(precision=Precision.FP32, normalize=recipe.normalize)
        return QuantizeSpec(model_id=spec.variant.model_id, recipe=plain)
    if weakly_typed and recipe.precision is Precision.INT8:
        return replace(spec.variant, recipe=replace(recipe, rest=Precision.FP32))
    return spec.variant


def rest_of(spec: BuildSpec) -> Precision:
    """What unquantized layers may run in."""
    recipe = spec.variant.recipe
    return recipe.rest if recipe.precision is Precision.INT8 else Precision.FP32


def kept_timings(path: Path, workspace: Path) -> str:
    """Copy a timing cache into the workspace, under the hash of its content, which is given back."""
    sha256 = file_sha256(path)
    folder = workspace / TENSORRT_FOLDER / "timing"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"brought-{sha256[:24]}.cache").write_bytes(path.read_bytes())
    return sha256


def kept_nodes(spec: BuildSpec, variant: VariantRecord, graph: Graph) -> tuple[KeepRule, ...]:
    """The recipe's exclusions under the names of the file that is built; only implicit calibration needs them."""
    if not spec.is_implicit or not spec.variant.recipe.keep:
        return ()
    rules = {index: rule for rule in spec.variant.recipe.keep for index in graph.indices_by_name.get(rule.node, ())}
    listed = variant.provenance.nodes
    if not listed:
        return spec.variant.recipe.keep
    return tuple(
        KeepRule(node=node.name, precision=rules[source].precision)
        for node in listed
        for source in node.sources
        if source in rules
    )


def calibration_for(
    spec: BuildSpec, *, model: Path, data: Path | None, cache: str, runner: Runner, reporter: Reporter
) -> CalibrationInput | None:
    """What the library calibrates with: `data`, or the text of a `cache`.

    Percentile ranges are worked out here: its own calibrators have none.
    """
    if not spec.is_implicit:
        return None
    recipe = spec.variant.recipe
    if data is None:
        return CalibrationInput(
            batches=lambda _: iter(()), data_sha256=recipe.data_sha256, method=recipe.method, cache=cache
        )
    ranges: tuple[TensorRange, ...] = ()
    if recipe.method is CalibrationMethod.PERCENTILE:
        ranges = _percentile_ranges(recipe, model, data, runner, reporter)
    key = f"{recipe.data_sha256} {recipe.percentile if ranges else ''}"
    return CalibrationInput(
        batches=partial(_batches, data), data_sha256=key.strip(), method=recipe.method, ranges=ranges
    )


def _batches(data: Path, batch: int) -> Iterator[Feeds]:
    from trt_core.store.npz import batches

    return batches(data, batch=batch)


def _percentile_ranges(
    recipe: Recipe, path: Path, data: Path, runner: Runner, reporter: Reporter
) -> tuple[TensorRange, ...]:
    from trt_core.onnx_graph.load import load_model
    from trt_core.precision.calibrate import calibrate
    from trt_core.store.npz import batches

    model = load_model(path)
    found = calibrate(
        path,
        _floating_tensors(model),
        partial(batches, data),
        method=recipe.method,
        percentile=recipe.percentile,
        runner=runner,
        reporter=reporter,
    )
    return found.ranges


def _floating_tensors(model: onnx.ModelProto) -> tuple[str, ...]:
    """Every activation: inputs and results of nodes, which TensorRT names as the file does."""
    from trt_core.onnx_graph.read import read_graph

    graph = read_graph(model)
    names = [spec.name for spec in graph.inputs] + [name for node in graph.nodes for name in node.outputs if name]
    known = {spec.name: spec for spec in graph.inputs} | dict(graph.tensors)
    return tuple(name for name in dict.fromkeys(names) if name in known and known[name].is_floating)
