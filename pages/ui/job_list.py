"""The list of jobs with its filters, and one job in full."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

import streamlit as st

from pages.ui import text
from pages.ui.frame import metrics
from pages.ui.jobs import STATE_SIGNS, job_panel, link_to_result
from pages.ui.save import save_button
from pages.ui.state import select
from pages.ui.tables import show_table
from trt_core.domain.jobs import Job, JobKind, JobState
from trt_core.workbench import Workbench


def jobs_sentence(jobs: Sequence[Job]) -> str:
    """How many run and wait, and how the others ended."""
    states = Counter(job.state for job in jobs)
    ended = ", ".join(f"{states[state]} {state.value}" for state in JobState if state.is_terminal and states[state])
    running, queued = states[JobState.RUNNING], states[JobState.QUEUED]
    verb = "runs" if running == 1 else "run"
    now = f"{text.counted(running, 'job')} {verb} and {queued} wait" if running or queued else "No job runs or waits"
    return f"{now}; {ended}." if ended else f"{now}."


def filtered(jobs: Sequence[Job]) -> list[Job]:
    """The jobs that the two filters let through."""
    left, right = st.columns(2)
    with left:
        states = st.multiselect(
            "State", list(JobState), key="jobs.states", format_func=STATE_SIGNS.__getitem__, placeholder="All states"
        )
    with right:
        kinds = st.multiselect(
            "Kind", list(JobKind), key="jobs.kinds", format_func=lambda kind: kind.value, placeholder="All kinds"
        )
    return [job for job in jobs if (not states or job.state in states) and (not kinds or job.kind in kinds)]


def show_list(jobs: Sequence[Job]) -> None:
    """A table; a click on a row opens the job below."""
    if not jobs:
        st.caption("No job fits these filters.")
        return
    chosen = show_table(
        [_row(job) for job in jobs],
        key="jobs.list",
        filename="jobs.csv",
        selectable=True,
        height=420,
    )
    st.caption("Select a row to see its log, its error and its result.")
    if chosen is not None and chosen < len(jobs):
        select({"job": jobs[chosen].id})


def _row(job: Job) -> dict[str, object]:
    waited = (job.started_at or job.ended_at or time.time()) - job.created_at
    ran = (job.ended_at or time.time()) - job.started_at if job.started_at else None
    return {
        "State": STATE_SIGNS[job.state],
        "Kind": job.kind.value,
        "Title": job.title,
        "Submitted": text.clock(job.created_at),
        "Waited": text.seconds(max(0.0, waited)),
        "Ran": text.seconds(ran),
        "Device": f"{job.device}, {job.use.value}",
        "Id": job.id,
        "Error": job.error,
    }


def show_job(bench: Workbench, job_id: str) -> None:
    """One job: cards, live panel or outcome, log, and what was asked."""
    job = bench.jobs.job(job_id)
    st.subheader(text.plain(job.title, 120), anchor=False)
    row = _row(job)
    metrics({name: str(row[name]) for name in ("State", "Waited", "Ran", "Device")})
    job_panel(bench, job_id, on_success=link_to_result, with_log=False)
    if job.state.is_terminal:
        log = bench.jobs.log(job_id)
        with st.expander("Log", expanded=job.state is not JobState.SUCCEEDED):
            st.code(text.cell(log[-20_000:]) or "The log is empty.", language=None, height=320)
            save_button(
                "Download the end of the log",
                lambda: log,
                filename=f"{job_id}.log",
                mime="text/plain",
                key="jobs.log",
            )
    with st.expander("What was asked"):
        st.json(job.request, expanded=2)
