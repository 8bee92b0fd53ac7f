"""Sweeps: batch, streams and shapes against a latency limit; what a load costs."""

from __future__ import annotations

from functools import partial

import streamlit as st

from pages.ui import text
from pages.ui.expanders import show_expander
from pages.ui.frame import frame
from pages.ui.jobs import job_panel, show_result
from pages.ui.pickers import check_run
from pages.ui.report import report_button
from pages.ui.report_sweep import sweep_report
from pages.ui.sample_offer import model_or_sample
from pages.ui.state import select, selected
from pages.ui.sweep_form import sweep_form
from pages.ui.sweep_view import show_sweep

_PROMISE = "Here one file is measured over batches and streams, and the sweet spot under a latency limit is marked."


with frame("Sweeps", page="sweeps") as bench:
    model = model_or_sample(bench, page="sweeps", promise=_PROMISE)
    if model is not None:
        heads = {head.id: head for head in bench.sweeps.heads(model.id)}
        form = partial(sweep_form, bench, model)
        show_expander("New sweep", form, key="sweeps.new", icon=":material/grid_on:", expanded=not heads)
        job_panel(bench, selected("job"), on_success=show_result)
        if not heads:
            st.info(f"{_PROMISE} There is no sweep of this model yet: press Sweep.")
        else:
            chosen = selected("sweep") or next(iter(heads))
            st.session_state["sweeps.sweep"] = chosen if chosen in heads else None
            st.selectbox(
                "Sweep",
                list(heads),
                key="sweeps.sweep",
                index=0 if chosen in heads else None,
                placeholder="Choose",
                format_func=lambda item: (
                    f"{text.counted(len(heads[item].spec.settings), 'point')} · {text.clock(heads[item].created_at)} · "
                    f"{item}"
                ),
                on_change=lambda: select({"sweep": st.session_state["sweeps.sweep"] or ""}),
            )
            check_run(chosen, heads)
            others = [head for head in bench.sweeps.heads() if head.id != chosen]
            sweep = bench.sweeps.sweep(chosen)
            limit = show_sweep(bench, sweep, others)
            if limit is not None:
                report_button(partial(sweep_report, bench, sweep, limit), page="sweeps", name=chosen)
