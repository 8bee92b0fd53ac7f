"""One baseline, any number of candidates, the same samples: what each candidate scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from trt_core.analysis.validation import Outputs, compared, output_error, recorded, sample_scores
from trt_core.domain.validation import FLOOR_METRICS, Measured
from trt_core.errors import InvalidData
from trt_core.protocols import Array, Reporter, Session
from trt_core.services.batching import sample_batches, whole_samples
from trt_core.services.context import Context
from trt_core.services.library import Library
from trt_core.services.metrics import check_metric, label_metric

GROUPS = "groups"  # the array of a label file that says which samples depend on each other
Scores = npt.NDArray[np.float32]


class Scoring:
    """Measures candidates against a model; the baseline is scored once, when it is first needed."""

    def __init__(
        self,
        context: Context,
        library: Library,
        *,
        model_id: str,
        data_id: str,
        labels_id: str,
        metric: str,
        samples: int | None,
    ) -> None:
        self._context, self._library = context, library
        check_metric(metric, context.settings)
        self.metric = metric
        self._path = library.model_path(model_id)
        count = library.data(data_id).samples
        self.samples = whole_samples(library.model(model_id), library.data(data_id), samples or None)
        self._batches = sample_batches(library, model_id, data_id, limit=self.samples)
        self._labels: Array = np.empty(0)
        self.groups: Array | None = None
        if metric not in FLOOR_METRICS:
            self._labels, self.groups = self._read_labels(labels_id, count)
        self._exact: Session | list[Outputs] | None = None
        self.baseline: Scores | None = None
        self.candidate: Scores | None = None  # of the last candidate

    def _read_labels(self, labels_id: str, samples: int) -> tuple[Array, Array | None]:
        """Labels, and the groups that samples belong to where the file tells them."""
        from trt_core.store.npz import batches

        arrays = [item.name for item in self._library.data(labels_id).arrays]
        if "labels" not in arrays:
            raise InvalidData(
                f"The label file has no array 'labels', only {', '.join(arrays)[:200]}.",
                remedy="Save it as numpy.savez(FILE, labels=array).",
            )
        parts = list(batches(self._library.data_path(labels_id), batch=1 << 16))
        found = np.concatenate([part["labels"] for part in parts])
        if len(found) != samples:
            raise InvalidData(
                f"There are {len(found):,} labels for {samples:,} samples.", remedy="Give one label a sample, in order."
            )
        if GROUPS not in arrays:
            return found[: self.samples], None
        groups = np.concatenate([part[GROUPS] for part in parts])
        if groups.ndim != 1 or groups.dtype.kind not in "iu":
            raise InvalidData(
                f"The groups are {groups.dtype} with {groups.ndim} axes.",
                remedy="Save whole numbers of shape [samples]: one number for all samples of one original.",
            )
        return found[: self.samples], groups[: self.samples]

    def measure(self, candidate: Path, reporter: Reporter, *, phase: str = "Validating") -> Measured:
        """The candidate's score; `baseline` and `candidate` then hold the scores of each sample where there are any."""
        runner = self._context.runner
        if self.metric in FLOOR_METRICS:
            if self._exact is None:
                session = runner.load(self._path, optimize=False)
                self._exact = recorded(session, self._batches, reporter) or session
            found = runner.load(candidate, optimize=False)
            return output_error(self.metric, self._exact, found, self._batches, reporter, steps=self.samples)
        metric = label_metric(self.metric, self._context.settings)
        if self.baseline is None:
            session = runner.load(self._path, optimize=False)
            self.baseline = sample_scores(
                session, self._batches, self._labels, metric, reporter, phase="Scoring the baseline"
            )
        session = runner.load(candidate, optimize=False)
        self.candidate = sample_scores(session, self._batches, self._labels, metric, reporter, phase=phase)
        return compared(self.metric, self.baseline, self.candidate, self.groups)
