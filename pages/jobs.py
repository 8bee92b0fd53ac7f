"""Jobs: what ran, runs, waits and failed, with its log."""

from __future__ import annotations

import streamlit as st

from pages.ui.frame import frame, verdict
from pages.ui.job_list import filtered, jobs_sentence, show_job, show_list
from pages.ui.state import selected

with frame("Jobs", page="jobs") as bench:
    jobs = bench.jobs.jobs(limit=500)
    if not jobs:
        st.info("Nothing has run yet. Checks, variants, builds and measurements will be listed here with their logs.")
    else:
        verdict(jobs_sentence(jobs))
        show_list(filtered(jobs))
    if selected("job"):
        show_job(bench, selected("job"))
