"""Whether an engine batches, how far, and what Triton may be told about it."""

from __future__ import annotations

from dataclasses import dataclass

from trt_core.domain.passport import Passport
from trt_core.domain.profiles import OptimizationProfile
from trt_core.domain.tensors import Dim, TensorSpec
from trt_core.errors import InvalidInput

_NEAR_BEST = 0.95


@dataclass(frozen=True, kw_only=True)
class Batching:
    """`largest` 0: Triton must not batch, `why_not` says why. `smallest` is the least that some profile takes."""

    largest: int
    smallest: int = 1
    why_not: str = ""


def batching_of(passport: Passport) -> Batching:
    """The batch range of the engine.

    Triton batches along a first axis that is free in every input and output and that is one symbol; the largest batch
    is the largest that some optimization profile allows for all inputs.
    """
    for spec in (*passport.inputs, *passport.outputs):
        if spec.shape is None:
            raise InvalidInput(
                f"The rank of {spec.name!r} is not known.",
                remedy="Export the model with shapes for inputs and outputs.",
            )
        if not spec.shape or isinstance(spec.shape[0], int):
            return Batching(largest=0, why_not=f"{spec.name!r} is {spec.shape_text()}: its first axis is fixed.")
    symbols = {spec.shape[0] for spec in passport.inputs if spec.shape}
    if len(symbols) > 1:
        names = ", ".join(sorted(str(item) for item in symbols))
        return Batching(largest=0, why_not=f"The inputs begin with different symbols ({names}): no common batch axis.")
    if not passport.profiles:
        return Batching(largest=0, why_not="The engine has no optimization profile.")
    ends = [
        (min(item.max[0] for item in prof.ranges), max(item.min[0] for item in prof.ranges))
        for prof in _ranged(passport)
    ]
    if not ends:
        return Batching(largest=0, why_not="No profile gives the batch axis a range.")
    return Batching(largest=max(high for high, _ in ends), smallest=min(low for _, low in ends))


def _ranged(passport: Passport) -> list[OptimizationProfile]:
    return [profile for profile in passport.profiles if profile.ranges and all(item.max for item in profile.ranges)]


def chosen_batch(passport: Passport, wanted: int | None) -> int:
    """`max_batch_size` for Triton: the wish where the engine has it; InvalidInput where it has not."""
    batching = batching_of(passport)
    if wanted is None:
        return batching.largest
    if wanted > batching.largest:
        if not batching.largest:
            raise InvalidInput(
                f"The engine cannot batch, and a largest batch of {wanted} was asked for. {batching.why_not}",
                remedy="Export the model with a dynamic first axis everywhere, and build it with a profile.",
            )
        raise InvalidInput(
            f"A largest batch of {wanted} was asked for; the engine's profiles end at {batching.largest}.",
            remedy=f"Ask for {batching.largest} at most, or build with a profile that reaches {wanted}.",
        )
    return wanted


def preferred_sizes(passport: Passport, largest: int, sweep: tuple[tuple[int, float], ...]) -> tuple[int, ...]:
    """Batches worth waiting for: those measured within 5 % of the best throughput, else the profiles' opt sizes."""
    measured = [(batch, rate) for batch, rate in sweep if 1 < batch <= largest]
    if measured:
        best = max(rate for _, rate in measured)
        return tuple(sorted({batch for batch, rate in measured if rate >= _NEAR_BEST * best}))
    opts = {min(item.opt[0] for item in profile.ranges) for profile in _ranged(passport)}
    return tuple(sorted(size for size in opts if 1 < size <= largest))


def served_dims(spec: TensorSpec, *, batched: bool) -> tuple[int, ...]:
    """The dims of a tensor in `config.pbtxt`: without the batch axis when Triton batches, -1 where they vary."""
    shape = spec.shape or ()
    return tuple(_dim(dim) for dim in (shape[1:] if batched else shape))


def _dim(dim: Dim) -> int:
    return dim if isinstance(dim, int) else -1


def served_shape(spec: TensorSpec, passport: Passport, *, batched: bool, profile: int = 0) -> tuple[int, ...]:
    """Sizes that one profile is best for, the batch axis left out when Triton batches."""
    ranged = passport.profiles[profile].range_of(spec.name) if passport.profiles else None
    shape = ranged.opt if ranged else tuple(dim if isinstance(dim, int) else 1 for dim in spec.shape or ())
    return tuple(shape[1:] if batched else shape)
