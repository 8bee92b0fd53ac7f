"""Pages and links between them: one table, and the selection goes along."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import streamlit as st

from pages.ui.state import travelling
from trt_core.domain.jobs import JobKind

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Page:
    """One entry of the menu; pages that are not there yet are left out of it."""

    key: str
    label: str
    room: str
    icon: str

    @property
    def path(self) -> str:
        """Where Streamlit finds it."""
        return f"pages/{self.key}.py"

    @property
    def exists(self) -> bool:
        """True when the page has been written."""
        return (_ROOT / self.path).is_file()


# In the order of the work.
PAGES: tuple[Page, ...] = (
    Page(key="models", label="Models", room="Model", icon=":material/deployed_code:"),
    Page(key="support", label="Support", room="Model", icon=":material/fact_check:"),
    Page(key="build", label="Build", room="Compile", icon=":material/construction:"),
    Page(key="fusion", label="Fusion", room="Compile", icon=":material/merge:"),
    Page(key="latency", label="Latency", room="Measure", icon=":material/timer:"),
    Page(key="sweeps", label="Sweeps", room="Measure", icon=":material/grid_on:"),
    Page(key="engines", label="Engines", room="Measure", icon=":material/account_tree:"),
    Page(key="divergence", label="Divergence", room="Measure", icon=":material/ssid_chart:"),
    Page(key="triage", label="Triage", room="Measure", icon=":material/troubleshoot:"),
    Page(key="registry", label="Registry", room="Ship", icon=":material/inventory_2:"),
    Page(key="deploy", label="Deploy", room="Ship", icon=":material/rocket_launch:"),
    Page(key="jobs", label="Jobs", room="", icon=":material/list_alt:"),
    Page(key="system", label="System", room="", icon=":material/memory:"),
)
RESULT_PAGE: dict[JobKind, str] = {
    JobKind.INSPECT: "support",
    JobKind.QUANTIZE: "build",
    JobKind.BUILD: "fusion",
    JobKind.BENCH: "latency",
    JobKind.DIVERGE: "divergence",
    JobKind.TRIAGE: "triage",
    JobKind.VALIDATE: "triage",
    JobKind.SENSITIVITY: "triage",
    JobKind.SWEEP: "sweeps",
    JobKind.REBUILD: "engines",
    JobKind.RATES: "engines",
    JobKind.INTAKE: "engines",
    JobKind.INSIDE: "divergence",
}


def page(key: str) -> Page:
    """The page of that key."""
    return next(item for item in PAGES if item.key == key)


def link_to(key: str, *, label: str, changes: Mapping[str, str] | None = None, icon: str | None = None) -> None:
    """A link to a page with the selection and `changes` in its address. `label` is Markdown: escape foreign text."""
    target = page(key)
    if target.exists:
        st.page_link(target.path, label=label, icon=icon, query_params=travelling(changes))
    else:
        st.markdown(label)


def url_of(key: str, query: Mapping[str, str]) -> str:
    """The address of a page for a link inside text; the query holds ids, which need no escaping in Markdown.

    Relative to the page it stands on, so that it also holds behind a proxy that serves the dashboard from a folder.
    """
    return f"{key}?{urlencode(dict(query))}" if query else key
