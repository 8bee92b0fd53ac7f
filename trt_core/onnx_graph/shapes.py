"""Optimization profiles held against shape inference, before a compiler sees them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trt_core.domain.findings import Finding, Severity
from trt_core.domain.profiles import OptimizationProfile, check_profile
from trt_core.domain.tensors import TensorSpec
from trt_core.errors import InvalidProfile
from trt_core.onnx_graph.inference import Inferred, Shape, infer_types_at, spec_of
from trt_core.onnx_graph.naming import node_name
from trt_core.onnx_graph.tensors import shown

if TYPE_CHECKING:
    import onnx

_CORNERS = ("min", "opt", "max")


def check_profiles(model: onnx.ModelProto, profiles: Sequence[OptimizationProfile]) -> tuple[Finding, ...]:
    """Refuse profiles that cannot be built; findings for what is allowed and costs.

    Each profile is checked against the inputs, then shape inference runs strictly at its min, opt and max shapes.
    Raises InvalidProfile, which names the profile, the node and the shapes; also for a dynamic model with no profile.
    """
    inputs = _inputs(model)
    if not profiles and any(not spec.is_static for spec in inputs):
        check_profile(OptimizationProfile(ranges=()), inputs)
    done: set[tuple[tuple[str, Shape], ...]] = set()
    for number, profile in enumerate(profiles):
        check_profile(profile, inputs)
        for corner in _CORNERS:
            shapes: dict[str, Shape] = {item.tensor: getattr(item, corner) for item in profile.ranges}
            key = tuple(sorted(shapes.items()))
            if key not in done:
                done.add(key)
                _checked(model, shapes, where=f"profile {number} at {corner}")
    return tuple(finding for number, profile in enumerate(profiles) for finding in _findings(number, profile, profiles))


def _inputs(model: Any) -> tuple[TensorSpec, ...]:
    stored = {tensor.name for tensor in model.graph.initializer}
    return tuple(spec_of(value.name, value.type) for value in model.graph.input if value.name not in stored)


def _checked(model: Any, shapes: Mapping[str, Shape], *, where: str) -> Inferred:
    inferred = infer_types_at(model, shapes, strict=True)
    asked = ", ".join(f"{shown(name)} {_text(shape)}" for name, shape in shapes.items()) or "the model's own shapes"
    if inferred.problem:
        loose = infer_types_at(model, shapes, strict=False)
        raise _refusal(model, loose, inferred.problem, f"{where} ({asked})")
    for node in model.graph.node:
        problem = _misfit(node, inferred)
        if problem:
            raise InvalidProfile(
                f"Node {shown(node_name(node))} ({node.op_type}) cannot work in {where} ({asked}): {problem}.",
                remedy="Choose sizes that the model can work with, or export it with that dimension dynamic.",
            )
    return inferred


def _refusal(model: Any, loose: Inferred, problem: str, where: str) -> InvalidProfile:
    """The library's refusal, with the node it names and the shapes that meet there."""
    node = _named_node(model, problem)
    reason = problem.rsplit("[ShapeInferenceError]", 1)[-1].strip(" :.\n")
    remedy = "Choose sizes that the model can work with, or export it with that dimension dynamic."
    if node is None:
        return InvalidProfile(f"The model cannot work in {where}: {reason[:300]}.", remedy=remedy, details=problem)
    shapes = [
        f"{shown(name)} {spec_of(name, loose.types[name]).shape_text()}" for name in node.input if name in loose.types
    ]
    return InvalidProfile(
        f"Node {shown(node_name(node))} ({node.op_type}) cannot work in {where}: {reason[:300]}; "
        f"its inputs are {', '.join(shapes[:6])}.",
        remedy=remedy,
        details=problem,
    )


def _named_node(model: Any, problem: str) -> Any | None:
    match = re.search(r"node name: (\d+)\)", problem)
    return model.graph.node[int(match[1])] if match and int(match[1]) < len(model.graph.node) else None


def _misfit(node: Any, inferred: Inferred) -> str:
    """What shape inference lets through: a Reshape that would change the number of elements, a dimension below zero."""
    for name in node.output:
        shape = _static(name, inferred)
        if shape is not None and any(size < 0 for size in shape):
            return f"its output {shown(name)} would have the shape {_text(shape)}"
    if node.op_type == "Reshape" and not node.domain and len(node.input) == 2:
        before, after = _static(node.input[0], inferred), _static(node.output[0], inferred)
        if before is not None and after is not None and math.prod(before) != math.prod(after):
            return f"{_text(before)} has {math.prod(before):,} elements and {_text(after)} has {math.prod(after):,}"
    return ""


def _static(name: str, inferred: Inferred) -> Shape | None:
    kind = inferred.types.get(name)
    if kind is None or not kind.HasField("tensor_type") or not kind.tensor_type.HasField("shape"):
        return None
    dims = kind.tensor_type.shape.dim
    return tuple(dim.dim_value for dim in dims) if all(dim.HasField("dim_value") for dim in dims) else None


def _text(shape: Shape) -> str:
    return " × ".join(str(size) for size in shape) or "scalar"


def _findings(
    number: int, profile: OptimizationProfile, profiles: Sequence[OptimizationProfile]
) -> tuple[Finding, ...]:
    found: list[Finding] = []
    if profile in profiles[:number]:
        found.append(
            Finding(
                rule="profile-repeated",
                severity=Severity.NOTE,
                message=f"Profile {number} repeats profile {profiles.index(profile)}.",
                remedy="Remove one: each profile costs build time and memory.",
            )
        )
    if any(0 in item.min for item in profile.ranges):
        found.append(
            Finding(
                rule="profile-allows-empty",
                severity=Severity.WARNING,
                message=f"Profile {number} allows a dimension of size 0, an empty tensor.",
                remedy="Start at 1 unless the model is meant to see empty input.",
            )
        )
    return tuple(found)
