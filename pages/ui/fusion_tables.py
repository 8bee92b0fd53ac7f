"""Tables of the fusion page: layers, nodes, expected fusions, steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from pages.ui import text
from pages.ui.fusion_charts import STATE_SIGNS
from pages.ui.once import once
from pages.ui.tables import show_table
from pages.ui.theme import precision_label
from trt_core.analysis.fusion_pictures import causes
from trt_core.domain.fusion import FusionMap, MappedLayer, NodeFate


@once(16)
def layer_rows(
    fusion: FusionMap, layers: Sequence[MappedLayer], times_ms: Mapping[int, float] | None = None
) -> list[dict[str, Any]]:
    """One row a layer, with the names of its nodes, and its mean time where there are times."""
    return [
        {
            "layer": layer.index,
            "name": layer.name,
            "kind": layer.kind,
            "precision": precision_label(layer.precision),
            "nodes": len(layer.nodes),
            "ONNX nodes": ", ".join(fusion.nodes[index].name for index in layer.nodes),
            **({} if times_ms is None else {"µs": _micros(times_ms.get(layer.index))}),
            "writes, bytes": layer.output_bytes or None,
            "stream": layer.stream,
            "kernel": layer.kernel,
        }
        for layer in layers
    ]


def _micros(time_ms: float | None) -> float | None:
    return None if time_ms is None else round(time_ms * 1000, 3)


@once(16)
def node_rows(nodes: Sequence[NodeFate]) -> list[dict[str, Any]]:
    """One row a node of the uploaded model, with what became of it and who says so."""
    return [
        {
            "node": node.index,
            "name": node.name,
            "op": node.op_type,
            "state": STATE_SIGNS[node.state],
            "says": node.by or "nobody",
            "layers": ", ".join(str(index) for index in node.layers),
        }
        for node in nodes
    ]


def show_patterns(fusion: FusionMap) -> None:
    """Fusions that the graph promises, the missing ones first."""
    if not fusion.patterns:
        st.caption("The graph has none of the patterns that the rules know: Conv+BN+activation, attention, GELU …")
        return
    made = [match for match in fusion.patterns if match.fused]
    st.caption(
        f"{len(made)} of {len(fusion.patterns)} fusions that the graph promises are one engine layer. "
        "The others are listed first, with the reason that the record shows."
    )
    show_table(pattern_rows(fusion), key="fusion.patterns", filename=f"{fusion.build_id}-expected-fusions.csv")


def pattern_rows(fusion: FusionMap) -> list[dict[str, Any]]:
    """One row an expected fusion, the missing ones first."""
    return [
        {
            "fusion": match.pattern,
            "": "✓ fused" if match.fused else "┄ not fused",
            "why": match.reason,
            "layers": ", ".join(str(index) for index in match.layers),
            "ONNX nodes": ", ".join(fusion.nodes[index].name for index in match.nodes),
        }
        for match in sorted(fusion.patterns, key=lambda match: match.fused)
    ]


def show_steps(fusion: FusionMap, fusions: Sequence[tuple[str, str, str]] = ()) -> None:
    """Counts before and after each named step; who took a node out; `fusions` as the verbose log says them."""
    if fusion.steps:
        rows = [
            {"step": step.name, "before": step.before, "after": step.after, "counts": step.unit}
            for step in fusion.steps
        ]
        show_table(rows, key="fusion.steps", filename=f"{fusion.build_id}-steps.csv")
    else:
        st.caption("No step changed the number of nodes, and the compiler's passes say nothing about fusion here.")
    st.markdown("**Who says what became of the nodes**")
    rows = [
        {"state": STATE_SIGNS[cause.state], "says": cause.by or "nobody", "nodes": len(cause.nodes)}
        for cause in causes(fusion)
    ]
    show_table(rows, key="fusion.causes", filename=f"{fusion.build_id}-causes.csv")
    if fusions:
        st.markdown(f"**Every fusion, in the order of the build log ({len(fusions):,})**")
        show_table(log_rows(fusions), key="fusion.log", filename=f"{fusion.build_id}-fusions.csv", height=320)


@once(8)
def log_rows(fusions: Sequence[tuple[str, str, str]]) -> list[dict[str, Any]]:
    """One row for each fusion, removal or change of a layer that the compiler said, by its own name."""
    return [
        {"": number, "step": step, "layer": first, "with or into": second}
        for number, (step, first, second) in enumerate(fusions, start=1)
    ]


def layer_sentence(layer: MappedLayer) -> str:
    """A layer in a line of Markdown."""
    kernel = f", kernel {text.code(layer.kernel, 60)}" if layer.kernel else ""
    size = f", writes {text.mebibytes(layer.output_bytes)}" if layer.output_bytes else ""
    kind = f"{text.plain(layer.kind)} in " if layer.kind else ""
    return f"**Layer {layer.index}** {text.code(layer.name)}: {kind}{precision_label(layer.precision)}{kernel}{size}."
