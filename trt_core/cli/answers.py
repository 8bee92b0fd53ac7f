"""What every command shares: its answer, its progress, the wait for a job."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

from trt_core.cli.present import Plain
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.jobs import Job, JobState
from trt_core.errors import JobError, TrtCoreError
from trt_core.workbench import Workbench

_LONGEST = 80  # characters of a node's name
_SPACES = "\n\t\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a command says: as JSON, as lines, and as an exit code."""

    plain: Plain
    lines: list[str] = field(default_factory=list)
    exit_code: int = 0


class Console:
    """Progress on standard error, one line a phase."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._said = ""

    def look(self, job: Job) -> None:
        """Say what has changed since the last look."""
        text = job.progress.phase
        if job.state is JobState.QUEUED and job.waits_for:
            text = f"waiting for {job.waits_for}"
        if text and text != self._said:
            self._said = text
            self.say(text)

    def say(self, text: str) -> None:
        """One line on standard error, unless it is to be quiet."""
        if not self._quiet:
            print(printable(text), file=sys.stderr, flush=True)


def finished(bench: Workbench, job: Job, console: Console) -> Job:
    """Wait for a job; Ctrl-C ends it, a second one leaves at once; an error out of its process names the log."""
    try:
        return bench.jobs.wait(job.id, on_look=console.look)
    except KeyboardInterrupt:
        bench.jobs.stop(job.id)
        raise
    except TrtCoreError as error:
        if error.exit_code == JobError.exit_code:
            error.remedy = f"{error.remedy} Log: {bench.jobs.log_path(job.id)}.".strip()
        raise


def printable(text: str) -> str:
    """Text for a terminal: names come out of models and files, and nothing in them may steer it."""
    return "".join(sign if sign.isprintable() or sign in _SPACES else "?" for sign in text)


def finding_lines(findings: tuple[Finding, ...], *, with_evidence: bool = False) -> list[str]:
    """One line a finding, with the first of its nodes."""
    marks = {Severity.BLOCKER: "blocker", Severity.WARNING: "warning", Severity.NOTE: "note"}
    return [
        f"{marks[item.severity]}: {item.message} {item.remedy}".rstrip()
        + _place(item)
        + (f" {item.evidence}".rstrip() if with_evidence else "")
        for item in findings
    ]


def _place(finding: Finding) -> str:
    if not finding.nodes:
        return ""
    more = f" and {len(finding.nodes) - 1} more" if len(finding.nodes) > 1 else ""
    return f" At {printable(finding.nodes[0][:_LONGEST])}{more}."
