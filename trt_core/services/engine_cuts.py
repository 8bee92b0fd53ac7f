"""Bisecting an opaque engine: built with an output at one cut after the other, is the fault still there?"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from trt_core.analysis.cuts import CutSearch, cuts_before, nodes_between
from trt_core.domain.divergence import TensorError
from trt_core.domain.engine_divergence import Bisection, CutOutcome, CutStep, SegmentRead
from trt_core.domain.graph import Graph
from trt_core.errors import BackendError, BuildFailed
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
        name = cuts[position][:80]
        look.say(f"Building with an output at {name}", step=len(steps) + 1, steps=max(about, len(steps) + 1) + 1)
        step = _step(look, cuts[position], position, output)
        look.reporter.log(f"{step.tensor}: {step.outcome.value} {step.reason}".rstrip())
        steps.append(step)
        search.learn(position, step.outcome)
    segment = _segment(look, search, output, tensors)
    wrong = [] if segment is None else [name for name, error in segment.errors if error.sqnr_db < look.spec.intact_db]
    is_there = segment is not None and segment.output_error is not None and _is_wrong(look, segment.output_error)
    return Bisection(
        cuts=cuts,
        steps=tuple(steps),
        clean=search.clean,
        faulty=search.faulty,
        between=_between(look, search, output),
        gone=tuple(step.tensor for step in steps if step.outcome is CutOutcome.GONE),
        stopped=_stopped(look, search),
        segment=segment,
        first_wrong=wrong[0] if wrong and is_there else "",
    )


def _is_wrong(look: Look, error: TensorError) -> bool:
    return error.sqnr_db < look.spec.intact_db


def _step(look: Look, tensor: str, position: int, output: str) -> CutStep:
    began = time.perf_counter()
    try:
        marked = look.marked([tensor])
        seconds = time.perf_counter() - began
        if tensor not in marked.tensors:
            raise BuildFailed(f"It cannot be marked: {dict(marked.refused).get(tensor, 'no reason given')}.")
        with look.session(marked) as session:
            errors = look.errors(session, marked.tensors)
    except BackendError as error:
        return CutStep(
            tensor=tensor,
            position=position,
            outcome=CutOutcome.NO_BUILD,
            seconds=time.perf_counter() - began,
            reason=error.message,
        )
    if not _is_wrong(look, errors[output]):
        outcome = CutOutcome.GONE
    else:
        outcome = CutOutcome.BEFORE if _is_wrong(look, errors[tensor]) else CutOutcome.AFTER
    return CutStep(
        tensor=tensor,
        position=position,
        outcome=outcome,
        seconds=seconds,
        cut_error=errors[tensor],
        output_error=errors[output],
        layers=len(marked.output.record.working_layers),
        precisions=tuple(marked.output.record.precisions.items()),
    )


def _segment(look: Look, search: CutSearch, output: str, tensors: Sequence[str]) -> SegmentRead | None:
    """Read everything between the two cuts at once; None where the search found no cut or used all its builds."""
    inside = set(_nodes(look.file_graph, search, output))
    wanted = [name for name in tensors if look.file_graph.producer_of[name] in inside]
    if not wanted or not look.builds_left or not (search.clean or search.faulty):
        return None
    look.say(
        f"Building with outputs at {len(wanted)} tensors between the cuts", step=look.built + 1, steps=look.built + 1
    )
    began = time.perf_counter()
    try:
        marked = look.marked(wanted)
        with look.session(marked) as session:
            errors = look.errors(session, marked.tensors)
    except BackendError as error:
        return SegmentRead(seconds=time.perf_counter() - began, reason=error.message)
    return SegmentRead(
        seconds=time.perf_counter() - began,
        errors=tuple((name, errors[name]) for name in marked.tensors if name in errors),
        output_error=errors[output],
    )


def _nodes(graph: Graph, search: CutSearch, output: str) -> tuple[int, ...]:
    return nodes_between(graph, search.clean, search.faulty or output)


def _between(look: Look, search: CutSearch, output: str) -> tuple[str, ...]:
    return tuple(look.graph.nodes[index].name for index in _nodes(look.graph, search, output))


def _stopped(look: Look, search: CutSearch) -> str:
    if not search.cuts:
        return _NO_CUT
    if search.next_position() is not None:
        return f"{look.spec.max_builds} builds are allowed, and all were used."
    if any(search.low < at < search.high for at in search.silent):
        return "The cuts in between gave no answer: with them the fault went away, or no engine could be built."
    return ""
