"""Plans of one subject tried on the validation samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from trt_core.analysis.judge import judge
from trt_core.analysis.sensitivity import estimated_gains
from trt_core.domain.jobs import Progress
from trt_core.domain.triage import Evaluation, Unit, UnitSensitivity
from trt_core.protocols import Reporter
from trt_core.services.parts import PartReporter
from trt_core.services.scoring import Scoring
from trt_core.services.subject import Subject

if TYPE_CHECKING:
    from trt_core.precision.tails import Trunk

_TOGETHER = 8  # tails that are loaded at once: each session has working memory of its own


class Trial:
    """Evaluations of one subject; files go to `folder`, which the caller removes, beside the file of the trunk."""

    def __init__(
        self,
        subject: Subject,
        scoring: Scoring,
        folder: Path,
        reporter: Reporter,
        *,
        trunk: tuple[Path, Trunk],
        tolerance: float,
        most: int,
    ) -> None:
        self._subject, self._scoring, self._trunk = subject, scoring, trunk
        self._folder, self._reporter = folder, reporter
        self._tolerance, self._most = tolerance, most
        self._count = 0

    def evaluate(self, kept: Sequence[Unit], step: str) -> Evaluation:
        """Run the twin of a plan over the validation samples."""
        from trt_core.onnx_graph.save import write_model

        began = perf_counter()
        self._count += 1
        path = self._folder / "plan.onnx" if kept else self._trunk[0]
        if kept:
            write_model(self._subject.twin(self._subject.keeping(kept)), path)
        phase = f"Evaluation {self._count} of at most {self._most}: {step}"
        at = Progress(fraction=(self._count - 1) / self._most)
        part = PartReporter(self._reporter, at, share=1 / self._most)
        measured = self._scoring.measure(path, part, phase=phase)
        lowered = sum(unit.macs for unit in self._subject.units) - sum(unit.macs for unit in kept)
        return Evaluation(
            kept=tuple(unit.node for unit in kept),
            step=step,
            measured=measured,
            judgement=judge(measured, self._tolerance),
            low_share=lowered / max(1, sum(unit.macs for unit in self._subject.units)),
            low_share_of_all=lowered / max(1, self._subject.graph.macs),
            seconds=perf_counter() - began,
        )

    def leave_one_out(
        self, ranked: Sequence[UnitSensitivity], plain: Evaluation, first: int
    ) -> tuple[UnitSensitivity, ...]:
        """Measure what the metric gains when one of the first-ranked units alone goes back; estimate the rest.

        A plan that keeps one unit computes what the plain twin computes up to there: that part runs once for several
        plans, and each adds what follows. The figures are those of whole runs.
        """
        units = [item.unit for item in ranked[:first]]
        if not units:
            return tuple(ranked)
        path, trunk = self._trunk
        measured: dict[str, float] = {}
        for start in range(0, len(units), _TOGETHER):
            self._reporter.check()
            self._reporter.progress(
                Progress(phase="Leave-one-out", fraction=start / len(units), step=start, steps=len(units))
            )
            measured |= self._gains(path, trunk, units[start : start + _TOGETHER], plain)
        return estimated_gains(ranked, measured)

    def _gains(self, base: Path, trunk: Trunk, units: Sequence[Unit], plain: Evaluation) -> dict[str, float]:
        from trt_core.onnx_graph.save import write_model
        from trt_core.precision.tails import make_tail

        gains = {unit.node: 0.0 for unit in units}  # of a unit whose keeping changes nothing
        files: dict[str, tuple[Path, tuple[str, ...]]] = {}
        for number, unit in enumerate(units):
            tail = make_tail(trunk, self._subject.twin_draft(self._subject.keeping((unit,))), frozenset(unit.indices))
            if tail.outputs:
                path = self._folder / f"tail_{number}.onnx"
                write_model(tail.model, path)
                files[unit.node] = path, tail.inputs
        found = self._scoring.measure_tails(base, list(files.values()), self._reporter)
        return gains | {node: one.value - plain.metric for node, one in zip(files, found, strict=True)}
