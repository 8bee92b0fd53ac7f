"""What a divergence run says: the answer, the picture of all layers, the tables."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import streamlit as st

from pages.ui import text
from pages.ui.chart import draw_chart
from pages.ui.divergence_charts import BAND_COLOURS, sqnr, sqnr_figure
from pages.ui.divergence_layer import show_layer
from pages.ui.divergence_run import RunView, answer, facts, layer_rows, origin_rows, output_rows, run_title
from pages.ui.errors import boundary
from pages.ui.findings import show_findings
from pages.ui.frame import Metric, metrics, verdict
from pages.ui.graph_component import graph_panel
from pages.ui.grouping import by_scope
from pages.ui.narrowing import narrowed
from pages.ui.pickers import chosen_position
from pages.ui.seen import show_when_seen
from pages.ui.state import select
from pages.ui.tables import show_table
from pages.ui.tabs import show_tabs
from pages.ui.theme import PRECISION_LABELS, precision_label, precision_of
from trt_core.analysis.divergence_pictures import Loss, bands
from trt_core.domain.divergence import DivergenceRun
from trt_core.workbench import Workbench

LAYER, RUN = "divergence.layer", "divergence.run"
_ROW = "divergence.row"


def choose_run(heads: Sequence[DivergenceRun], chosen: str) -> None:
    """One run of the model, remembered in the address."""
    by_id = {head.id: head for head in heads}
    st.session_state[RUN] = chosen if chosen in by_id else None
    st.selectbox(
        "Run",
        list(by_id),
        index=None,
        key=RUN,
        format_func=lambda run_id: run_title(by_id[run_id]),
        on_change=lambda: select({"divergence": st.session_state[RUN] or ""}),
        placeholder="Choose",
    )


def show_run(bench: Workbench, view: RunView) -> None:
    """Verdict, cards, the picture, one layer, and everything else in tabs."""
    run = view.run
    verdict(answer(view))
    st.caption(f":material/science: {text.plain(run.method)} Data: {text.plain(run.data) or 'seeded noise'}.")
    for loss in view.losses:
        metrics(_cards(view, loss))
    st.fragment(_layers)(bench, view)
    details = partial(_details, view)
    show_when_seen(details, key="divergence.details", height=460, at_once="tab" in st.query_params)


def _layers(bench: Workbench, view: RunView) -> None:
    """The picture and the chosen layer: a fragment, so that choosing draws nothing else again."""
    with boundary():
        _picture(view)
        chosen = chosen_position("layer", range(len(view.run.layers)), "this run")
        _layer_box(view.run, chosen)
        if chosen is not None:
            show_layer(bench, view, chosen)


def _picture(view: RunView) -> None:
    run = view.run
    draw_chart(
        sqnr_figure(run, view.curves, view.losses, view.brackets),
        key="divergence.picture",
        on_pick=_picked,
        filename=f"{run.id}-layers",
    )
    st.caption(
        "Solid: the whole model in that precision. Dotted: each layer alone, on exact inputs. Flags: where a loss "
        "begins, large where it is more than a healthy layer loses. △ above: equal, or over 100 dB. ✕ below: not "
        "finite. Click a layer to open it."
    )


def _layer_box(run: DivergenceRun, chosen: int | None) -> None:
    """The address is the memory of the choice; at first nothing is chosen."""
    labels = {position: f"{position} · {layer.name}" for position, layer in enumerate(run.layers)}
    offer = narrowed(labels, key=f"{LAYER}.find", find="Find layers", chosen=() if chosen is None else (chosen,))
    st.session_state[LAYER] = chosen
    st.selectbox(
        "Layer, or click one in the picture",
        offer.options,
        index=None,
        key=LAYER,
        format_func=lambda position: text.clean(labels[position], 90),
        filter_mode=offer.filter_mode,
        placeholder="Choose a layer to see its values and errors",
        on_change=lambda: _choose(st.session_state[LAYER]),
    )


def _choose(position: int | None) -> None:
    select({"layer": "" if position is None else str(position)})


def _picked(mark: Sequence[Any]) -> None:
    _choose(int(mark[0]))


def _cards(view: RunView, loss: Loss) -> list[Metric]:
    title = precision_label(loss.precision)
    kind = "isolated errors" if loss.isolated else "the whole model in that precision"
    how = f"Simulated in ONNX Runtime, {kind}."
    first = loss.origins[0] if loss.origins else None
    below, count = loss.floor_counts[0]
    return [
        Metric(
            label=f"{title} worst output",
            value=sqnr(loss.output_sqnr_db),
            how=f"{how} Output {loss.output}." if loss.output else how,
        ),
        Metric(
            label=f"{title} worst layer",
            value=sqnr(loss.worst_sqnr_db),
            how=f"{how} At {loss.worst.name}; {count} of {loss.layers} layers are below {below:g} dB.",
        ),
        Metric(
            label=f"{title} loss begins",
            value=f"layer {view.position_of(first.index)}" if first else "nowhere",
            how=f"{how} {first.name} loses {sqnr(first.loss_db)}." if first else f"{how} No layer loses 6 dB.",
        ),
    ]


def _details(view: RunView) -> None:
    run = view.run
    show_tabs(
        {
            f"Where it begins ({sum(len(loss.origins) for loss in view.losses)})": lambda: _begins(view),
            f"All layers ({len(run.layers)})": lambda: _all_layers(run),
            f"Outputs ({len(run.outputs)})": lambda: _outputs(run),
            "Graph": lambda: _graph(view),
            f"Findings ({len(run.findings)})": lambda: show_findings(run.findings),
            "Measured how": lambda: _measured_how(view),
        },
        key="divergence.tab",
    )


def _all_layers(run: DivergenceRun) -> None:
    row = show_table(
        layer_rows(run), key="divergence.layers", filename=f"{run.id}-layers.csv", height=460, selectable=True
    )
    _open_row(row)


def _outputs(run: DivergenceRun) -> None:
    show_table(output_rows(run), key="divergence.outputs", filename=f"{run.id}-outputs.csv")


def _measured_how(view: RunView) -> None:
    st.markdown("\n".join(f"- **{name}** {text.plain(value)}" for name, value in facts(view).items()))


def _open_row(row: int | None) -> None:
    """A row that was just chosen becomes the chosen layer."""
    if row != st.session_state.get(_ROW):
        st.session_state[_ROW] = row
        if row is not None:
            _choose(row)
            st.rerun()


def _begins(view: RunView) -> None:
    rows = origin_rows(view)
    if not rows:
        st.caption("No layer loses 6 dB or more against the worst of its inputs.")
        return
    show_table(rows, key="divergence.origins", filename=f"{view.run.id}-origins.csv")
    st.caption(
        "A loss is against the worst of the layer's inputs. A healthy layer of a precision loses something too: what "
        "counts is the part beyond that."
    )
    for loss in view.losses:
        _keep(view, loss)


def _keep(view: RunView, loss: Loss) -> None:
    """A button that carries the guilty layers to the build form."""
    known = view.graph.indices_by_name
    names = [item.name for item in loss.guilty if item.name in known]
    precision = precision_of(loss.precision)
    if not names or not precision.is_quantized:
        return
    label = f"Build {PRECISION_LABELS[precision]} with {text.counted(len(names), 'layer')} kept in FP16"
    if st.button(label, key=f"divergence.keep.{loss.precision}", icon=":material/construction:"):
        st.session_state[f"build.{view.run.model_id}.keep"] = names
        st.session_state["build.wanted"] = precision.value
        st.switch_page("pages/build.py", query_params={"model": view.run.model_id})


def _graph(view: RunView) -> None:
    run = view.run
    label = st.segmented_control(
        "Coloured by the SQNR of",
        list(run.candidates),
        default=view.losses[0].precision if view.losses else None,
        key=f"divergence.graph_precision.{run.id}",
        format_func=lambda item: PRECISION_LABELS[precision_of(item)],
    )
    graph_panel(
        by_scope(view.graph),
        key="divergence.graph",
        key_of=bands(view.graph, run, label or run.candidates[0]),
        colours=BAND_COLOURS,
    )
    st.caption("Darker loses more. What was not compared was folded, and its work is inside another node.")
