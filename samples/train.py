"""Train the two digit classifiers and write their models and data: `python -m samples.train [--report]`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Protocol

import numpy as np
import onnx

from samples.training.autograd import Adam, Array, Tensor, cross_entropy
from samples.training.cnn import DigitsCnn
from samples.training.data import CALIBRATION_COPIES, TEST_COPIES, Split, digit_splits, disturbed, evaluation_set
from samples.training.graph import write
from samples.training.transformer import DigitsTransformer

FOLDER = Path(__file__).resolve().parent
SEED = 20
BATCH = 50


class Network(Protocol):
    """What `train` needs of a network."""

    weights: dict[str, Tensor]

    def logits(self, images: Array) -> Tensor: ...

    def exported(self) -> onnx.ModelProto: ...


def train(network: Network, split: Split, *, epochs: int, rate: float, rng: np.random.Generator) -> None:
    """Fit `network` to freshly disturbed copies of the training originals, `epochs` times over."""
    steps = epochs * (len(split.images) // BATCH)
    optimizer = Adam(list(network.weights.values()), rate=rate, steps=steps, decay=0.02)
    for epoch in range(epochs):
        total = 0.0
        order = rng.permutation(len(split.images))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            loss = cross_entropy(network.logits(disturbed(split.images[rows], rng)), split.labels[rows])
            loss.backward()
            optimizer.update()
            total += float(loss.value)
        if epoch % 10 == 9:
            print(f"  epoch {epoch + 1:3d} of {epochs}: mean loss {total * BATCH / len(order):.3f}", flush=True)


def write_data(splits: dict[str, Split]) -> None:
    """Write `calibration.npz`, `test.npz`, `test_labels.npz` and `origins.npz` to `digits/`."""
    folder = FOLDER / "digits"
    folder.mkdir(exist_ok=True)
    calibration, calibrated = evaluation_set(splits["calibration"], CALIBRATION_COPIES, SEED + 1)
    test, tested = evaluation_set(splits["test"], TEST_COPIES, SEED + 2)
    np.savez_compressed(folder / "calibration.npz", image=calibration)
    np.savez_compressed(folder / "test.npz", image=test)
    np.savez_compressed(folder / "test_labels.npz", labels=tested.labels, groups=tested.origin.astype(np.int16))
    origins = {"train": splits["train"].origin, "calibration": calibrated.origin, "test": tested.origin}
    np.savez_compressed(folder / "origins.npz", **{name: rows.astype(np.int16) for name, rows in origins.items()})


def make(only: str | None) -> None:
    """Make the data and both models, or only the part named."""
    splits = digit_splits(SEED)
    if only in (None, "data"):
        write_data(splits)
    if only in (None, "cnn"):
        cnn = DigitsCnn.initialised(np.random.default_rng(SEED))
        train(cnn, splits["train"], epochs=40, rate=4e-3, rng=np.random.default_rng(SEED + 3))
        write(cnn.exported(), FOLDER / "digits_cnn" / "model.onnx")
    if only in (None, "transformer"):
        transformer = DigitsTransformer.initialised(np.random.default_rng(SEED))
        train(transformer, splits["train"], epochs=450, rate=1.5e-3, rng=np.random.default_rng(SEED + 4))
        transformer.give_outliers()
        write(transformer.exported(), FOLDER / "digits_transformer" / "model.onnx")


def main() -> None:
    """Train and write everything, or only print the accuracy table of what is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--report", action="store_true", help="print the accuracy table of the committed models")
    parser.add_argument("--only", choices=["data", "cnn", "transformer"], help="make one part and leave the rest")
    chosen = parser.parse_args()
    if chosen.report:
        from samples.training.report import print_report

        print_report(FOLDER)
        return
    from threadpoolctl import threadpool_limits

    # The number of threads changes the order of additions, and with it the last digits of every weight.
    with threadpool_limits(1):
        make(chosen.only)


if __name__ == "__main__":
    main()
