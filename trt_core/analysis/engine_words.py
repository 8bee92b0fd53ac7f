"""What a look into an engine says, in sentences that page and command line share."""

from __future__ import annotations

from collections.abc import Callable

from trt_core.analysis.four_way import in_words
from trt_core.domain.engine_divergence import Bisection, CutOutcome, CutStep, EngineDivergence

Name = Callable[[str], str]  # makes a foreign name harmless where the sentence will stand


def answer(run: EngineDivergence, *, name: Name = str) -> str:
    """One or two sentences: how right the outputs are, and what may be said about the inside."""
    found = run.worst_output
    title = run.precision.upper()
    if found is None:
        return f"The {title} engine has no floating output to compare."
    word = "is intact" if run.is_intact else "is wrong"
    said = f"The {title} engine {word}: its worst output {name(found[0])} is {in_words(found[1])}."
    return f"{said} {_inside(run, name)}".strip()


def _inside(run: EngineDivergence, name: Name) -> str:
    if run.bisection is not None:
        return bisected(run.bisection, name=name)
    if run.is_intact and run.believed:
        return _all_right(run)
    if run.origin:
        return f"The loss begins at {name(run.origin[0])}."
    if run.groups and not run.believed:
        return refusal(run, name=name)
    if run.believed:
        return f"No loss begins at any of the {len(run.believed)} inner tensors that may be believed."
    return ""


def _all_right(run: EngineDivergence) -> str:
    believed = set(run.believed)
    errors = [layer.accumulated[0][1] for layer in run.layers if layer.tensor in believed]
    lowest = min(errors, key=lambda error: error.sqnr_db)
    return f"All {len(errors)} inner tensors that may be believed are {in_words(lowest)} or better."


def refusal(run: EngineDivergence, *, name: Name = str) -> str:
    """Why nothing is concluded about inner tensors of groups that changed the engine; empty where all conclude."""
    failed = [name(group.failed) for group in run.groups if group.failed]
    reasons = [reason for group in run.groups if group.check is not None for reason in group.check.reasons]
    first = next(iter((*reasons, *failed)), "")
    if not first:
        return ""
    silent = sum(not group.concludes for group in run.groups)
    which = "" if len(run.groups) == 1 else f" of {silent} of {len(run.groups)} marked engines"
    return f"Nothing can be concluded about inner tensors{which}. {first}"


def bisected(found: Bisection, *, name: Name = str) -> str:
    """Where the cuts leave the fault."""
    if not found.cuts:
        return found.stopped
    count = len(found.between)
    here = f"The fault lies in {count} node{'' if count == 1 else 's'}"
    if found.clean and found.faulty:
        said = f"{here} behind {name(found.clean)} and up to {name(found.faulty)}."
    elif found.clean:
        said = f"{here} behind {name(found.clean)}."
    elif found.faulty:
        said = f"{here} up to {name(found.faulty)}."
    else:
        said = "No cut parted right from wrong."
    if found.gone:
        cured = ", ".join(map(name, found.gone[:3]))
        said = f"{said} Built with outputs at {cured} it was not there: it hangs on what is fused across them."
    return " ".join(part for part in (said, _segment(found, name), found.stopped) if part)


def _segment(found: Bisection, name: Name) -> str:
    if found.segment is not None and found.segment.reason:
        return "No engine could be built with outputs at all tensors in between."
    if found.segment is None or not found.segment.errors:
        return ""
    count = len(found.segment.errors)
    built = f"Built with outputs at all {count} tensors in between" if count > 1 else "Built with it as an output"
    if found.first_wrong:
        return f"{built}, {name(found.first_wrong)} is the first that is wrong."
    return f"{built}, the fault was not there."


_OUTCOMES = {
    CutOutcome.BEFORE: "the fault was there, at the cut already",
    CutOutcome.AFTER: "the fault was there, behind the cut",
    CutOutcome.GONE: "the fault was not there",
    CutOutcome.NO_BUILD: "no engine could be built",
}


def step_words(step: CutStep, *, name: Name = str) -> str:
    """One build of a bisection with its evidence."""
    said = f"Built with an output at {name(step.tensor)}: {_OUTCOMES[step.outcome]}"
    if step.cut_error is None or step.output_error is None:
        return f"{said}. {step.reason}".strip()
    layers = " and ".join(f"{count} in {precision}" for precision, count in step.precisions)
    ran = f"; layers {layers}" if layers else ""
    return f"{said} (cut {in_words(step.cut_error)}, output {in_words(step.output_error)}{ran})."
