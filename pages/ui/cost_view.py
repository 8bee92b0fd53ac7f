"""What a load costs on devices like the measured one: an editable load, price and headroom."""

from __future__ import annotations

import streamlit as st

from pages.ui import text
from pages.ui.frame import Metric, metrics
from trt_core.analysis.cost import Cost, OperatingPoint, cost


def show_cost(point: OperatingPoint, *, page: str, limit: str) -> Cost:
    """Devices and money for a steady load at one operating point; `limit` says which latency it keeps."""
    st.caption(
        f"Batch {point.batch} with {text.counted(point.streams, 'stream')}: {text.figure(point.inferences_per_s)} "
        f"inferences/s on one device, {limit}. For a steady load; queueing is not modelled, the headroom stands for it."
    )
    with st.container(horizontal=True):
        load = st.number_input("Load, inferences/s", min_value=0.1, value=1000.0, key=f"{page}.load")
        price = st.number_input("Price of a device, per hour", min_value=0.0, value=3.0, key=f"{page}.price")
        headroom = st.number_input("Kept free, %", min_value=0, max_value=95, value=30, key=f"{page}.headroom")
    found = cost(point, load_per_s=load, price_per_hour=price, headroom=headroom / 100)
    metrics(
        [
            Metric(label="Devices", value=text.count(found.devices), how="Whole ones, with the headroom kept."),
            Metric(label="Used", value=text.percent(found.utilization), how="Load over what the devices can do."),
            Metric(label="A month", value=text.figure(found.per_month), how="730 hours, in the currency of the price."),
            Metric(label="A million inferences", value=text.figure(found.per_million), how="Idle time included."),
        ]
    )
    return found
