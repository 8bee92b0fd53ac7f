"""Toasts that survive a rerun, and links of our own that stay in the session.

Streamlit drops what a run has not sent yet when the next one begins: toasts are kept until one ends.
"""

from __future__ import annotations

import streamlit as st

_PENDING = "frame.notices"
# Streamlit opens every link of a toast in another tab, and knows nothing of the menu's. Ours stay in this tab and its
# session: the browser's address changes, and Streamlit follows as it follows the Back button. No foreign text here.
_SAME_TAB = """<script>
if (!window.enginescopeLinks) {
  window.enginescopeLinks = true;
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('[data-testid="stToast"] a, .menu a, .chips a');
    const elsewhere = event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
    if (!link || elsewhere || link.origin !== location.origin) return;
    event.preventDefault();
    history.pushState({}, "", link.href);
    dispatchEvent(new PopStateEvent("popstate"));
  }, true);
}
</script>"""


def announce(markdown: str) -> None:
    """Keep a sentence for the end of the next run that is not cut short. Foreign text in it must be escaped."""
    st.session_state.setdefault(_PENDING, []).append(markdown)


def keep_links_in_this_tab() -> None:
    """Have our links open in the tab and session where they are; once a run, where an element more shifts nothing."""
    st.html(_SAME_TAB, unsafe_allow_javascript=True)


def show_notices() -> None:
    """Show what was kept; call it where no rerun can follow."""
    for markdown in st.session_state.pop(_PENDING, []):
        st.toast(markdown, duration=8)
