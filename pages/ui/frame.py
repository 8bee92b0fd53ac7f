"""The frame of every page.

    from pages.ui.frame import frame

    with frame("Fusion", page="fusion") as bench:     # the page's body; `bench` is the Workbench
        model = pick_model(bench, page="fusion")      # pages.ui.pickers: pick_build, pick_data ...
        ...
        job_panel(bench, selected("job"), on_success=show)          # pages.ui.jobs

It sets title and icon, draws the menu, the chips of the selection and what runs, and is the error boundary: a
TrtCoreError in the body becomes a red box, a bug a calm one with the line to look for in the log. A fragment of a page
reruns outside of the body: put `with boundary():` (pages.ui.errors) inside it. Other parts: `links` (PAGES, link_to),
`state` (selected, select, travelling), `text`, `theme`, `findings` (show_findings), `tables` (show_table), `verdict`.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import streamlit as st

from pages.ui import cards, findings, menu, profile_bars, save, tabs
from pages.ui.asked import keep_to_asked
from pages.ui.bench import ready_to_draw, workbench
from pages.ui.cards import Metric, metrics
from pages.ui.errors import boundary
from pages.ui.jobs import show_running
from pages.ui.menu import Chip, show_chips, show_menu
from pages.ui.notices import keep_links_in_this_tab, show_notices
from pages.ui.pickers import settle
from pages.ui.state import travelling
from trt_core.errors import TrtCoreError
from trt_core.workbench import Workbench

__all__ = ["Metric", "frame", "metrics", "verdict", "workbench"]

# As an address of its own: a file's address dies when a run begins, and a browser that asks then gets none.
_ICON = "data:image/png;base64," + b64encode(Path(__file__).with_name("icon.png").read_bytes()).decode()
_WITHOUT_PLOTS = ("models",)  # where most visits begin, some while the server still warms up
_CHIPS = {"model": "models", "variant": "build", "target": "support", "build": "fusion", "data": "models"}
# Tabular figures; long words that break instead of widening the page; and not the uploader's own words on its limit,
# which round 512 MB up to "1GB"; a graph with something beside it gets a narrow window's width; min, opt and max
# stay under their words in one; what is written small keeps a contrast of 4.5 to 1 for a projector, and so does what
# stands on the dark theme's light green. No foreign text here.
_STYLE = """
[data-testid="stDataFrame"] { font-variant-numeric: tabular-nums; }
[data-testid="stMarkdownContainer"] { overflow-wrap: anywhere; }
[data-testid="stFileUploaderDropzoneInstructions"] { display: none; }
[data-testid="stMainBlockContainer"] { padding: 2.5rem 2.5rem 4rem; }
code { unicode-bidi: isolate; }
h1 { font-size: 2rem !important; }
[data-testid="stCaptionContainer"] { opacity: 0.8; }
[data-testid="stCaptionContainer"] code { color: inherit; }
.chart
:is([class$="tick"] text, .infolayer [class$="title"] text, .annotation-text-g text, .bartext-outside) {
  fill: currentColor !important;
}
@media print { .chart :is(.svg-container, .main-svg) { width: 100% !important; } }
[data-testid^="stBaseButton-primary"]:enabled, [data-testid="stMultiSelect"] [data-baseweb="tag"] {
  color: light-dark(#fff, #14191b) !important;
}
.count-bars { width: 100%; border-collapse: collapse; font-size: 0.85rem; font-variant-numeric: tabular-nums; }
.count-bars caption { text-align: left; font-weight: 600; padding-bottom: 0.3rem; }
.count-bars th { text-align: left; font-weight: 400; white-space: nowrap; unicode-bidi: isolate; }
.count-bars th, .count-bars td { padding: 0.1rem 0.6rem 0.1rem 0; border: 0; }
.count-bars td:nth-child(2) { width: 100%; }
.count-bars td:nth-child(2) div { height: 0.7rem; border-radius: 2px; min-width: 1px; }
.count-bars td:last-child { text-align: right; padding-right: 0; }
@media (max-width: 1100px) { .st-key-graph-beside [data-testid="stColumn"] { min-width: calc(100% - 1.5rem); } }
@media (max-width: 640px) { [class*="st-key-sizes-"] [data-testid="stColumn"] { min-width: 0; } }
"""


@contextmanager
def frame(title: str, *, page: str) -> Iterator[Workbench]:
    """Draw the frame; the body of the `with` is the page."""
    keep_to_asked(page)
    st.set_page_config(page_title=f"{title} · Enginescope", page_icon=_ICON, layout="wide")
    st.html(
        f"<style>{_STYLE}{menu.STYLE}{cards.STYLE}{findings.STYLE}{profile_bars.STYLE}{save.STYLE}{tabs.STYLE}</style>"
    )
    if page not in _WITHOUT_PLOTS:
        ready_to_draw()
    bench = None
    with boundary():
        bench = workbench()
        settle(bench, page=page)
    with st.sidebar:
        show_menu(page, travelling())
        if bench is not None:
            show_running(bench)
    st.title(title, anchor=False)
    if bench is None:
        st.stop()
    show_chips(_chips(bench), page, travelling())
    with boundary(page):
        yield bench
    keep_links_in_this_tab()
    show_notices()


def _chips(bench: Workbench) -> list[Chip]:
    chosen = {name: value for name, value in travelling().items() if name in _CHIPS}
    return [
        Chip(
            name=name,
            value=f"SM {int(value) / 10:.1f}" if name == "target" else _chip_label(bench, value),
            page=_CHIPS[name],
        )
        for name, value in chosen.items()
    ]


def _chip_label(bench: Workbench, artifact_id: str) -> str:
    try:
        return _label(bench, artifact_id)
    except TrtCoreError:
        return "not here"


@st.cache_data(max_entries=512, show_spinner=False)
def _label(_bench: Workbench, artifact_id: str) -> str:
    """What a chip says of an artifact; artifacts do not change, so that it is read once."""
    if artifact_id.startswith("m-"):
        return _bench.library.model(artifact_id).name
    if artifact_id.startswith("n-"):
        return _bench.library.data(artifact_id).name
    if artifact_id.startswith("v-"):
        return _bench.variants.variant(artifact_id).recipe.precision.value.upper()
    build = _bench.builds.build(artifact_id)
    return f"{build.recipe.precision.value.upper()} {build.target}"


def verdict(sentence: str) -> None:
    """The page's answer in one sentence, before everything else. Markdown: foreign names go through `text.code`."""
    st.markdown(f"#### {sentence}")
