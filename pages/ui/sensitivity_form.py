"""The form of a sensitivity run: which precisions, on which samples, how many layers alone, which builds."""

from __future__ import annotations

import streamlit as st

from pages.ui import text
from pages.ui.jobs import asked_already
from pages.ui.pickers import target_title
from pages.ui.state import select
from pages.ui.submit import submit_button
from pages.ui.theme import PRECISION_LABELS
from pages.ui.triage_form import judged, three_sets
from trt_core.domain.artifacts import ModelRecord
from trt_core.domain.engine import Sm
from trt_core.domain.jobs import JobKind
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.requests import SensitivitySpec
from trt_core.domain.validation import FLOOR_METRICS
from trt_core.errors import TrtCoreError
from trt_core.workbench import Workbench

_AGAINST = (Precision.FP16, Precision.INT8, Precision.BF16, Precision.FP8, Precision.INT4)
_KEY = "sensitivity"


def sensitivity_form(bench: Workbench, model: ModelRecord) -> None:
    """Draw the form and its button; submitting puts the job into the address."""
    names = st.pills(
        "Precisions",
        [item.value for item in _AGAINST],
        selection_mode="multi",
        default=[Precision.FP16.value, Precision.INT8.value],
        key=f"{_KEY}.against",
        format_func=lambda item: PRECISION_LABELS[Precision(item)],
    )
    sets = bench.library.data_sets(model.id)
    calibration, validation, labels = three_sets(bench, model, sets, key=_KEY)
    against = tuple(item for item in _AGAINST if item.value in names)
    how = judged(bench, model, against, key=_KEY)
    samples, alone, target, builds = _how_many(bench)
    reason, spec = "", None
    try:
        spec = SensitivitySpec(
            model_id=model.id,
            against=against,
            validation_id=validation,
            data_id=calibration if any(Recipe(precision=item).needs_data for item in against) else "",
            labels_id="" if how.metric in FLOOR_METRICS else labels,
            metric=how.metric,
            tolerance=how.tolerance,
            rest=how.rest,
            method=how.method,
            percentile=how.percentile,
            attention=how.attention,
            by_groups=how.by_groups,
            output=how.output,
            ranking_samples=samples,
            leave_one_out=alone,
            with_builds=builds,
            target=target,
        )
        bench.sensitivity.check(spec)
    except TrtCoreError as error:
        reason = text.plain(f"{error.message} {error.remedy}".strip())
    _submit(bench, spec, reason if sets else "Upload validation samples first.")


def _how_many(bench: Workbench) -> tuple[int, int, Sm | None, bool]:
    """Samples, layers alone, the target of the builds, and whether to build."""
    known = bench.machine.capabilities()
    targets = list(next((item.targets for item in known if item.backend == "rtx"), ()))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        samples = st.number_input("Samples for the layers", 1, 100_000, 16, key=f"{_KEY}.samples")
        alone = st.number_input(
            "Layers to measure alone",
            0,
            1_000,
            10,
            key=f"{_KEY}.alone",
            help="Of each precision the first-ranked: what the metric gains when one goes back. Others are estimated.",
        )
        number = st.selectbox(
            "Target of the builds",
            [item.number for item in targets],
            index=next((place for place, item in enumerate(targets) if item.number == 89), 0) if targets else None,
            key=f"{_KEY}.target",
            format_func=lambda number: target_title(next(item for item in targets if item.number == number)),
            disabled=not targets,
        )
        builds = st.toggle(
            "Build each precision",
            key=f"{_KEY}.builds",
            help="What each compiler here really makes of it: the precisions of its engine layers, or its refusal.",
        )
    return int(samples), int(alone), next((item for item in targets if item.number == number), None), builds


def _submit(bench: Workbench, spec: SensitivitySpec | None, reason: str) -> None:
    if spec is not None and not reason:
        reason = asked_already(bench, JobKind.SENSITIVITY, spec)
    pressed = submit_button("Measure side by side", key=f"{_KEY}.submit", icon=":material/view_column:", reason=reason)
    if pressed and spec is not None:
        select({"job": bench.sensitivity.submit(spec).id})
        st.rerun()
