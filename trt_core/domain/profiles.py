"""Optimization profiles: the shapes that an engine is built for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trt_core.domain.tensors import Dim, TensorSpec
from trt_core.errors import InvalidProfile

Shape = tuple[int, ...]
LARGEST_DIMENSION = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class ShapeRange:
    """min, opt and max shape of one input: same rank, min <= opt <= max in every dimension."""

    tensor: str
    min: Shape
    opt: Shape
    max: Shape

    def __post_init__(self) -> None:
        if not len(self.min) == len(self.opt) == len(self.max):
            raise InvalidProfile(
                f"Input {self.tensor!r}: {len(self.min)}, {len(self.opt)} and {len(self.max)} sizes for min, opt, max.",
                remedy="Give the three shapes the same number of dimensions.",
            )
        for axis, (low, opt, high) in enumerate(zip(self.min, self.opt, self.max, strict=True)):
            if not 0 <= low <= opt <= high:
                raise InvalidProfile(
                    f"Input {self.tensor!r}, dimension {axis}: min {low}, opt {opt}, max {high}.",
                    remedy="Make 0 <= min <= opt <= max.",
                )
            if high > LARGEST_DIMENSION:
                raise InvalidProfile(
                    f"Input {self.tensor!r}, dimension {axis}: max {high:,}.",
                    remedy=f"TensorRT has 31 bits for a dimension: stay at or below {LARGEST_DIMENSION:,}.",
                )


@dataclass(frozen=True, kw_only=True)
class ValueRange:
    """min, opt and max values of an input that the network computes shapes from (a shape tensor)."""

    tensor: str
    min: tuple[int, ...]
    opt: tuple[int, ...]
    max: tuple[int, ...]

    def __post_init__(self) -> None:
        same = len(self.min) == len(self.opt) == len(self.max)
        if not same or any(not low <= opt <= high for low, opt, high in zip(self.min, self.opt, self.max, strict=True)):
            raise InvalidProfile(
                f"Values of input {self.tensor!r}: min {self.min}, opt {self.opt}, max {self.max}.",
                remedy="Give as many values for each, and make min <= opt <= max.",
            )


@dataclass(frozen=True, kw_only=True)
class OptimizationProfile:
    """One range for each dynamic input, and the values of each shape tensor among the inputs."""

    ranges: tuple[ShapeRange, ...]
    values: tuple[ValueRange, ...] = ()

    def __post_init__(self) -> None:
        names = [item.tensor for item in self.ranges] + [held.tensor for held in self.values]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise InvalidProfile(f"Input {min(twice)!r} has two ranges in one profile.", remedy="Keep one.")

    def range_of(self, tensor: str) -> ShapeRange | None:
        """The range of that input, or None."""
        return next((item for item in self.ranges if item.tensor == tensor), None)


def profile_from_texts(texts: Sequence[str]) -> OptimizationProfile:
    """Parse one text for each input: a range of shapes as `range_from_text`, or of values in brackets.

    `size=[2x2]:[4x4]:[8x8]` gives the values of a shape tensor.
    """
    held = [text for text in texts if text.rpartition("=")[2].startswith("[")]
    return OptimizationProfile(
        ranges=tuple(range_from_text(text) for text in texts if text not in held),
        values=tuple(_values_from_text(text) for text in held),
    )


def _values_from_text(text: str) -> ValueRange:
    if text.count("]") != text.count("["):
        raise InvalidProfile(f"Values {text!r} cannot be read.", remedy="Write them as size=[2x2]:[4x4]:[8x8].")
    same = range_from_text(text.replace("[", "").replace("]", ""))
    return ValueRange(tensor=same.tensor, min=same.min, opt=same.opt, max=same.max)


def range_from_text(text: str) -> ShapeRange:
    """Parse `x=1x3x32x32:4x3x32x32:8x3x32x32` (min:opt:max; one shape means all three).

    The name ends at the last `=`, because tensor names may hold one.
    """
    name, equals, shapes = text.rpartition("=")
    parts = shapes.split(":")
    if not equals or not name or len(parts) not in (1, 3):
        raise InvalidProfile(f"Profile {text!r} cannot be read.", remedy="Write it as x=1x3x32x32:4x3x32x32:8x3x32x32.")
    parsed = [shape_from_text(part, context=text) for part in parts]
    low, opt, high = parsed * 3 if len(parsed) == 1 else parsed
    return ShapeRange(tensor=name, min=low, opt=opt, max=high)


def shape_from_text(text: str, *, context: str) -> Shape:
    """Parse `8x3x32x32`; an empty text is a scalar."""
    try:
        return tuple(int(size) for size in text.lower().split("x")) if text else ()
    except ValueError:
        raise InvalidProfile(
            f"Shape {text!r} in {context!r} is not a list of sizes.", remedy="Write sizes as 8x3x32x32."
        ) from None


def check_profile(profile: OptimizationProfile, inputs: tuple[TensorSpec, ...]) -> None:
    """Refuse a profile that the compiler would accept silently and fail on later.

    Raises InvalidProfile: unknown tensor, wrong rank, a static dimension changed, a dynamic input left out, or one
    symbol with two values.
    """
    known = {spec.name: spec for spec in inputs}
    for spec in inputs:
        if spec.shape is None:
            raise InvalidProfile(
                f"Input {spec.name!r} has no known rank.", remedy="Export the model with the rank of its inputs."
            )
    for item in profile.ranges:
        if item.tensor not in known:
            raise InvalidProfile(
                f"The model has no input {item.tensor!r}.", remedy=f"Its inputs are: {', '.join(known) or 'none'}."
            )
        _check_against(item, known[item.tensor])
    for held in profile.values:
        _check_values(held, known)
    for spec in inputs:
        if not spec.is_static and profile.range_of(spec.name) is None:
            raise InvalidProfile(
                f"Input {spec.name!r} ({spec.shape_text()}) is dynamic and has no range in the profile.",
                remedy="Give it min, opt and max.",
            )
    _check_symbols(profile, known)


def _check_against(item: ShapeRange, spec: TensorSpec) -> None:
    if spec.shape is None:
        return
    if len(item.min) != len(spec.shape):
        raise InvalidProfile(
            f"Input {spec.name!r} has rank {len(spec.shape)} ({spec.shape_text()}), the profile gives {len(item.min)}.",
            remedy="Give one size for each dimension.",
        )
    for axis, dim in enumerate(spec.shape):
        sizes = (item.min[axis], item.opt[axis], item.max[axis])
        if isinstance(dim, int) and sizes != (dim, dim, dim):
            raise InvalidProfile(
                f"Input {spec.name!r}, dimension {axis} is {dim}, the profile asks for {sizes[0]}..{sizes[2]}.",
                remedy=f"Use {dim}, or export the model with that dimension dynamic.",
            )


def _check_values(item: ValueRange, known: dict[str, TensorSpec]) -> None:
    spec = known.get(item.tensor)
    if spec is None or spec.dtype not in ("int32", "int64") or spec.shape is None or len(spec.shape) > 1:
        raise InvalidProfile(
            f"{item.tensor!r} is no input of whole numbers with at most one dimension.",
            remedy="Give values to such inputs only, and shapes to all others.",
        )
    count = spec.shape[0] if spec.shape else 1
    if isinstance(count, int) and len(item.min) != count:
        raise InvalidProfile(
            f"Input {item.tensor!r} holds {count} values, the profile gives {len(item.min)}.",
            remedy="Give one number for each.",
        )


def _check_symbols(profile: OptimizationProfile, known: dict[str, TensorSpec]) -> None:
    seen: dict[str, tuple[tuple[int, int, int], str]] = {}
    for item in profile.ranges:
        for axis, dim in enumerate(known[item.tensor].shape or ()):
            if not isinstance(dim, str):
                continue
            sizes = (item.min[axis], item.opt[axis], item.max[axis])
            before, where = seen.setdefault(dim, (sizes, item.tensor))
            if before != sizes:
                raise InvalidProfile(
                    f"Symbol {dim!r} is {before} in {where!r} and {sizes} in {item.tensor!r} (min, opt, max).",
                    remedy="Give the same symbol the same sizes.",
                )


def static_profile(inputs: tuple[TensorSpec, ...], *, batch: int = 1) -> OptimizationProfile:
    """A profile in which every symbolic dimension is `batch` for the first axis and 1 elsewhere.

    Symbols that appear on a first axis take `batch` wherever they appear.
    """
    first: set[Dim] = {spec.shape[0] for spec in inputs if spec.shape and isinstance(spec.shape[0], str)}
    ranges = []
    for spec in inputs:
        if spec.is_static or spec.shape is None:
            continue
        shape = tuple(_size(dim, axis, first, batch) for axis, dim in enumerate(spec.shape))
        ranges.append(ShapeRange(tensor=spec.name, min=shape, opt=shape, max=shape))
    return OptimizationProfile(ranges=tuple(ranges))


def _size(dim: Dim, axis: int, first: set[Dim], batch: int) -> int:
    if isinstance(dim, int):
        return dim
    return batch if axis == 0 or dim in first else 1
