"""A search in words: its line in a list, and its answer."""

from __future__ import annotations

from pages.ui import text
from pages.ui.theme import PRECISION_LABELS
from trt_core.domain.precision import CalibrationMethod
from trt_core.domain.triage import TriageRun
from trt_core.domain.validation import FLOOR_METRICS, Judgement, Verdict

_LOSS = {
    Verdict.NOT_WORSE: "is proven to stay within {}",
    Verdict.WORSE: "is proven to be more than {}",
    Verdict.TOO_FEW: "cannot be held against {} with these samples",
}


def search_title(run: TriageRun) -> str:
    """One line for a list of searches: what tells them apart."""
    recipe, how = run.plan.recipe, []
    if recipe.needs_data:
        method = recipe.method.value
        how = [f"{method} {recipe.percentile:g}" if recipe.method is CalibrationMethod.PERCENTILE else method]
    if recipe.attention:
        how.append("with attention")
    parts = (recipe.precision.value.upper(), *how, text.clean(run.metric, 40), text.clock(run.created_at), run.id)
    return " · ".join(parts)


def triage_sentence(run: TriageRun) -> str:
    """The answer of a search in a sentence; cards and findings hold the figures."""
    after = run.after
    return (
        f"Keeping {text.counted(len(after.kept), 'node')} of {len(run.plan.entries)} leaves "
        f"{text.percent(after.low_share_of_all)} of all MACs in {PRECISION_LABELS[run.plan.recipe.precision]}; "
        f"{_outcome(run.metric, after.judgement)}."
    )


def _outcome(metric: str, judgement: Judgement) -> str:
    if metric in FLOOR_METRICS:
        where = "at or above" if judgement.verdict is Verdict.NOT_WORSE else "below"
        return f"{text.plain(metric)} is {where} the floor of {text.figure(judgement.tolerance)}"
    said = f"the loss {_LOSS[judgement.verdict].format(text.percent(judgement.tolerance))}"
    groups = judgement.by_groups
    if groups is None or groups.verdict is judgement.verdict:
        return said
    return f"{said}, by samples: by their {groups.groups:,} originals it is {groups.verdict.value}"
