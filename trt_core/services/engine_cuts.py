"""Bisecting an opaque engine: built with an output at one cut after the other, is the fault still there?"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from trt_core.analysis.cuts import CutSearch, cuts_before, nodes_between
from trt_core.domain.engine_divergence import Bisection, CutOutcome, CutStep
from trt_core.domain.jobs import Progress
from trt_core.errors import BackendError
from trt_core.services.engine_look import Look

_NO_CUT = "No single tensor parts the model in two: what comes before and after it cannot be told apart."


def bisect(look: Look, tensors: Sequence[str]) -> Bisection:
    """Narrow the fault of the worst output down to two neighbouring cuts among `tensors`, one build a step.

    A tensor below the look's `intact_db` is wrong. Between builds the job can be cancelled.
    """
    output, _ = look.worst_output
    cuts = cuts_before(look.file_graph, output, frozenset(tensors))
    search = CutSearch(cuts=cuts)
    steps: list[CutStep] = []
    while look.builds_left and (position := search.next_position()) is not None:
        about = math.ceil(math.log2(len(cuts) + 1))
        look.reporter.progress(
            Progress(
                phase=f"Building with an output at {cuts[position][:80]}",
                fraction=min(1.0, len(steps) / about),
                step=len(steps) + 1,
                steps=max(about, len(steps) + 1),
            )
        )
        step = _step(look, cuts[position], position, output)
        look.reporter.log(f"{step.tensor}: {step.outcome.value} {step.reason}".rstrip())
        steps.append(step)
        search.learn(position, step.outcome)
    return Bisection(
        cuts=cuts,
        steps=tuple(steps),
        clean=search.clean,
        faulty=search.faulty,
        between=_between(look, search, output),
        gone=tuple(step.tensor for step in steps if step.outcome is CutOutcome.GONE),
        stopped=_stopped(look, search),
    )


def _step(look: Look, tensor: str, position: int, output: str) -> CutStep:
    began = time.perf_counter()
    try:
        marked = look.marked([tensor])
    except BackendError as error:
        seconds = time.perf_counter() - began
        return CutStep(
            tensor=tensor, position=position, outcome=CutOutcome.NO_BUILD, seconds=seconds, reason=error.message
        )
    seconds = time.perf_counter() - began
    if tensor not in marked.tensors:
        reason = dict(marked.refused).get(tensor, "")
        return CutStep(tensor=tensor, position=position, outcome=CutOutcome.NO_BUILD, seconds=seconds, reason=reason)
    with look.session(marked) as session:
        errors = look.errors(session, marked.tensors)
    floor = look.spec.intact_db
    if errors[output].sqnr_db >= floor:
        outcome = CutOutcome.GONE
    else:
        outcome = CutOutcome.BEFORE if errors[tensor].sqnr_db < floor else CutOutcome.AFTER
    return CutStep(
        tensor=tensor,
        position=position,
        outcome=outcome,
        seconds=seconds,
        cut_error=errors[tensor],
        output_error=errors[output],
        layers=len(marked.output.record.working_layers),
    )


def _between(look: Look, search: CutSearch, output: str) -> tuple[str, ...]:
    found = nodes_between(look.graph, search.clean, search.faulty or output)
    return tuple(look.graph.nodes[index].name for index in found)


def _stopped(look: Look, search: CutSearch) -> str:
    if not search.cuts:
        return _NO_CUT
    if search.next_position() is not None:
        return f"{look.spec.max_builds} builds are allowed, and all were used."
    if any(search.low < at < search.high for at in search.silent):
        return "The cuts in between gave no answer: with them the fault went away, or no engine could be built."
    return ""
