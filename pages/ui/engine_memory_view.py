"""Device memory of an engine: weights, activations and workspace, over the layers and over the batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from pages.ui import text
from pages.ui.chart import draw_chart
from pages.ui.engine_detail_charts import memory_figure, shapes_figure
from pages.ui.frame import Metric, metrics
from pages.ui.once import figure_once, once
from pages.ui.stamp import stamp
from pages.ui.tables import show_table
from trt_core.analysis.engine_memory import MemoryMap, memory_at, memory_map
from trt_core.domain.recordings import EngineStudy

_MOST_STEPS = 2_000


_map = once(12)(memory_map)
_by_batch = once(12)(memory_at)


def memory_sentence(study: EngineStudy, *, say: Callable[[str], str] = text.code) -> str:
    """What the engine needs on the device, in a sentence; `say` makes its name harmless."""
    memory = _map(study)
    workspace = study.workspace_bytes
    said = study.record.activation_bytes
    parts = [f"weights {text.mebibytes(memory.weight_bytes)}" if memory.weight_bytes else "weights not said"]
    parts.append(f"activations {text.mebibytes(memory.peak_bytes)} at most alive at once")
    parts.append(f"workspace {text.mebibytes(workspace)}" if workspace is not None else _NO_WORKSPACE[bool(said)])
    total = f"; the builder reserves {text.mebibytes(said)} for the last two" if said is not None else ""
    return f"{say(study.title)} needs {', '.join(parts)}{total}."


_NO_WORKSPACE = {True: "no workspace", False: "workspace not said"}


def show_memory(study: EngineStudy) -> None:
    """Weights, activations and workspace apart, lifetimes, and what another batch needs."""
    memory = _map(study)
    said = study.record.activation_bytes
    metrics(
        [
            Metric(label="Weights", value=text.mebibytes(memory.weight_bytes or None), how="Of the layers that say."),
            Metric(
                label="Activations alive",
                value=text.mebibytes(memory.peak_bytes),
                how=f"Estimate from the execution order, at layer {memory.peak_step + 1}: no placement needs less.",
            ),
            Metric(
                label="Workspace",
                value=text.mebibytes(study.workspace_bytes),
                how="The most that one layer or compiled block asks for, as the builder's log says; layers share it.",
            ),
            Metric(
                label="Reserved, said",
                value=text.mebibytes(said),
                how="The builder's figure for activations and workspace, at the largest shape of the profiles.",
            ),
            Metric(label="Inputs and outputs", value=text.mebibytes(memory.border_bytes), how="The caller's memory."),
        ]
    )
    if len(memory.live_bytes) <= _MOST_STEPS:
        figure = _lifetimes(memory, study)
        draw_chart(figure, key="engines.memory", filename=f"{study.id}-memory")
        st.caption(
            "Each block is an activation, as wide as it lives; its height is its size, its place a greedy one (largest "
            f"first). Without any sharing they would take {text.mebibytes(memory.total_bytes)}. An estimate: the "
            "builder may place otherwise."
        )
    _shapes(study)
    if study.scratch:
        st.caption("Workspace by layer")
        rows = [{"layer": name, "workspace, MiB": size / 2**20} for name, size in _by_size(study)]
        show_table(rows, key="engines.workspace", filename=f"{study.id}-workspace.csv", height=300)


@figure_once(8)
def _lifetimes(memory: MemoryMap, study: EngineStudy) -> Any:
    return stamp(memory_figure(memory, study.record.activation_bytes), [study.stamp])


def _by_size(study: EngineStudy) -> list[tuple[str, int]]:
    return sorted(study.scratch, key=lambda item: -item[1])


def _shapes(study: EngineStudy) -> None:
    found = _by_batch(study)
    if not found:
        st.caption("No batch is known: nothing tells how memory grows with the shape.")
        return
    figure = stamp(shapes_figure(found, study.record.activation_bytes), [study.stamp])
    draw_chart(figure, key="engines.memory_shapes", filename=f"{study.id}-memory-by-batch")
    largest = study.largest_batch
    known = f"the profiles end at batch {largest}" if largest else "the files do not say where the profile ends"
    st.caption(
        f"Activations are scaled from batch {study.batch}; {known}. Weights do not grow. The builder reserves "
        "workspace for the largest shape, whatever runs. A compiled block's workspace holds the tensors between its "
        "inner layers: where those are listed, too, they count twice."
    )
    rows = [
        {
            "batch": item.batch,
            "weights": text.mebibytes(item.weight_bytes),
            "activations alive": text.mebibytes(item.activation_bytes),
            "workspace": text.mebibytes(item.workspace_bytes),
            "together": text.mebibytes(item.total_bytes),
        }
        for item in found
    ]
    show_table(rows, key="engines.memory_batch", filename=f"{study.id}-memory.csv")
