"""Shifted, noisy digits, split by original image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIZE = 16
LEVELS = 32
SHIFT = 2
NOISE = 0.25
CALIBRATION_COPIES = 5
TEST_COPIES = 12


@dataclass(frozen=True, kw_only=True)
class Split:
    """Originals of one split: `images` [N, 12, 12] in 0..1, `labels` [N], `origin` [N] (row in scikit-learn's set)."""

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    origin: NDArray[np.int64]


def digit_splits(seed: int) -> dict[str, Split]:
    """Split scikit-learn's 1,797 digits by original image into `train`, `calibration` and `test`."""
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = zoom(digits.images / 16.0, (1, 1.5, 1.5), order=1).astype(np.float32)
    order = np.random.default_rng(seed).permutation(len(images))
    parts = {"train": order[:1000], "calibration": order[1000:1150], "test": order[1150:]}
    return {
        name: Split(images=images[rows], labels=digits.target[rows].astype(np.int64), origin=rows.astype(np.int64))
        for name, rows in parts.items()
    }


def disturbed(images: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Place each image [N, 12, 12] on a 16 x 16 canvas at a random shift and add noise: [N, 1, 16, 16] in 0..1.

    Values are multiples of 1/32, which lets the stored arrays compress to a third.
    """
    count, height, width = images.shape
    canvas = np.zeros((count, SIZE, SIZE), np.float32)
    middle = (SIZE - height) // 2
    for row, (down, right) in enumerate(rng.integers(-SHIFT, SHIFT + 1, (count, 2)) + middle):
        canvas[row, down : down + height, right : right + width] = images[row]
    canvas += rng.normal(0.0, NOISE, canvas.shape).astype(np.float32)
    return (np.round(np.clip(canvas, 0, 1) * LEVELS) / LEVELS).astype(np.float32)[:, None]


def evaluation_set(split: Split, copies: int, seed: int) -> tuple[NDArray[np.float32], Split]:
    """Disturb every original `copies` times; answers the images and, row for row, what they were made from."""
    rows = np.tile(np.arange(len(split.images)), copies)
    repeated = Split(images=split.images[rows], labels=split.labels[rows], origin=split.origin[rows])
    return disturbed(repeated.images, np.random.default_rng(seed)), repeated
