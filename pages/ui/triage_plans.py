"""A saved plan brought back: held against the plan on screen, and carried to this model by node names."""

from __future__ import annotations

from functools import partial

import streamlit as st

from pages.ui import text
from pages.ui.expanders import show_expander
from pages.ui.links import link_to
from pages.ui.pickers import data_title
from pages.ui.save import save_button
from pages.ui.state import select
from pages.ui.tables import Row, show_table
from trt_core.domain.artifacts import ModelRecord
from trt_core.domain.plans import Plan, diff_plans, diff_recipes, plan_from_text, plan_text
from trt_core.domain.precision import Precision
from trt_core.domain.triage import TriageRun
from trt_core.errors import TrtCoreError
from trt_core.workbench import Workbench


def plan_upload(bench: Workbench, model: ModelRecord, run: TriageRun | None) -> None:
    """An upload, and what the plan in it means for this model; nothing is run."""
    show_expander(
        "Bring a saved plan",
        partial(_upload, bench, model, run),
        key="triage.bring",
        icon=":material/upload_file:",
    )


def _upload(bench: Workbench, model: ModelRecord, run: TriageRun | None) -> None:
    left, right = st.columns(2)
    with left:
        file = st.file_uploader("A plan, as saved here or by triage --plan", type=["json"], key="triage.plan_file")
    with right:
        other = st.file_uploader("Hold it against another plan", type=["json"], key="triage.plan_other")
    if file is not None:
        try:
            against = plan_from_text(other.getvalue()) if other is not None else run.plan if run else None
        except TrtCoreError as error:
            st.error(text.plain(f"{error.message} {error.remedy}".strip()))
            return
        name = "the other plan" if other is not None else "the plan on screen"
        show_uploaded(bench, model, file.getvalue(), against=against, name=name)


def show_uploaded(
    bench: Workbench, model: ModelRecord, content: bytes, *, against: Plan | None, name: str = "the plan on screen"
) -> None:
    """Names without a partner, the plan as applied to this model, its difference from another, and its variant."""
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
    if against is not None:
        rows = plan_changes(against, applied.plan)
        st.markdown(f"**Against {name}**" if rows else f"It treats every node as {name} does.")
        if rows:
            show_table(rows, key="triage.plan_diff", filename=f"{model.id}-plan-diff.csv", height=240)
    save_button(
        "Save it for this model",
        lambda: plan_text(applied.plan),
        filename=f"{model.id}.plan.json",
        mime="application/json",
        key="triage.plan_applied",
    )
    _variant(bench, model, applied.plan)


def _variant(bench: Workbench, model: ModelRecord, plan: Plan) -> None:
    """The variant of an applied plan: made, or led to where the store has it."""
    data_id = ""
    if plan.recipe.needs_data:
        sets = {item.id: item for item in bench.library.data_sets(model.id)}
        if not sets:
            st.caption("Its variant needs calibration data: upload samples above.")
            return
        # The data that the plan was found with come first, where this workspace has them.
        order = sorted(
            sets,
            key=lambda item: (sets[item].sha256 != plan.recipe.data_sha256, "calib" not in sets[item].name.lower()),
        )
        data_id = st.selectbox(
            "Calibrate its variant with",
            order,
            key="triage.plan_data",
            format_func=lambda item: text.clean(data_title(sets[item]), 60),
        )
    wish = bench.triage.plan_wish(plan, model.id, data_id)
    found = bench.variants.find(wish)
    if found is not None:
        link_to("build", label="Build this variant", changes={"variant": found.id}, icon=":material/construction:")
    elif st.button("Make the variant of this plan", key="triage.plan_variant", icon=":material/tune:"):
        select({"job": bench.variants.submit(wish).id})
        st.rerun()


def plan_changes(shown: Plan, brought: Plan) -> list[Row]:
    """One row for each setting of the recipe, and each node, that the two plans have differently."""
    recipe: list[Row] = [
        {"Node": f"Recipe: {one.field}", "There": one.before, "Brought": one.after}
        for one in diff_recipes(shown, brought)
    ]
    return recipe + [
        {"Node": one.node, "There": _name(one.before), "Brought": _name(one.after)}
        for one in diff_plans(shown, brought)
    ]


def _name(precision: Precision | None) -> str:
    return "not there" if precision is None else precision.value.upper()


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(text.code(name, 70) for name in names[:8]) + more
