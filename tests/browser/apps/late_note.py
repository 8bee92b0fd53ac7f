"""Streamlit's command line with one accident made certain: a thread on its way out has the last word on the page.

A thread's first run notes its page at once, a run that follows in the same thread (after `st.rerun()`) half a second
later; and every run waits a second before it reads the note.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from streamlit.runtime.pages_manager import PagesManager
from streamlit.web.cli import main

_noted = threading.local()
_note, _resolve = PagesManager.set_script_intent, PagesManager.set_pages_and_resolve


def _note_late(self: PagesManager, page_script_hash: str, page_name: str) -> None:
    if getattr(_noted, "before", False):
        time.sleep(0.5)
    _noted.before = True
    _note(self, page_script_hash, page_name)


def _resolve_late(self: PagesManager, *args: Any, **kwargs: Any) -> Any:
    time.sleep(1)
    return _resolve(self, *args, **kwargs)


if __name__ == "__main__":
    PagesManager.set_script_intent = _note_late  # type: ignore[method-assign]
    PagesManager.set_pages_and_resolve = _resolve_late  # type: ignore[method-assign]
    main()
