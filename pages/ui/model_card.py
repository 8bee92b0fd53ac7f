"""One model: the sentence, the cards, the graph, its nodes and its file."""

from __future__ import annotations

from functools import partial

import streamlit as st

from pages.ui import text
from pages.ui.bars import show_bars
from pages.ui.findings import show_findings
from pages.ui.frame import Metric, metrics, verdict
from pages.ui.grouping import by_scope
from pages.ui.links import link_to
from pages.ui.seen import show_when_seen
from pages.ui.tables import show_table
from pages.ui.tabs import show_tabs
from trt_core.domain.artifacts import ModelRecord
from trt_core.domain.graph import Graph
from trt_core.domain.tensors import TensorSpec
from trt_core.workbench import Workbench

_OPS_DRAWN = 24
_MACS = "MACs of one run"
_ALL_AS_ONE = "Symbolic dimensions are taken as 1."


def prepare(bench: Workbench, model: ModelRecord) -> None:
    """Make what the card of a model takes long to make, ahead of its first reader."""
    from pages.ui import graph_component

    graph_component.prepare(by_scope(bench.library.graph(model.id)))
    _rows(bench, model.id)


def show_model(bench: Workbench, model: ModelRecord) -> None:
    """The card of a model; its graph and its nodes below."""
    verdict(_sentence(model))
    metrics(
        [
            Metric(label="Nodes", value=text.count(model.node_count), how="Top-level nodes of the graph."),
            Metric(label="Parameters", value=text.big(model.parameters), how="Elements of all initializers."),
            Metric(label="MACs", value=text.big(model.macs), how=f"Multiply-accumulates of one run. {_ALL_AS_ONE}"),
            Metric(label="Size", value=text.mebibytes(model.size_bytes), how="The file and its external data."),
            Metric(label="Opset", value=str(model.opset), how=f"IR version {model.ir_version}."),
        ]
    )
    with st.container(horizontal=True):
        link_to("support", label="Check layer support", icon=":material/fact_check:")
        link_to("build", label="Build an engine", icon=":material/construction:")
    graph = bench.library.graph(model.id)
    _picture(graph, model)
    if model.findings:
        show_findings(model.findings)
    _tabs(bench, model, graph)


def _sentence(model: ModelRecord) -> str:
    dynamic = sum(not spec.is_static for spec in model.inputs)
    of = text.counted(len(model.inputs), "input")
    shapes = f"{dynamic} of {of} {'is' if dynamic == 1 else 'are'} dynamic" if dynamic else "every input is static"
    top = next(iter(model.op_histogram.items()), ("no op", 0))
    return (
        f"{text.code(model.name)} has {text.counted(model.node_count, 'node')} and {text.big(model.parameters)} "
        f"parameters; {shapes}; most frequent is {text.code(top[0])} ({top[1]})."
    )


def _picture(graph: Graph, model: ModelRecord) -> None:
    with st.container(key="graph-beside"):
        left, right = st.columns([2, 1])
    with left:
        _graph(graph)
    with right:
        _histogram(model)
        _signature("Inputs", model.inputs)
        _signature("Outputs", model.outputs)


def _graph(graph: Graph) -> None:
    from pages.ui.graph_component import graph_panel

    box = graph_panel(by_scope(graph), key="models.graph", height=560)
    if box is not None:
        st.caption(f"{text.code(box.label, 90)}: {text.counted(box.node_count, 'node')}")


def _signature(title: str, specs: tuple[TensorSpec, ...]) -> None:
    st.markdown(f"**{title}**")
    for spec in specs[:12]:
        st.markdown(f"{text.code(spec.name, 40)} {spec.dtype}  \n{text.code(spec.shape_text(), 80)}")
    if len(specs) > 12:
        st.caption(f"{len(specs) - 12} more in the tab File.")


def _histogram(model: ModelRecord) -> None:
    shown = list(model.op_histogram.items())[:_OPS_DRAWN]
    # Not Plotly: its 4.7 MB would be loaded here for a list of counts, in the seconds in which the graph is drawn.
    show_bars(f"Nodes by op, {text.counted(len(model.op_histogram), 'kind')}", shown)


def _tabs(bench: Workbench, model: ModelRecord, graph: Graph) -> None:
    nodes = partial(_nodes, bench, model)
    show_tabs(
        {
            "Nodes": lambda: show_when_seen(nodes, key="models.table", height=440),
            "File": lambda: _file(model, graph),
        },
        key="models.tab",
    )


def _nodes(bench: Workbench, model: ModelRecord) -> None:
    show_table(
        _rows(bench, model.id),
        key="models.nodes",
        filename=f"{model.id}-nodes.csv",
        height=380,
        columns={_MACS: st.column_config.NumberColumn(_MACS, format="localized", help=_ALL_AS_ONE)},
    )


def _file(model: ModelRecord, graph: Graph) -> None:
    st.markdown(
        f"SHA-256 {text.code(model.sha256, 80)}  \nProducer {text.code(model.producer or 'not named')}  \n"
        f"IR version {model.ir_version}, opset {model.opset}  \nAdded {text.clock(model.created_at)}"
    )
    rows = [
        {"Direction": way, "Name": spec.name, "Dtype": spec.dtype, "Shape": spec.shape_text()}
        for way, specs in (("input", graph.inputs), ("output", graph.outputs))
        for spec in specs
    ]
    show_table(rows, key="models.io", filename=f"{model.id}-io.csv")


@st.cache_resource(max_entries=16, show_spinner=False)
def _rows(_bench: Workbench, model_id: str) -> list[dict[str, object]]:
    """Rows of the nodes table of a model, which does not change."""
    graph = _bench.library.graph(model_id)
    return [
        {
            "#": node.index,
            "Name": node.name,
            "Op": f"{node.domain}::{node.op_type}" if node.domain else node.op_type,
            "Output shape": _shape(graph, node.outputs),
            _MACS: node.macs,
            "Inputs": ", ".join(name for name in node.inputs if name),
            "Outputs": ", ".join(node.outputs),
            "Attributes": ", ".join(f"{name}={value}" for name, value in node.attributes),
        }
        for node in graph.nodes
    ]


def _shape(graph: Graph, outputs: tuple[str, ...]) -> str:
    spec = graph.tensors.get(outputs[0]) if outputs else None
    return spec.shape_text() if spec else "not known"
