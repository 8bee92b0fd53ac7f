"""Two charts: one of bars that can be clicked and changed, and one in a tab that is not open at first."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

from pages.ui.chart import draw_chart
from pages.ui.plotly_route import plotly_route
from pages.ui.tabs import STYLE, show_tabs
from pages.ui.theme import plot_layout, room


def _bars(last: int) -> go.Figure:
    figure = go.Figure(go.Bar(y=[1, 2, last], customdata=[10, 20, 30], marker={"color": "#0072B2"}))
    figure.update_yaxes(range=[0, 10])
    return figure.update_layout(plot_layout(height=300, margin=room()))


def _page() -> None:
    state = st.session_state
    state["runs"] = state.get("runs", 0) + 1
    st.set_page_config(layout="wide")
    st.html(f"<style>{STYLE}</style>")
    st.text(f"Run {state['runs']} of the page, mark {state.get('mark', 'none')}")
    st.button("Again")
    last = 8 if st.checkbox("Higher") else 3
    other = st.checkbox("Other result")
    if not st.checkbox("Gone"):
        draw_chart(
            _bars(last), key="bars", filename="other" if other else "bars", on_pick=lambda mark: state.update(mark=mark)
        )
    show_tabs(
        {"Words": lambda: st.text("words"), "Picture": lambda: draw_chart(_bars(5), key="b", filename="b")}, key="t"
    )


if __name__ == "__main__":
    _page()
else:
    app = st.App(__file__, routes=[plotly_route()])
