"""A saved plan brought back: held against the plan on screen, and carried to this model by node names."""

from __future__ import annotations

import streamlit as st

from pages.ui import text
from pages.ui.tables import Row, show_table
from trt_core.domain.artifacts import ModelRecord
from trt_core.domain.plans import Plan, diff_plans, plan_from_text, plan_text
from trt_core.domain.precision import Precision
from trt_core.domain.triage import TriageRun
from trt_core.errors import TrtCoreError
from trt_core.workbench import Workbench


def plan_upload(bench: Workbench, model: ModelRecord, run: TriageRun | None) -> None:
    """An upload, and what the plan in it means for this model; nothing is run."""
    with st.expander("Bring a saved plan", icon=":material/upload_file:"):
        file = st.file_uploader("A plan, as saved here or by triage --plan", type=["json"], key="triage.plan_file")
        if file is not None:
            show_uploaded(bench, model, run, file.getvalue())


def show_uploaded(bench: Workbench, model: ModelRecord, run: TriageRun | None, content: bytes) -> None:
    """Names without a partner, the plan as applied to this model, and its difference from the one on screen."""
    try:
        plan = plan_from_text(content)
        applied = bench.triage.apply(plan, model.id)
    except TrtCoreError as error:
        st.error(text.plain(f"{error.message} {error.remedy}".strip()))
        return
    matched = len(applied.plan.entries) - len(applied.not_planned)
    st.markdown(f"{matched} of {len(plan.entries)} nodes of the plan are in {text.plain(model.name)}.")
    if applied.unmatched:
        st.warning(f"Not in the model: {_listed(applied.unmatched)}.")
    if applied.not_planned:
        st.warning(f"Not in the plan, and lowered: {_listed(applied.not_planned)}.")
    if run is not None:
        rows = plan_changes(run.plan, applied.plan)
        st.markdown("**Against the plan on screen**" if rows else "It treats every node as the plan on screen does.")
        if rows:
            show_table(rows, key="triage.plan_diff", filename=f"{run.id}-plan-diff.csv", height=240)
    st.download_button(
        "Save it for this model",
        data=plan_text(applied.plan),
        file_name=f"{model.id}.plan.json",
        mime="application/json",
        key="triage.plan_applied",
        on_click="ignore",
        icon=":material/download:",
    )


def plan_changes(shown: Plan, brought: Plan) -> list[Row]:
    """One row for each node that the two plans treat differently."""
    return [
        {"Node": one.node, "On screen": _name(one.before), "Brought": _name(one.after)}
        for one in diff_plans(shown, brought)
    ]


def _name(precision: Precision | None) -> str:
    return "not there" if precision is None else precision.value.upper()


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(text.code(name, 70) for name in names[:8]) + more
