"""Enginescope: the way in. The first page is Models; a link's selection goes along."""

from __future__ import annotations

import streamlit as st

st.switch_page("pages/models.py", query_params=st.query_params.to_dict())
