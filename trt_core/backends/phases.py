"""Progress of a native build: the library's own phases, and a way to stop it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from trt_core.backends.names import lookup
from trt_core.domain.jobs import Progress
from trt_core.protocols import Reporter


@dataclass(kw_only=True)
class _Phase:
    name: str
    steps: int
    done: int = 0


class PhaseTree:
    """The phases that are open, outermost first, and the share of the whole that they amount to.

    A phase inside another one fills one step of it: the share is right where steps cost the same, and never goes back.
    """

    def __init__(self) -> None:
        self._open: list[_Phase] = []
        self._fraction = 0.0

    def start(self, name: str, steps: int) -> None:
        """Open a phase inside the ones that are open."""
        self._open.append(_Phase(name=name, steps=max(steps, 1)))

    def step(self, name: str, step: int) -> None:
        """Note that a step (from 0) of an open phase is complete."""
        for phase in reversed(self._open):
            if phase.name == name:
                phase.done = min(step + 1, phase.steps)
                return

    def finish(self, name: str) -> None:
        """Close a phase and all that was opened inside it."""
        names = [phase.name for phase in self._open]
        if name in names:
            last = len(names) - 1 - names[::-1].index(name)
            if last == 0:
                self._fraction = 1.0
            del self._open[last:]

    def progress(self) -> Progress:
        """Where the build is now; step and steps are those of the innermost phase."""
        share = 0.0
        for phase in reversed(self._open):
            share = min((phase.done + share) / phase.steps, 1.0)
        self._fraction = max(self._fraction, share)
        innermost = self._open[-1] if self._open else None
        return Progress(
            phase=" > ".join(phase.name for phase in self._open),
            fraction=self._fraction,
            step=innermost.done if innermost else None,
            steps=innermost.steps if innermost else None,
        )


def monitor_for(trt: Any, reporter: Reporter) -> Any:
    """A progress monitor that hands phases to `reporter`; its `stopped_by` keeps what made it stop the build.

    TensorRT 10 and later, and TensorRT-RTX; UnsupportedRequest for a library that has none.
    """
    return _monitor_class(trt)(reporter)


@cache
def _monitor_class(trt: Any) -> Any:
    base: Any = lookup(trt, "IProgressMonitor.phase_start") and trt.IProgressMonitor

    class Monitor(base):
        """The library swallows exceptions of a callback: they are kept, and the build is told to stop."""

        def __init__(self, reporter: Reporter) -> None:
            base.__init__(self)
            self.reporter = reporter
            self.tree = PhaseTree()
            self.stopped_by: Exception | None = None

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:  # noqa: ARG002
            self.tree.start(phase_name, num_steps)
            self._tell()

        def phase_finish(self, phase_name: str) -> None:
            self.tree.finish(phase_name)

        def step_complete(self, phase_name: str, step: int) -> bool:
            self.tree.step(phase_name, step)
            self._tell()
            return self.stopped_by is None

        def _tell(self) -> None:
            if self.stopped_by is not None:
                return
            try:
                self.reporter.check()
                self.reporter.progress(self.tree.progress())
            except Exception as error:  # noqa: BLE001 - raised again after the build, by whoever called it
                self.stopped_by = error

    return Monitor
