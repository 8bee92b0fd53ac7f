"""The one workbench of the server, and the thread that tends its jobs with no browser open."""

from __future__ import annotations

import importlib
import logging
import threading
from dataclasses import dataclass, field

import streamlit as st

from trt_core.errors import TrtCoreError
from trt_core.workbench import Workbench, open_workbench

_LOG = logging.getLogger("enginescope.pages")
_EVERY_S = 2.0
_DRAWING = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class _Tended:
    bench: Workbench
    stop: threading.Event = field(default_factory=threading.Event)

    def tend(self) -> None:
        """Start queued jobs and notice dead ones until stopped; the slow look at the backends comes first."""
        self.bench.machine.capabilities()
        while not self.stop.wait(_EVERY_S):
            try:
                self.bench.jobs.jobs(active=True)
            except (TrtCoreError, OSError):
                _LOG.warning("jobs could not be tended", exc_info=True)


@st.cache_resource(show_spinner=False, on_release=lambda tended: tended.stop.set())
def _tended() -> _Tended:
    tended = _Tended(bench=open_workbench())
    threading.Thread(target=tended.tend, name="tend-jobs", daemon=True).start()
    return tended


def workbench() -> Workbench:
    """The workbench that all pages and sessions share."""
    return _tended().bench


def ready_to_draw() -> None:
    """Import pandas and Plotly, once and before anything is drawn with them.

    Plotly looks at pandas without waiting for the thread that imports it: first visitors at once saw broken pages.
    """
    with _DRAWING:
        for name in ("pandas", "plotly.subplots"):
            importlib.import_module(name)
