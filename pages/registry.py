"""Registry: every engine with its parents and figures; decide, let go, take along."""

from __future__ import annotations

from pages.ui.frame import frame, verdict
from pages.ui.jobs import job_panel, show_result
from pages.ui.registry_entry import show_entry
from pages.ui.registry_list import show_entries
from pages.ui.registry_moving import show_moving
from pages.ui.registry_retention import show_retention
from pages.ui.sample_offer import model_or_sample, offer_build
from pages.ui.state import selected
from trt_core.domain.registry import EngineState

_PROMISE = "Here every engine stands with its parents and figures, or a project comes in below."

with frame("Registry", page="registry") as bench:
    entries = bench.registry.entries()
    if entries:
        approved = sum(entry.decision.state is EngineState.APPROVED for entry in entries)
        engines = "engine" if len(entries) == 1 else "engines"
        verdict(f"{len(entries)} {engines}, {approved} approved.")
        chosen = show_entries(entries)
        if chosen is not None:
            show_entry(bench, chosen)
        show_retention(bench)
    else:
        model = model_or_sample(bench, page="registry", promise=_PROMISE)
        job_panel(bench, selected("job"), on_success=show_result)
        if model is not None:
            offer_build(bench, model, page="registry", promise=_PROMISE)
    show_moving(bench)
