"""How pictures become a model's input."""

from __future__ import annotations

from dataclasses import dataclass

from trt_core.errors import InvalidInput


@dataclass(frozen=True, kw_only=True)
class ImageSettings:
    """Resize the shorter side to `resize` pixels (0: stretch to the input), cut the middle out, then normalize.

    A value v of 0..255 becomes `(v / 255 - mean) / std`, one mean and std a channel, or one for all.
    """

    resize: int = 0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if self.resize < 0 or self.resize > 16_384:
            raise InvalidInput(f"Resize to {self.resize} pixels.", remedy="Choose 1 to 16384, or 0 to stretch.")
        if any(value <= 0.0 for value in self.std) or not self.mean or not self.std:
            raise InvalidInput("A standard deviation is not above zero.", remedy="Give one for each channel.")
