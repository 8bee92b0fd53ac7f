"""The page that was asked for, when Streamlit is about to draw another.

A session keeps one note of the page in hand, and all of its script threads share it. When a fragment ends with
`st.rerun()` at the moment of a click on a link, two threads are at work: the click's, and the old one, which notes its
own page once more before it looks whether it was stopped (Streamlit 1.67, `ScriptRunner._run_script`). Then the click's
thread finds the old page in the note, draws it, and the click is lost. What a thread was asked for stands in its own
requests, which no other thread writes.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.ui.links import PAGES


def keep_to_asked(page: str) -> None:
    """Go to the page that this run was asked for, unless it is the one of that key; call it before drawing."""
    context: Any = get_script_run_ctx()
    asked = context.script_requests._rerun_data  # noqa: SLF001 - the only word on it that is the thread's own
    known = context.pages_manager.get_pages().get(asked.page_script_hash, {})
    wanted = known.get("url_pathname", "")
    if wanted != page and wanted in {item.key for item in PAGES}:
        st.switch_page(f"pages/{wanted}.py", query_params=parse_qs(asked.query_string))
