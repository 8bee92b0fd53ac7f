"""Right or wrong by the k largest entries of a classifier's output."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from trt_core.domain.tensors import FLOATING
from trt_core.errors import InvalidData
from trt_core.protocols import Array

Outputs = Mapping[str, Array]
Metric = Callable[[Outputs, Array], npt.NDArray[np.float32]]  # outputs and labels of a batch: one score a sample


class OutsideLabel(InvalidData):
    """A label that is no class of the output; `sample` counts from 0 within the labels that were given."""

    def __init__(self, label: int, classes: int, sample: int) -> None:
        known = _outside(label, classes, sample)
        super().__init__(known.message, remedy=known.remedy)
        self._label, self._classes, self._sample = label, classes, sample

    def after(self, samples: int) -> InvalidData:
        """What to tell where so many samples came before; of the kind that every process knows."""
        return _outside(self._label, self._classes, self._sample + samples)


def _outside(label: int, classes: int, sample: int) -> InvalidData:
    return InvalidData(
        f"The label {label} of sample {sample} is outside 0..{classes - 1}, the classes of the output.",
        remedy="Check that labels and model count classes alike, both from 0.",
    )


def top_k(k: int, output: str = "") -> Metric:
    """1 where the label is among the k largest entries of an output [samples, classes], else 0.

    That output is the one named, or the first of that shape. Ties count against the candidate only by their
    position, as argmax has it; a row that holds NaN is wrong.
    """

    def score(outputs: Outputs, labels: Array) -> npt.NDArray[np.float32]:
        logits = _logits(outputs, output)
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise InvalidData(
                f"The labels are {labels.dtype} with {labels.ndim} axes; class numbers are whole and one a sample.",
                remedy="Save an integer array of shape [samples].",
            )
        classes = logits.shape[1]
        numbers = labels.astype(np.int64)
        outside = np.flatnonzero((numbers < 0) | (numbers >= classes))
        if outside.size:
            raise OutsideLabel(int(labels[outside[0]]), classes, int(outside[0]))
        own = logits[np.arange(len(logits)), numbers][:, None]
        earlier = np.arange(classes)[None, :] < numbers[:, None]
        ahead = (logits > own) | ((logits == own) & earlier)
        right = (ahead.sum(axis=1) < k) & ~np.isnan(logits).any(axis=1)
        return right.astype(np.float32)

    return score


def class_outputs(outputs: Outputs) -> dict[str, Array]:
    """The outputs that hold a value a class for every sample, as [samples, classes]; further axes have size 1."""
    found = {}
    for name, array in outputs.items():
        is_flat = array.ndim > 2 and math.prod(array.shape[2:]) == 1
        flat = array.reshape(array.shape[:2]) if is_flat else array
        if flat.ndim == 2 and flat.dtype.name in FLOATING and flat.shape[1] > 1:
            found[name] = flat
    return found


def _logits(outputs: Outputs, output: str) -> npt.NDArray[np.float32]:
    found = class_outputs(outputs)
    if not found:
        raise InvalidData(
            "No output has the shape [samples, classes].",
            remedy="Use the metric sqnr or cosine, or a metric of your own.",
        )
    if output and output not in found:
        raise InvalidData(
            f"The output {output!r} does not have the shape [samples, classes].",
            remedy=f"Score one of {', '.join(found)[:200]}.",
        )
    return np.asarray(found[output or next(iter(found))], np.float32)
