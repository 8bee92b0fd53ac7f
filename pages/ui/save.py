"""A button that makes a text when it is pressed, and the browser saves it as a file.

Streamlit's own keeps a file that was made on demand under an address until two runs of any session have ended: with a
build running and some browsers open it was gone before the browser asked for it. Here the text comes with the answer.
It is also cheaper to draw, and most tables have one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import Any

import streamlit as st

from pages.ui.errors import boundary

# Every press has its moment: a text that was saved is not saved again when the page is drawn again, and a press whose
# run gave way to another is answered by that one. Labels are set as text.
_SAVES = """
const saved = (window.enginescopeSaved ??= new Set());
export default function ({ data, parentElement, setStateValue }) {
  const button = parentElement.querySelector("button");
  const label = button.querySelector("span");
  button.title = data.help;
  const rest = () => {
    clearTimeout(button.patience);
    button.removeAttribute("aria-disabled");
    label.textContent = data.label;
  };
  rest();
  button.onclick = () => {
    if (button.hasAttribute("aria-disabled")) return;
    button.setAttribute("aria-disabled", "true");
    label.textContent = "Making the file …";
    button.patience = setTimeout(rest, 60000);
    setStateValue("wanted", { at: Date.now(), filename: data.filename });
  };
  if (data.text === null || saved.has(data.wanted)) return;
  saved.add(data.wanted);
  const link = document.createElement("a");
  link.download = data.filename;
  link.href = URL.createObjectURL(new Blob([data.text], { type: data.mime }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
"""
_BUTTON = """
<button class="save" type="button"><svg viewBox="0 0 24 24" aria-hidden="true">
<path d="M12 4v10m-4.5-4.5L12 14l4.5-4.5M5 16v3h14v-3"/></svg><span></span></button>
"""
# No foreign text here.
STYLE = """
.save { all: unset; box-sizing: border-box; cursor: pointer; display: inline-flex; align-items: center; gap: 0.5rem;
  min-height: 2.5rem; padding: 0.25rem 0.75rem; border: 1px solid light-dark(#d5dcd8, #36403f); border-radius: 4px;
  white-space: nowrap; }
.save span { font-size: 0.875em; }
.save svg { width: 1.2rem; fill: none; stroke: currentColor; stroke-width: 2; }
.save:hover, .save:focus-visible { color: light-dark(#2f6f4f, #6fbf8f); border-color: currentColor; }
.save:focus-visible { outline: 2px solid light-dark(#2f6f4f, #6fbf8f); outline-offset: 2px; }
.save[aria-disabled] { opacity: 0.5; cursor: default; }
"""


@cache
def _component() -> Any:
    return st.components.v2.component("enginescope.save", js=_SAVES, html=_BUTTON, isolate_styles=False)


def save_button(
    label: str,
    make: Callable[[], str],
    *,
    filename: str,
    mime: str,
    key: str,
    help: str = "",  # noqa: A002 - Streamlit's word
    in_row: bool = False,
) -> None:
    """A button that saves what `make` returns as UTF-8; its error is shown below the button.

    A fragment: nothing else is drawn again. But in a row of buttons (`in_row`) a fragment's place would be as wide as
    the row has room.
    """
    draw = _save if in_row else st.fragment(_save)
    draw(make, {"label": label, "filename": filename, "mime": mime, "help": help}, key)


def _save(make: Callable[[], str], words: dict[str, str], key: str) -> None:
    wanted = (st.session_state.get(key) or {}).get("wanted") or {}
    at, served = wanted.get("at", 0), f"{key}.served"
    # A press for the file of another result, which the page showed before, is not answered with this one.
    is_asked = at != st.session_state.get(served, 0) and wanted.get("filename") == words["filename"]
    made, error = _made(make) if is_asked else (None, None)
    _component()(
        key=key,
        # The moment wakes the button up in every run: without a change the browser would not look at it.
        data={**words, "wanted": at, "text": made, "drawn": time.monotonic_ns()},
        default={"wanted": {}},
        width="content",
        height="content",
        on_wanted_change=_nothing,
    )
    st.session_state[served] = at
    if error is not None:
        with boundary("a file to save"):
            raise error


def _made(make: Callable[[], str]) -> tuple[str | None, Exception | None]:
    try:
        return make(), None
    except Exception as error:  # noqa: BLE001 - told below the button, which must be drawn first
        return None, error


def _nothing() -> None:
    """Streamlit reports a value only where a callback is named for it."""
