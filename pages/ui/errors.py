"""The error boundary: what the core says goes to the reader, a bug of ours goes to the log."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from pages.ui import text
from trt_core.errors import TrtCoreError

_LOG = logging.getLogger("enginescope.pages")


@contextmanager
def boundary(where: str = "a fragment") -> Iterator[None]:
    """Turn an error inside into a box that says what and what to do; what follows the block still runs."""
    try:
        yield
    except TrtCoreError as error:
        show_error(error)
    except Exception:  # noqa: BLE001 - the last gate: whatever a page does wrong is told calmly, and logged
        show_bug(where)


def show_error(error: TrtCoreError, *, details: str = "") -> None:
    """A red box: title, message, remedy; the library's own words or the log one click away."""
    remedy = f"\n\n**What to do:** {text.plain(error.remedy)}" if error.remedy else ""
    st.error(f"**{text.plain(error.title)}**\n\n{text.plain(error.message)}{remedy}", icon=":material/error:")
    words = error.details or details
    if words:
        with st.expander("Details"):
            st.code(text.cell(words[-20_000:]), language=None, height=260)


def show_bug(where: str) -> None:
    """A calm box with the line to look for in the server's log; call it while the exception is being handled."""
    reference = uuid.uuid4().hex[:8]
    _LOG.exception("page error %s in %s", reference, where)
    st.error(
        "**This part of the page failed**\n\nThe fault is in Enginescope, not in your model. Nothing that is stored "
        f"was changed.\n\n**What to do:** reload the page. The server's log has the cause at `page error {reference}`.",
        icon=":material/error:",
    )
