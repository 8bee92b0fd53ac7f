"""What the values of one activation look like to a low-precision format, gathered batch by batch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from trt_core.domain.precision import EDGES, Precision
from trt_core.domain.triage import ActivationFacts
from trt_core.protocols import Array

LARGEST_FP16 = 65504.0
LARGEST_FP8 = 448.0  # E4M3
_SMALLEST_NORMAL_FP16 = 2.0**-14
_LEVELS = 127.0
OUTLIER_FACTOR = 8.0  # a channel this many times as wide as the middle one is an outlier

OFFSET_FACTOR = 100.0  # standard deviations from zero to a channel's mean: FP16 leaves its variation some 28 dB

Floats = npt.NDArray[np.floating[Any]]


class ActivationStats:
    """Running counts over one tensor; memory is a few figures a channel, whatever the number of samples.

    `scale` is the one that calibration chose, of INT8 or of FP8, None where the tensor is not quantized. `axis` is the
    channels'.
    """

    def __init__(self, tensor: str, *, axis: int, scale: float | None, is_fp8: bool = False) -> None:
        self._tensor, self._axis, self._scale, self._is_fp8 = tensor, axis, scale, is_fp8
        self._edge, self._zero = EDGES[Precision.FP8 if is_fp8 else Precision.INT8]
        self._low, self._high = math.inf, -math.inf
        self._channels: npt.NDArray[np.float64] | None = None
        self._sums = self._channel_squares = np.zeros(0)
        self._each = 0  # values of one channel
        self._squares = 0.0
        self._count = self._clipped = self._lost = self._over = self._subnormal = self._broken = 0

    def add(self, values: Array) -> None:
        """Count one batch of values; any floating dtype."""
        floats = np.asarray(values, np.float32)
        finite = np.isfinite(floats)
        self._broken += floats.size - int(np.count_nonzero(finite))
        floats = np.where(finite, floats, np.float32(0.0))
        if not floats.size:
            return
        magnitudes = np.abs(floats)
        self._low, self._high = min(self._low, float(floats.min())), max(self._high, float(floats.max()))
        self._squares += float(np.vdot(floats, floats))
        self._count += floats.size
        self._over += int(np.count_nonzero(magnitudes > LARGEST_FP16))
        nonzero = magnitudes > 0
        self._subnormal += int(np.count_nonzero(nonzero & (magnitudes < _SMALLEST_NORMAL_FP16)))
        if self._scale is not None:
            self._clipped += int(np.count_nonzero(magnitudes > self._scale * self._edge))
            self._lost += int(np.count_nonzero(nonzero & (magnitudes <= self._scale * self._zero)))
        self._add_channels(floats, magnitudes)

    def _add_channels(self, floats: Floats, magnitudes: Floats) -> None:
        axis = self._axis if -magnitudes.ndim <= self._axis < magnitudes.ndim else -1
        others = tuple(item for item in range(magnitudes.ndim) if item != axis % magnitudes.ndim)
        largest = magnitudes.max(axis=others).astype(np.float64).reshape(-1)
        if self._channels is not None and self._channels.shape != largest.shape:
            return
        first = self._channels is None
        sums = floats.sum(axis=others, dtype=np.float64).reshape(-1)
        squares = np.square(floats, dtype=np.float64).sum(axis=others).reshape(-1)
        self._channels = largest if self._channels is None else np.maximum(self._channels, largest)
        self._each += floats.size // max(1, sums.size)
        self._sums = sums if first else self._sums + sums
        self._channel_squares = squares if first else self._channel_squares + squares

    def result(self) -> ActivationFacts:
        """What was seen; shares are of all values."""
        channels = self._channels if self._channels is not None else np.zeros(0)
        middle = float(np.median(channels)) if channels.size else 0.0
        wide = np.flatnonzero(channels > OUTLIER_FACTOR * middle) if middle > 0 else np.zeros(0, np.int64)
        ordered = wide[np.argsort(-channels[wide])][:16] if wide.size else wide
        count = max(1, self._count)
        widest = float(channels.max()) if channels.size else 0.0
        return ActivationFacts(
            tensor=self._tensor,
            low=self._low if self._count else 0.0,
            high=self._high if self._count else 0.0,
            channels=int(channels.size),
            middle_channel=middle,
            outliers=tuple(int(item) for item in ordered),
            outlier_ratio=widest / middle if middle > 0 else 1.0,
            dead_channels=int(np.count_nonzero(channels == 0.0)),
            scale=self._scale,
            clipped_share=self._clipped / count,
            lost_share=self._lost / count,
            over_fp16_share=self._over / count,
            subnormal_share=self._subnormal / count,
            broken=self._broken,
            tensor_db=self._predicted(np.full(channels.shape, widest)),
            channel_db=self._predicted(channels),
            offset_channels=self._offset_channels(),
        )

    def _offset_channels(self) -> int:
        """Channels whose values vary, but little beside their mean; a constant has no variation to lose."""
        if not self._sums.size:
            return 0
        each = self._each
        means = self._sums / each
        variances = self._channel_squares / each - means**2
        varies = variances > 1e-12 * means**2  # below it, float64 sums say nothing
        return int(np.count_nonzero(varies & (means**2 > OFFSET_FACTOR**2 * variances)))

    def _predicted(self, ranges: npt.NDArray[np.float64]) -> float | None:
        """SQNR of rounding to 127 steps a side over these channel ranges: uniform error, step² / 12 a value.

        None for FP8, whose steps are relative to the value: channels do not take them from each other.
        """
        if self._is_fp8 or not ranges.size or self._squares <= 0.0:
            return None
        noise = float(np.mean((ranges / _LEVELS) ** 2)) / 12.0 * self._count
        return 10.0 * math.log10(self._squares / noise) if noise > 0.0 else None
