"""Deploy: what an engine is bound to, where it loads, and the files that run it in production."""

from __future__ import annotations

from pages.ui.deploy_bundle import show_bundle
from pages.ui.deploy_passport import show_passport
from pages.ui.deploy_targets import show_foreign_engine, show_targets
from pages.ui.deploy_topologies import show_topologies
from pages.ui.errors import boundary
from pages.ui.frame import frame
from pages.ui.jobs import job_panel, show_result
from pages.ui.pickers import pick_build
from pages.ui.sample_offer import model_or_sample, offer_build
from pages.ui.state import selected

_PROMISE = "Here an engine gets its passport, the places that load it, and the files that run it in production."

with frame("Deploy", page="deploy") as bench:
    model = model_or_sample(bench, page="deploy", promise=_PROMISE)
    build = pick_build(bench, model.id, page="deploy") if model is not None else None
    job_panel(bench, selected("job"), on_success=show_result)
    if model is not None and build is None and not selected("build"):  # a dead link has its own box
        offer_build(bench, model, page="deploy", promise=_PROMISE)
    elif build is not None:
        passport = bench.deploy.passport(build.id)
        show_passport(bench, passport)
        show_targets(bench, passport)
        with boundary("deploy"):
            show_bundle(bench, passport)
        show_topologies(bench, build.id)
    show_foreign_engine(bench)
