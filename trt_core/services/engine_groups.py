"""Inner tensors read from marked engines, group by group, each with its observer check."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from trt_core.analysis.observer_check import observer_check, spoilers
from trt_core.analysis.tensor_groups import plan_groups
from trt_core.domain.divergence import TensorError
from trt_core.domain.engine_divergence import ObservedGroup
from trt_core.errors import BackendError
from trt_core.services.engine_look import Look


@dataclass(kw_only=True)
class Reading:
    """What was read from all groups, in the order of the builds, and what was left out with the reason.

    A tensor that was read twice has the error of the later engine.
    """

    groups: list[ObservedGroup] = field(default_factory=list)
    tensors: dict[str, TensorError] = field(default_factory=dict)
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def believed(self) -> tuple[str, ...]:
        """Tensors of groups whose observer check concludes."""
        return tuple(name for group in self.groups if group.concludes for name in group.tensors)


def read_groups(look: Look, tensors: Sequence[str]) -> Reading:
    """Build one marked engine a group and read it; at most as many as the look may still build.

    A group whose marks split fusions is read once more without the tensors that did.
    """
    plan = plan_groups(tensors, look.sizes(), look.spec.budget_mb << 20, most=look.builds_left)
    reading = Reading(left_out=plan.left_out)
    for number, group in enumerate(plan.groups, start=1):
        phase = f"Reading {len(group.tensors)} inner tensors"
        look.say(phase, step=number, steps=len(plan.groups))
        rest = _read(look, reading, group.tensors)
        if rest and look.builds_left > len(plan.groups) - number:
            look.say(f"{phase} without those that split fusions", step=number, steps=len(plan.groups))
            _read(look, reading, rest)
    return reading


def _read(look: Look, reading: Reading, tensors: Sequence[str]) -> tuple[str, ...]:
    """Read one engine; the tensors to try again without the others, where its fusions changed."""
    began = time.perf_counter()
    try:
        marked = look.marked(tensors)
        built_s = time.perf_counter() - began
        with look.session(marked) as session:
            errors = look.errors(session, marked.tensors)
            plain_ms, marked_ms = look.times_ms(session)
            marked_layers_ms = look.layer_times_ms(session)
    except BackendError as error:
        reading.groups.append(_failed(look, tensors, time.perf_counter() - began, error))
        return ()
    record, (output, plain_error) = marked.output.record, look.worst_output
    check = observer_check(
        look.record,
        record,
        plain_output=plain_error,
        marked_output=errors[output],
        plain_ms=plain_ms,
        marked_ms=marked_ms,
        plain_layers_ms=look.layer_times_ms(look.plain),
        marked_layers_ms=marked_layers_ms,
    )
    inner = {name: errors[name] for name in marked.tensors if name in errors}
    reading.groups.append(
        ObservedGroup(
            tensors=tuple(inner),
            size_bytes=sum(look.sizes().get(name) or 0 for name in inner),
            seconds=built_s,
            marking=look.marking,
            refused=marked.refused,
            check=check,
        )
    )
    reading.tensors.update(inner)
    if not check.fusions.changed:
        return ()
    spoiled = set(spoilers(look.record, record, tuple(inner), look.file_graph))
    return tuple(name for name in inner if name not in spoiled)


def _failed(look: Look, tensors: Sequence[str], seconds: float, error: BackendError) -> ObservedGroup:
    return ObservedGroup(
        tensors=(),
        size_bytes=0,
        seconds=seconds,
        marking=look.marking,
        refused=tuple((name, "its engine could not be built or run") for name in tensors),
        failed=error.message,
    )
