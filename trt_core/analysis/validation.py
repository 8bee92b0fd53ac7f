"""Metrics of a candidate against its baseline, sample after sample."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from trt_core.analysis.error_sums import ErrorSums
from trt_core.analysis.top_k import Metric, Outputs, OutsideLabel, class_outputs
from trt_core.domain.jobs import Progress
from trt_core.domain.tensors import FLOATING
from trt_core.domain.validation import GroupCounts, Measured, PairCounts, ScoreSums
from trt_core.errors import InvalidData
from trt_core.protocols import Array, Feeds, Reporter, SampleBatches, Session

_RECORDED_BYTES = 64 << 20


class LabelScores:
    """One score a sample, in the data's order, of outputs that come batch by batch."""

    def __init__(self, labels: Array, metric: Metric) -> None:
        self._labels, self._metric = labels, metric
        self.samples = len(labels)
        self._found: list[npt.NDArray[np.float32]] = []
        self.done = 0
        self.heads: tuple[str, ...] = ()  # the outputs that hold a value a class, as the first batch has them

    def add(self, feeds: Feeds, outputs: Outputs) -> None:
        """Score a batch; InvalidData where labels and samples differ in number."""
        self.heads = self.heads or tuple(class_outputs(outputs))
        size = _size(feeds)
        if self.done + size > len(self._labels):
            raise InvalidData(
                f"There are {len(self._labels)} labels and more samples than that.", remedy="Give one label a sample."
            )
        labels = self._labels[self.done : self.done + size]
        try:
            scores = np.asarray(self._metric(outputs, labels), np.float32).reshape(-1)
        except OutsideLabel as error:
            raise error.after(self.done) from None
        if scores.size != size:
            raise InvalidData(f"The metric gave {scores.size} scores for {size} samples.", remedy="Give one a sample.")
        self._found.append(scores)
        self.done += size

    def result(self) -> npt.NDArray[np.float32]:
        """All scores; InvalidData where there was no sample."""
        if not self.done:
            raise InvalidData("The validation data hold no sample.", remedy="Give at least one sample.")
        return np.concatenate(self._found)


def sample_scores(
    session: Session, batches: SampleBatches, scores: LabelScores, reporter: Reporter, *, phase: str
) -> npt.NDArray[np.float32]:
    """One score a sample, in the data's order; InvalidData where labels and samples differ in number."""
    for feeds, outputs in _runs(session, batches, reporter):
        scores.add(feeds, outputs)
        fraction = min(1.0, scores.done / scores.samples)
        reporter.progress(Progress(phase=phase, fraction=fraction, step=scores.done, steps=scores.samples))
    return scores.result()


def compared(
    metric: str,
    baseline: npt.NDArray[np.float32],
    candidate: npt.NDArray[np.float32],
    groups: npt.NDArray[np.generic] | None = None,
    *,
    by_groups: bool = True,
) -> Measured:
    """Baseline and candidate scores of the same samples: counts where every score is 0 or 1, sums otherwise.

    A score of the candidate that is not finite counts as boundlessly bad. Raises InvalidData where the model itself has
    such a score, or scores of which no relative drop can be told.

    `groups` holds one key a sample; samples of one key are not independent of each other. `by_groups` says whether the
    verdict shall count groups; sums always do where there are any.
    """
    first, second = baseline.astype(np.float64), candidate.astype(np.float64)
    if not np.isfinite(first).all():
        sample = int(np.argmin(np.isfinite(first)))
        raise InvalidData(
            f"The metric {metric} gave the model itself {first[sample]} on sample {sample}.",
            remedy="Give a finite number for every sample.",
        )
    second = np.where(np.isfinite(second), second, -np.inf)
    value, mean = float(second.mean()), float(first.mean())
    if np.isin(first, (0.0, 1.0)).all() and np.isin(second, (0.0, 1.0)).all():
        grouped = None if groups is None else _grouped(first, second, groups)
        number = grouped.groups if grouped else None
        return Measured(
            metric=metric,
            counts=_counts(first, second),
            value=value,
            baseline=mean,
            grouped=grouped,
            groups=number,
            by_groups=by_groups,
        )
    return _summed(metric, first, second, groups, value=value, mean=mean)


def _counts(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> PairCounts:
    return PairCounts(
        samples=first.size,
        both=int((first * second).sum()),
        lost=int((first * (1 - second)).sum()),
        gained=int(((1 - first) * second).sum()),
    )


def _summed(
    metric: str,
    first: npt.NDArray[np.float64],
    second: npt.NDArray[np.float64],
    groups: npt.NDArray[np.generic] | None,
    *,
    value: float,
    mean: float,
) -> Measured:
    """Scores that are not just right or wrong: sums over samples, or over group means where there are groups."""
    if mean <= 0.0:
        raise InvalidData(
            f"The metric {metric} gives the model itself {mean:.4g} on average, of which no relative drop can be told.",
            remedy="Let score return numbers above zero, larger where better, such as 1 / (1 + error).",
        )
    if groups is not None:
        first, second = _group_means(first, groups), _group_means(second, groups)
    sums = ScoreSums(
        samples=first.size,
        baseline=float(first.sum()),
        candidate=float(second.sum()),
        baseline_squares=float((first * first).sum()),
        candidate_squares=float((second * second).sum()),
        products=float((first * second).sum()) if math.isfinite(value) else -math.inf,
    )
    number = None if groups is None else sums.samples
    return Measured(metric=metric, sums=sums, value=value, baseline=mean, groups=number)


def _grouped(
    first: npt.NDArray[np.float64], second: npt.NDArray[np.float64], groups: npt.NDArray[np.generic]
) -> GroupCounts:
    lost = _group_means(first * (1 - second), groups)
    return GroupCounts(
        groups=lost.size,
        both=float(_group_means(first * second, groups).sum()),
        lost=float(lost.sum()),
        gained=float(_group_means((1 - first) * second, groups).sum()),
    )


def _group_means(values: npt.NDArray[np.float64], groups: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    _, places, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return np.bincount(places, weights=values) / sizes


def recorded(session: Session, batches: SampleBatches, reporter: Reporter) -> list[Outputs] | None:
    """The floating outputs of every batch, to compare many candidates with; None where they exceed 64 MiB."""
    kept: list[Outputs] = []
    size = 0
    for _, outputs in _runs(session, batches, reporter):
        floating = {name: array.copy() for name, array in outputs.items() if array.dtype.name in FLOATING}
        size += sum(array.nbytes for array in floating.values())
        if size > _RECORDED_BYTES:
            return None
        kept.append(floating)
    return kept


class OutputErrors:
    """The error of outputs that come batch by batch; `baseline` is what `recorded` gave, or a session beside it.

    `output` is the only one that is held against it, "" for all.
    """

    def __init__(self, metric: str, baseline: Session | list[Outputs], output: str = "") -> None:
        self._metric, self._baseline, self._output = metric, baseline, output
        self._sums: dict[str, ErrorSums] = {}
        self._batches = 0
        self.done = 0

    def add(self, feeds: Feeds, outputs: Outputs) -> None:
        """Hold the outputs of one batch against the baseline's; memory holds that batch."""
        known = self._baseline
        exact = known[self._batches] if isinstance(known, list) else _outputs(known, feeds)
        for name, array in exact.items():
            if array.dtype.name in FLOATING and self._output in ("", name):
                self._sums.setdefault(name, ErrorSums()).add(array, outputs[name])
        self._batches += 1
        self.done += _size(feeds)

    def result(self) -> Measured:
        """SQNR in dB or cosine over all samples, of the output that has the worst; 0 for a cosine that there is not."""
        if not self._sums:
            raise InvalidData(
                "There is no sample, or no floating output to compare.", remedy="Give samples and labels."
            )
        results = [item.result() for item in self._sums.values()]
        cosines = (0.0 if math.isnan(item.cosine) else item.cosine for item in results)
        worst = min((item.sqnr_db for item in results) if self._metric == "sqnr" else cosines)
        return Measured(metric=self._metric, value=worst)


def output_error(
    errors: OutputErrors,
    candidate: Session,
    batches: SampleBatches,
    reporter: Reporter,
    *,
    steps: int,
) -> Measured:
    """SQNR in dB or cosine over all samples, of the output that has the worst."""
    for feeds, found in _runs(candidate, batches, reporter):
        errors.add(feeds, found)
        fraction = min(1.0, errors.done / steps)
        reporter.progress(Progress(phase="Comparing outputs", fraction=fraction, step=errors.done, steps=steps))
    return errors.result()


def run_tails(
    trunk: Session,
    outputs: Sequence[str],
    tails: Sequence[tuple[Session, LabelScores | OutputErrors]],
    batches: SampleBatches,
    reporter: Reporter,
) -> None:
    """Run every batch through the trunk once, and from what it computed through every tail.

    `outputs` are the model's, in its order: those that a tail does not compute are the trunk's. Memory holds the
    trunk's tensors of one batch.
    """
    wanted = {spec.name for tail, _ in tails for spec in tail.inputs} - {spec.name for spec in trunk.inputs}
    names = list(dict.fromkeys((*outputs, *sorted(wanted))))
    for feeds in batches():
        values = {**feeds, **dict(zip(names, trunk.run(feeds, names), strict=True))}
        for tail, collector in tails:
            reporter.check()
            found = dict(
                zip(tail.outputs, tail.run({spec.name: values[spec.name] for spec in tail.inputs}), strict=True)
            )
            collector.add(feeds, {name: found.get(name, values[name]) for name in outputs})


def _outputs(session: Session, feeds: Feeds) -> Outputs:
    return dict(zip(session.outputs, session.run(feeds), strict=True))


def _runs(session: Session, batches: SampleBatches, reporter: Reporter) -> Iterator[tuple[Feeds, Outputs]]:
    for feeds in batches():
        reporter.check()
        yield feeds, _outputs(session, feeds)


def _size(feeds: Feeds) -> int:
    return max((int(array.shape[0]) for array in feeds.values() if array.ndim), default=1)
