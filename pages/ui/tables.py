"""Tables: drawn without reading Markdown, downloadable as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from pages.ui import text
from pages.ui.once import once
from pages.ui.save import save_button

Row = Mapping[str, Any]
_LONG = 300  # rows from which the caller gives the same object again, where they are the same
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(rows: Sequence[Row]) -> str:
    """Rows as CSV with a byte-order mark; text that a spreadsheet would run as a formula gets an apostrophe."""
    target = io.StringIO()
    writer = csv.DictWriter(target, fieldnames=list(rows[0]) if rows else [])
    writer.writeheader()
    writer.writerows({name: _inert(value) for name, value in row.items()} for row in rows)
    return "\N{BYTE ORDER MARK}" + target.getvalue()


def _inert(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def show_table(
    rows: Sequence[Row],
    *,
    key: str,
    filename: str,
    columns: Mapping[str, Any] | None = None,
    height: int | None = None,
    selectable: bool = False,
) -> int | None:
    """Draw rows with a CSV button; with `selectable`, the position of the row that was chosen, else None."""
    options: dict[str, Any] = {"on_select": "rerun", "selection_mode": "single-row"} if selectable else {}
    state = st.dataframe(
        _kept_frame(rows) if len(rows) > _LONG else _frame(rows),
        key=key,
        hide_index=True,
        width="stretch",
        height=min(height, 36 * len(rows) + 40) if height else "auto",
        column_config=dict(columns or {}),
        placeholder="",
        **options,
    )
    save_button("Download CSV", lambda: csv_text(rows), filename=filename, mime="text/csv", key=f"{key}.csv")
    chosen = state["selection"]["rows"] if selectable else []
    return int(chosen[0]) if chosen else None


def _frame(rows: Sequence[Row]) -> Any:
    import pandas as pd

    return pd.DataFrame(
        [{name: text.cell(value) if isinstance(value, str) else value for name, value in row.items()} for row in rows]
    )


_kept_frame = once(16)(_frame)
