"""How pictures become a model's input."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trt_core.errors import InvalidInput


@dataclass(frozen=True, kw_only=True)
class ImageSettings:
    """Resize the shorter side to `resize` pixels (0: stretch to the input), cut the middle out, then normalize.

    A value v of 0..255 becomes `(v / 255 - mean) / std`, one mean and std a channel, or one for all; of 16 bits,
    `(v / 65535 - mean) / std`.
    """

    resize: int = 0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if self.resize < 0 or self.resize > 16_384:
            raise InvalidInput(f"Resize to {self.resize} pixels.", remedy="Choose 1 to 16384, or 0 to stretch.")
        if not self.mean or not all(math.isfinite(value) for value in self.mean):
            raise InvalidInput(f"The mean {self.mean} is not finite.", remedy="Give one for each channel.")
        if not self.std or not all(math.isfinite(value) and value > 0.0 for value in self.std):
            raise InvalidInput(
                f"The standard deviation {self.std} is not above zero and finite.", remedy="Give one for each channel."
            )
