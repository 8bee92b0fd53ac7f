"""Enginescope: the way in. As a script it leads to the first page; as a module it is the server's application.

`streamlit run app.py` imports `app` and serves it. The first page is Models; a link's selection goes along.
"""

from __future__ import annotations

import streamlit as st

if __name__ == "__main__":
    st.switch_page("pages/models.py", query_params=st.query_params.to_dict())
else:
    from pages.ui.plotly_route import plotly_route
    from pages.ui.warm import warming

    app = st.App(__file__, lifespan=warming, routes=[plotly_route()])
