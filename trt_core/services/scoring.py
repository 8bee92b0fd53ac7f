"""One baseline, any number of candidates, the same samples: what each candidate scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trt_core.analysis.top_k import Outputs
from trt_core.analysis.validation import (
    LabelScores,
    OutputErrors,
    compared,
    output_error,
    recorded,
    run_tails,
    sample_scores,
)
from trt_core.domain.findings import Finding
from trt_core.domain.validation import FLOOR_METRICS, LABEL_METRICS, Measured
from trt_core.errors import InvalidData
from trt_core.protocols import Array, Reporter, Session
from trt_core.services.batching import sample_batches, whole_samples
from trt_core.services.context import Context
from trt_core.services.engine_batches import Sampled
from trt_core.services.library import Library
from trt_core.services.metrics import check_metric, check_output, label_metric
from trt_core.services.validation_words import output_scored

GROUPS = "groups"  # the array of a label file that says which samples depend on each other
Scores = npt.NDArray[np.float32]


class Scoring:
    """Measures candidates against a model; the baseline is scored once, when it is first needed.

    `sampled` are the samples in batches that engines take, in place of the model's; `baseline` is a session that stands
    for the model. `output` is the one to be scored; "" leaves it to the metric.
    """

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
        by_groups: bool = False,
        output: str = "",
        sampled: Sampled | None = None,
        baseline: Session | None = None,
    ) -> None:
        self._context, self._library = context, library
        check_metric(metric, context.settings)
        self.metric, self._by_groups, self._output = metric, by_groups, output
        self._path = library.model_path(model_id)
        graph = library.graph(model_id)
        self._inputs = tuple(spec.name for spec in graph.inputs)
        self._outputs = tuple(spec.name for spec in graph.outputs)
        check_output(output, metric, self._outputs)
        count = library.data(data_id).samples
        if sampled is None:
            self.samples = whole_samples(library.model(model_id), library.data(data_id), samples or None)
            self._batches = sample_batches(library, model_id, data_id, limit=self.samples)
        else:
            self.samples, self._batches = sampled.samples, sampled.batches
        self._stand_in = baseline
        self._labels: Array = np.empty(0)
        self.groups: Array | None = None
        if metric not in FLOOR_METRICS:
            self._labels, self.groups = self._read_labels(labels_id, count)
        self._exact: Session | list[Outputs] | None = None
        self.baseline: Scores | None = None
        self.candidate: Scores | None = None  # of the last candidate
        self._heads: tuple[str, ...] = ()

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

    def measure_tails(
        self, trunk: Path, tails: Sequence[tuple[Path, Sequence[str]]], reporter: Reporter
    ) -> list[Measured]:
        """The score of every tail of one trunk, given as files with the trunk's tensors that each reads.

        All go through each batch together, so that the trunk runs once for them.
        """
        runner = self._context.runner
        exact = self._baseline(reporter)
        sessions = [runner.load(path, optimize=False) for path, _ in tails]
        cuts = sorted({name for _, inputs in tails for name in inputs} - set(self._inputs))
        session = runner.load(trunk, extra_outputs=cuts, optimize=False)
        if isinstance(exact, np.ndarray):
            scores = [self._scores() for _ in tails]
            run_tails(session, self._outputs, list(zip(sessions, scores, strict=True)), self._batches, reporter)
            return [self._compared(exact, one.result()) for one in scores]
        errors = [self._errors(exact) for _ in tails]
        run_tails(session, self._outputs, list(zip(sessions, errors, strict=True)), self._batches, reporter)
        return [one.result() for one in errors]

    def measure(self, candidate: Path, reporter: Reporter, *, phase: str = "Validating") -> Measured:
        """The candidate's score; `baseline` and `candidate` then hold the scores of each sample where there are any."""
        return self.measure_session(self._context.runner.load(candidate, optimize=False), reporter, phase=phase)

    def measure_session(self, session: Session, reporter: Reporter, *, phase: str = "Validating") -> Measured:
        """The same of a candidate that is loaded already."""
        exact = self._baseline(reporter)
        if not isinstance(exact, np.ndarray):
            return output_error(self._errors(exact), session, self._batches, reporter, steps=self.samples)
        self.candidate = sample_scores(session, self._batches, self._scores(), reporter, phase=phase)
        return self._compared(exact, self.candidate)

    def _compared(self, exact: Scores, found: Scores) -> Measured:
        measured = compared(self.metric, exact, found, self.groups, by_groups=self._by_groups)
        if self.metric != "top1":
            return measured
        _, numbers = np.unique(self._labels, return_counts=True)
        return replace(measured, majority=float(numbers.max() / self._labels.size))

    def findings(self) -> tuple[Finding, ...]:
        """Which of several outputs was scored; known once a baseline was."""
        told = self._outputs if self.metric in FLOOR_METRICS else self._heads
        scored = self._output or (self._heads[0] if self.metric in LABEL_METRICS and self._heads else "")
        return (output_scored(self.metric, scored, told),) if scored and len(told) > 1 else ()

    def _baseline(self, reporter: Reporter) -> Scores | Session | list[Outputs]:
        """What candidates are held against: scores, recorded outputs, or a session where those would be too large."""
        if self.metric in FLOOR_METRICS:
            if self._exact is None:
                session = self._exact_session()
                self._exact = recorded(session, self._batches, reporter) or session
            return self._exact
        if self.baseline is None:
            session = self._exact_session()
            scores = self._scores()
            self.baseline = sample_scores(session, self._batches, scores, reporter, phase="Scoring the baseline")
            self._heads = scores.heads
        return self.baseline

    def _scores(self) -> LabelScores:
        return LabelScores(self._labels, label_metric(self.metric, self._context.settings, self._output))

    def _errors(self, exact: Session | list[Outputs]) -> OutputErrors:
        return OutputErrors(self.metric, exact, self._output)

    def _exact_session(self) -> Session:
        return self._stand_in or self._context.runner.load(self._path, optimize=False)
