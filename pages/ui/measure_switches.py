"""Switches of a measurement that only some libraries have; the others say why not."""

from __future__ import annotations

import streamlit as st

from trt_core.domain.latency import METERS, ON_HOST

NO_COPIES = "It computes in host memory: there are no copies to include."


def copies_switch(backend: str, *, page: str) -> bool:
    """Whether copies to the device and back belong to every sample."""
    able = backend not in ON_HOST
    chosen = st.toggle(
        "Copies to the device and back in every sample",
        key=f"{page}.transfers",
        disabled=not able,
        help=None if able else f"{METERS[backend]}: {NO_COPIES}",
    )
    return chosen and able


def graph_switch(backend: str, *, page: str) -> bool:
    """Whether an inference is launched as a CUDA graph."""
    able = backend == "tensorrt"
    chosen = st.toggle(
        "CUDA graph",
        key=f"{page}.cuda_graph",
        disabled=not able,
        help=None if able else "Only TensorRT is measured with CUDA graphs.",
    )
    return chosen and able


def copies_sentence(backend: str, *, transfers: bool) -> str:
    """What a sample holds beside the inference."""
    if backend in ON_HOST:
        return f"{METERS[backend]}: {NO_COPIES[0].lower()}{NO_COPIES[1:]}"
    return f"Copies to the device and back are {'in every sample' if transfers else 'left out'}."
