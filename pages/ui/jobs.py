"""Jobs on screen: the panel of one job, and what runs in the frame of every page.

`job_panel(bench, job_id, on_success=...)` draws progress, log and cancel while the job is under way, and its error or
`on_success(job)` once it has ended. It outlives the page: the job does not know that anybody looks.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import streamlit as st

from pages.ui import text
from pages.ui.errors import boundary, show_error
from pages.ui.links import RESULT_PAGE, link_to, url_of
from pages.ui.notices import announce, show_notices
from pages.ui.state import ENGINES, KINDS, select
from trt_core.domain.jobs import Job, JobKind, JobState
from trt_core.errors import JobCancelled
from trt_core.jobs.queue import error_of
from trt_core.workbench import Workbench

TICK_S = 1.0  # of the panel of one job
_FRAME_TICK_S = 3.0  # of the menu of every page: a look costs each browser that is open a twentieth of a second
_IDLE_TICK_S = 5.0  # jobs that the command line or another browser starts show up this soon
STATE_SIGNS = {
    JobState.QUEUED: "◌ queued",
    JobState.RUNNING: "▶ running",
    JobState.SUCCEEDED: "✓ succeeded",
    JobState.FAILED: "✕ failed",
    JobState.CANCELLED: "■ cancelled",
    JobState.LOST: "? lost",
}


def job_panel(
    bench: Workbench, job_id: str, *, on_success: Callable[[Job], None] | None = None, with_log: bool = True
) -> Job | None:
    """Draw one job; None for "", so that `job_panel(bench, selected("job"))` draws nothing without a job."""
    if not job_id:
        return None
    job = bench.jobs.job(job_id)
    if not job.state.is_terminal:
        st.fragment(_live, run_every=TICK_S)(bench, job_id)
        return job
    error = error_of(job)
    if isinstance(error, JobCancelled):
        st.info(text.plain(f"{error.message} {error.remedy}"))
    elif error is not None:
        show_error(error, details=bench.jobs.log(job_id) if with_log else "")
    elif on_success is not None:
        on_success(job)
    return job


def is_under_way(bench: Workbench, job_id: str) -> bool:
    """True while that job is queued or runs, so that a page does not offer to submit it twice."""
    return bool(job_id) and not bench.jobs.job(job_id).state.is_terminal


def asked_already(bench: Workbench, kind: JobKind, spec: object) -> str:
    """Why that very request is not submitted now: a job of it waits or runs; "" when there is none."""
    job = bench.jobs.same(kind, spec)
    return "" if job is None else f"This very request is {job.state.value} already: wait for it, or cancel it."


def _live(bench: Workbench, job_id: str) -> None:
    with boundary():
        job = bench.jobs.job(job_id)
        if job.state.is_terminal:
            st.rerun()
        with st.container(border=True):
            draw_progress(job)
            # Drawn every second, so not while it is folded.
            folded = st.expander("Log", key=f"job.log.{job_id}", on_change="rerun")
            if folded.open:
                log = bench.jobs.log(job_id, last_bytes=1 << 13)
                folded.code(text.cell(log) or "Nothing yet.", language=None, height=220)
            cancel_button(bench, job)


def draw_progress(job: Job) -> None:
    """One line and a bar for a job that has not ended."""
    st.markdown(f"**{text.plain(job.title, 120)}**")
    waited = text.seconds(max(0.0, time.time() - (job.started_at or job.created_at)))
    if job.state is JobState.QUEUED:
        reason = f"It waits for {text.plain(job.waits_for) or 'a free worker'}."
        st.progress(0.0, text=f"Queued for {waited}. {reason}")
        return
    steps = f" ({job.progress.step} of {job.progress.steps})" if job.progress.steps else ""
    phase = text.plain(job.progress.phase, 120) or "Starting"
    st.progress(min(1.0, max(0.0, job.progress.fraction or 0.0)), text=f"{phase}{steps}, {waited}")


def cancel_button(bench: Workbench, job: Job) -> None:
    """Ask the job to stop; asked already, the button says so."""
    asked = job.cancel_requested
    label = "Stopping" if asked else "Cancel"
    if st.button(label, key=f"job.cancel.{job.id}", disabled=asked, icon=":material/stop_circle:"):
        bench.jobs.cancel(job.id)
        st.rerun()


def result_query(job: Job) -> dict[str, str]:
    """The selection that a finished job's result stands for."""
    found = (job.result or {}).items()
    return {name: str(value) for name, value in found if name in (*KINDS, *ENGINES) and value}


def show_result(job: Job) -> None:
    """Put what the job made into the address, so that the link shows it after the job is forgotten."""
    select({"job": ""} | result_query(job))
    st.rerun()


def link_to_result(job: Job, *, label: str = "Open the result") -> None:
    """A link to the page that shows what the job made."""
    if job.state is JobState.SUCCEEDED:
        link_to(RESULT_PAGE[job.kind], label=label, changes=result_query(job))


def show_running(bench: Workbench) -> None:
    """What runs now, for the frame: call it inside the container where it belongs."""
    active = bench.jobs.jobs(active=True)
    st.fragment(_running, run_every=_FRAME_TICK_S if active else _IDLE_TICK_S)(bench)


def _running(bench: Workbench) -> None:
    with boundary():
        active = bench.jobs.jobs(active=True)
        before: set[str] = st.session_state.get("frame.active", set())
        now = {job.id for job in active}
        st.session_state["frame.active"] = now
        for ended in before - now:
            _announce(bench.jobs.job(ended))
        if before and not now:
            st.rerun()  # the next run looks less often, and the page shows what the job made
        if before - now:
            show_notices()
        for job in active[:3]:
            draw_progress(job)
        if len(active) > 3:
            st.caption(f"{len(active) - 3} more under way or queued")


def _announce(job: Job) -> None:
    ok = job.state is JobState.SUCCEEDED
    target = url_of(RESULT_PAGE[job.kind], result_query(job)) if ok else url_of("jobs", {"job": job.id})
    verb = {JobState.SUCCEEDED: "Done", JobState.CANCELLED: "Cancelled"}.get(job.state, "Failed")
    announce(f"{verb}: {text.plain(job.title, 120)}. [Open]({target})")
