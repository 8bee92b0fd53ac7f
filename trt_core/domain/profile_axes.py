"""What a form asks for an optimization profile: one row a symbol, one row an unnamed dimension."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trt_core.domain.profiles import OptimizationProfile, ShapeRange
from trt_core.domain.tensors import TensorSpec
from trt_core.errors import InvalidProfile

Sizes = tuple[int, int, int]  # min, opt, max


@dataclass(frozen=True, kw_only=True)
class FreeAxis:
    """A size that a profile decides: a symbol wherever it occurs, or one unnamed dimension of one input."""

    key: str  # the symbol, or `input[axis]`
    symbol: str
    places: tuple[tuple[str, int], ...]  # (input, dimension)

    @property
    def is_batch(self) -> bool:
        """True where it is a first dimension."""
        return any(axis == 0 for _, axis in self.places)

    def places_text(self) -> str:
        """`dimension 0 of pixels, dimension 1 of mask`."""
        return ", ".join(f"dimension {axis} of {tensor}" for tensor, axis in self.places)


def free_axes(inputs: tuple[TensorSpec, ...]) -> tuple[FreeAxis, ...]:
    """The sizes that the inputs leave open, in the order of the inputs; inputs of unknown rank have none to name."""
    found: dict[str, FreeAxis] = {}
    for spec in inputs:
        for axis, dim in enumerate(spec.shape or ()):
            if isinstance(dim, int):
                continue
            # A symbol may be spelled like another input's unnamed dimension: the two stay apart.
            key = dim or f"{spec.name}[{axis}]"
            key = key if dim or key not in found else f"{key} (unnamed)"
            before = found[key].places if key in found else ()
            found[key] = FreeAxis(key=key, symbol=dim or "", places=(*before, (spec.name, axis)))
    return tuple(found.values())


def first_sizes(axis: FreeAxis, batch: Sizes = (1, 1, 1)) -> Sizes:
    """What a row holds before anybody writes: the batch range for a first dimension, 1 elsewhere."""
    return batch if axis.is_batch else (1, 1, 1)


def profile_from_sizes(inputs: tuple[TensorSpec, ...], sizes: Mapping[str, Sizes]) -> OptimizationProfile:
    """The profile that gives every open size its min, opt and max, by key of `free_axes`.

    Raises InvalidProfile naming the row where 1 <= min <= opt <= max does not hold, or an input of unknown rank.
    """
    axes = free_axes(inputs)
    for axis in axes:
        low, opt, high = sizes[axis.key]
        if not 1 <= low <= opt <= high:
            raise InvalidProfile(
                f"{axis.key!r}: min {low}, opt {opt}, max {high}.", remedy="Make 1 <= min <= opt <= max."
            )
    chosen = {place: sizes[axis.key] for axis in axes for place in axis.places}
    ranges = []
    for spec in inputs:
        if spec.shape is None:
            raise InvalidProfile(
                f"Input {spec.name!r} has no known rank.", remedy="Export the model with the rank of its inputs."
            )
        if spec.is_static:
            continue
        shapes = [
            tuple(
                dim if isinstance(dim, int) else chosen[spec.name, axis][which] for axis, dim in enumerate(spec.shape)
            )
            for which in range(3)
        ]
        ranges.append(ShapeRange(tensor=spec.name, min=shapes[0], opt=shapes[1], max=shapes[2]))
    return OptimizationProfile(ranges=tuple(ranges))


def usual_profile(
    inputs: tuple[TensorSpec, ...], fixed: Mapping[str, int], profiles: Sequence[OptimizationProfile] = ()
) -> OptimizationProfile:
    """One size for every open axis: those of `fixed` by key, the others at the opt of an engine's profile, or at 1.

    Of several profiles the first one counts that holds the fixed sizes; where none does, the first.
    """
    axes = free_axes(inputs)
    known = [{axis.key: sizes_of(axis, profile) for axis in axes} for profile in profiles]
    holding = (one for one in known if all(one[key][0] <= size <= one[key][2] for key, size in fixed.items()))
    usual = next(holding, known[0] if known else {axis.key: first_sizes(axis) for axis in axes})
    chosen = {axis.key: fixed.get(axis.key, usual[axis.key][1]) for axis in axes}
    return profile_from_sizes(inputs, {key: (size, size, size) for key, size in chosen.items()})


def sizes_of(axis: FreeAxis, profile: OptimizationProfile) -> Sizes:
    """What a profile allows on an axis: its min, opt and max."""
    tensor, place = axis.places[0]
    ranged = profile.range_of(tensor)
    if ranged is None or not ranged.opt:
        return first_sizes(axis)
    return ranged.min[place], ranged.opt[place], ranged.max[place]
