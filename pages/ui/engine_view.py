"""One engine: the answer, where its time goes, its memory, what the linters say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from pages.ui import text
from pages.ui.chart import draw_chart
from pages.ui.engine_charts import time_bars, transition_figure, treemap
from pages.ui.engine_files import show_requested
from pages.ui.engine_roofline import show_roofline
from pages.ui.findings import show_findings
from pages.ui.frame import Metric, metrics, verdict
from pages.ui.once import figure_once, once
from pages.ui.stamp import stamp
from pages.ui.tables import show_table
from pages.ui.theme import PRECISION_LABELS
from trt_core.analysis.engine_layers import Group, LayerRow, Role, grouped, has_matrix_work, layer_rows, transitions
from trt_core.analysis.engine_lint import lint
from trt_core.domain.precision import Precision
from trt_core.domain.recordings import EngineStudy

_WASTE = (Role.REFORMAT, Role.QDQ)


rows_of = once(12)(layer_rows)


def show_answer(study: EngineStudy, sentence: str = "") -> None:
    """Verdict, stamp and cards of one engine; `sentence` is the answer of a view with cards of its own, as Markdown."""
    rows = rows_of(study)
    verdict(sentence or engine_sentence(study, rows))
    st.caption(f":material/verified: {text.plain(study.stamp)}")
    if not rows:
        st.warning("The files hold no layer of this engine: its build failed, or only part of it was recorded.")
        return
    show_requested(study)
    if sentence:
        return
    _cards(study, rows)


def _cards(study: EngineStudy, rows: Sequence[LayerRow]) -> None:
    """What is known: an engine that was never timed has no empty cards for times, but says what it holds and moves."""
    ran = ", ".join(f"{count} {PRECISION_LABELS[Precision(name)]}" for name, count in study.record.precisions.items())
    how = "Median without a profiler. The sum over profiled layers is more: every layer waits for the one before."
    times = (
        ("Latency, p50", study.total_ms, how),
        ("As a CUDA graph", study.graph_ms, "Median of graph launches."),
        ("Sum of layers", study.layers_ms or None, how),
    )
    sizes = (
        ("Activations", study.record.activation_bytes or study.device_bytes, "Device memory, as the builder said."),
        ("Weights", sum(row.weight_bytes for row in rows) or None, "Of the layers that say so."),
        ("Moved", sum(row.moved_bytes for row in rows) or None, "Read and written by all layers, each by itself."),
    )
    cards = [Metric(label=label, value=text.milliseconds(ms), how=how) for label, ms, how in times if ms is not None]
    cards.append(Metric(label="Layers", value=text.count(len(rows)), how=f"They run in: {ran}."))
    cards += [Metric(label=label, value=text.mebibytes(size), how=how) for label, size, how in sizes if size]
    metrics(cards[:5])


def engine_sentence(study: EngineStudy, rows: Sequence[LayerRow], *, say: Callable[[str], str] = text.code) -> str:
    """The answer in a sentence or two; `say` makes the engine's name harmless, for Markdown unless told otherwise."""
    name = say(study.title)
    if not rows:
        return f"{name} has no layers."
    waste = sum(row.share or 0.0 for row in rows if row.role in _WASTE)
    took = f" and takes {text.milliseconds(study.total_ms)}" if study.total_ms else ""
    moved = f"; {text.percent(waste)} of the layer time moves and converts data" if study.has_times else ""
    asked = ""
    if study.asked.is_quantized:
        able = [row for row in rows if has_matrix_work(row)]
        ran = sum(row.precision is study.asked for row in able)
        asked = f" {PRECISION_LABELS[study.asked]} was asked for: {ran} of {len(able)} matrix layers run in it."
    return f"{name} has {text.counted(len(rows), 'layer')}{took}{moved}.{asked}"


def show_time(study: EngineStudy) -> None:
    """Where the time goes: bars, groups, treemap, roofline, transitions."""
    rows = rows_of(study)
    if not study.has_times:
        st.info("No layer times were recorded: the bars show the bytes that each layer reads and writes.")
    figure = _bars(study)
    draw_chart(figure, key="engines.bars", filename=f"{study.id}-layers")
    left, right = st.columns(2)
    with left:
        st.caption("By what the layers are there for")
        _groups(by_role(rows), "engines.by_role", study)
    with right:
        st.caption("By precision")
        _groups(by_precision(rows), "engines.by_precision", study)
    if study.has_times:
        figure = _treemap(study)
        draw_chart(figure, key="engines.treemap", filename=f"{study.id}-treemap")
    show_roofline(study, rows)
    st.caption("Precision transitions: tensors by the precision of the layer that writes them and the one that reads.")
    found = transitions(study)
    if found:
        figure = stamp(transition_figure(found), [study.stamp])
        draw_chart(figure, key="engines.matrix", filename=f"{study.id}-transitions")


@figure_once(8)
def _bars(study: EngineStudy) -> Any:
    return stamp(time_bars(rows_of(study)), [study.stamp])


@figure_once(8)
def _treemap(study: EngineStudy) -> Any:
    return stamp(treemap(rows_of(study)), [study.stamp])


def by_role(rows: Sequence[LayerRow]) -> tuple[Group, ...]:
    """Time by what the layers are there for."""
    return grouped(rows, lambda row: row.role.value)


def by_precision(rows: Sequence[LayerRow]) -> tuple[Group, ...]:
    """Time by the precision that the layers run in."""
    return grouped(rows, lambda row: PRECISION_LABELS[row.precision])


def _groups(groups: Sequence[Group], key: str, study: EngineStudy) -> None:
    show_table(group_rows(groups, study), key=key, filename=f"{study.id}-{key.rpartition('.')[2]}.csv")


def group_rows(groups: Sequence[Group], study: EngineStudy) -> list[dict[str, Any]]:
    """Groups of layers as plain values."""
    return [
        {
            "group": group.label,
            "layers": group.count,
            "time": text.milliseconds(group.time_ms) if study.has_times else "–",
            "share": text.percent(group.share) if study.has_times else "–",
        }
        for group in groups
    ]


def show_layers(study: EngineStudy) -> None:
    """Every layer as a row."""
    show_table(_table(study), key="engines.layers", filename=f"{study.id}-layers.csv", height=560)


@once(8)
def _table(study: EngineStudy) -> list[dict[str, Any]]:
    return layer_table(rows_of(study))


def layer_table(rows: Sequence[LayerRow]) -> list[dict[str, Any]]:
    """Layers as plain values."""
    return [
        {
            "layer": row.index,
            "name": row.name,
            "µs": round(row.time_ms * 1000, 3) if row.time_ms is not None else None,
            "share, %": round(row.share * 100, 2) if row.share is not None else None,
            "precision": PRECISION_LABELS[row.precision],
            "role": row.role.value,
            "kind": row.kind,
            "moved, MiB": round(row.moved_bytes / 2**20, 3),
            "MMAC": round(row.macs / 1e6, 2) if row.macs else None,
            "tactic": row.kernel or row.tactic,
        }
        for row in rows
    ]


_lint = once(12)(lint)


def show_lint(study: EngineStudy) -> None:
    """What the linters find, and what the builder said."""
    show_findings(_lint(study), empty="None of the rules found anything.")
    if study.said:
        with st.expander(f"The builder's own warnings and errors ({len(study.said)})"):
            st.code(text.cell("\n".join(study.said)), language=None)
