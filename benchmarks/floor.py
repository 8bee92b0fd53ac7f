"""The least that a crowd of browsers can take: pages of Streamlit that hold a title and the links to each other."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmarks.tables import ROOT

_PAGE = """import streamlit as st

with st.sidebar:
    for title in {titles}:
        st.page_link(f"pages/{{title.lower()}}.py", label=title)
st.title({title!r}, anchor=False)
"""


def write_empty_pages(folder: Path, titles: Sequence[str]) -> Path:
    """An application of pages with these titles and nothing else, with our settings of the server."""
    (folder / "pages").mkdir(parents=True)
    shutil.copytree(ROOT / ".streamlit", folder / ".streamlit")
    for title in titles:
        (folder / "pages" / f"{title.lower()}.py").write_text(_PAGE.format(titles=list(titles), title=title))
    first = titles[0].lower()
    (folder / "app.py").write_text(f'import streamlit as st\n\nst.switch_page("pages/{first}.py")\n')
    return folder
