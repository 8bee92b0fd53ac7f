"""Inner tensors read from marked engines, group by group, each with its observer check."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from trt_core.analysis.observer_check import observer_check
from trt_core.analysis.session_errors import Errors
from trt_core.analysis.tensor_groups import plan_groups
from trt_core.domain.engine_divergence import ObservedGroup, TensorGroup
from trt_core.domain.jobs import Progress
from trt_core.errors import BackendError
from trt_core.services.engine_look import Look


@dataclass(kw_only=True)
class Reading:
    """What was read from all groups: errors by tensor, believed tensors, and what was left out with the reason."""

    groups: list[ObservedGroup] = field(default_factory=list)
    errors: dict[str, Errors] = field(default_factory=dict)
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def tensors(self) -> Errors:
        """Errors of every tensor that was read."""
        return {name: error for found in self.errors.values() for name, error in found.items()}

    @property
    def believed(self) -> tuple[str, ...]:
        """Tensors of groups whose observer check concludes."""
        return tuple(name for group in self.groups if group.concludes for name in group.tensors)


def read_groups(look: Look, tensors: Sequence[str]) -> Reading:
    """Build one marked engine a group and read it; at most as many as the look may still build."""
    plan = plan_groups(tensors, look.sizes(), look.spec.budget_mb << 20, most=look.builds_left)
    reading = Reading(left_out=plan.left_out)
    for number, group in enumerate(plan.groups, start=1):
        look.reporter.progress(
            Progress(
                phase=f"Reading {len(group.tensors)} inner tensors",
                fraction=(number - 1) / len(plan.groups),
                step=number,
                steps=len(plan.groups),
            )
        )
        observed, errors = _read(look, group)
        reading.groups.append(observed)
        reading.errors[str(number)] = errors
    return reading


def _read(look: Look, group: TensorGroup) -> tuple[ObservedGroup, Errors]:
    began = time.perf_counter()
    try:
        marked = look.marked(group.tensors)
        built_s = time.perf_counter() - began
        with look.session(marked) as session:
            errors = look.errors(session, marked.tensors)
            plain_ms, marked_ms = look.times_ms(session)
    except BackendError as error:
        failed = ObservedGroup(
            tensors=(),
            size_bytes=group.size_bytes,
            seconds=time.perf_counter() - began,
            marking=look.marking,
            refused=tuple((name, "its engine could not be built or run") for name in group.tensors),
            failed=error.message,
        )
        return failed, {}
    output, plain_error = look.worst_output
    check = observer_check(
        look.record,
        marked.output.record,
        plain_output=plain_error,
        marked_output=errors[output],
        plain_ms=plain_ms,
        marked_ms=marked_ms,
    )
    inner = {name: errors[name] for name in marked.tensors if name in errors}
    observed = ObservedGroup(
        tensors=tuple(inner),
        size_bytes=group.size_bytes,
        seconds=built_s,
        marking=look.marking,
        refused=marked.refused,
        check=check,
    )
    return observed, inner
