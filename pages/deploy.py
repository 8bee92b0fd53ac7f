"""Deploy: what an engine is bound to, where it loads, and the files that run it in production."""

from __future__ import annotations

import streamlit as st

from pages.ui.deploy_bundle import show_bundle
from pages.ui.deploy_passport import show_passport
from pages.ui.deploy_targets import show_foreign_engine, show_targets
from pages.ui.deploy_topologies import show_topologies
from pages.ui.errors import boundary
from pages.ui.frame import frame
from pages.ui.links import link_to
from pages.ui.pickers import pick_build, pick_model

with frame("Deploy", page="deploy") as bench:
    model = pick_model(bench, page="deploy")
    build = pick_build(bench, model.id, page="deploy") if model is not None else None
    if model is not None and build is None:
        st.info("This model has no engine yet. What is built can be shipped from here.")
        link_to("build", label="Go to Build", icon=":material/construction:")
    if build is not None:
        passport = bench.deploy.passport(build.id)
        show_passport(bench, passport)
        show_targets(bench, passport)
        with boundary("deploy"):
            show_bundle(bench, passport)
        show_topologies(bench, build.id)
    show_foreign_engine(bench)
