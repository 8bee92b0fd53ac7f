"""Reports: one file, complete, and harmless whatever a model calls its nodes."""

from __future__ import annotations

import re

import plotly.graph_objects as go
import pytest

from pages.ui.divergence_run import run_view
from pages.ui.fusion_strip import layer_figure
from pages.ui.latency_runs import run_views
from pages.ui.report import Plot, Report, Table, render
from pages.ui.report_divergence import divergence_report
from pages.ui.report_engine import engine_report
from pages.ui.report_fusion import build_report
from pages.ui.report_latency import latency_report
from pages.ui.report_support import support_report
from pages.ui.report_sweep import sweep_report
from pages.ui.support_report import strip
from pages.ui.sweep_charts import Limit
from tests.analysis.trt86 import recorded
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.latency import LatencyRequest
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.rebuilds import RebuildSpec
from trt_core.domain.requests import BenchSpec, BuildSpec, DivergeSpec, InspectSpec, QuantizeSpec
from trt_core.domain.sweeps import SweepSpec
from trt_core.testing import CollectingReporter

HOSTILE = '</script><img src="http://evil.example/p.png" onerror="alert(1)">'
REPORTER = CollectingReporter()


def report(**changes):
    whole = {
        "title": "Latency of mlp",
        "verdict": "p50 1.00 ms",
        "stamp": "ONNX Runtime",
        "facts": {"Model": "mlp"},
        "parts": [
            Plot(title="Curve", figure=go.Figure(go.Scatter(y=[1, 2])), note="A note."),
            Table(title="Rows", rows=[{"node": "a", "ms": 1.5, "count": 3, "ok": True, "none": None}]),
        ],
        "findings": [Finding(rule="few", severity=Severity.NOTE, message="Few samples.")],
        "versions": {"onnxruntime": "1"},
    }
    return Report(**(whole | changes))


def text_of(page: str) -> str:
    """What a reader sees of it: no scripts, no styles, no tags."""
    return re.sub(r"<[^>]+>", " ", re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.DOTALL))


def figures_of(made: Report) -> list[str]:
    """The figures that a report's file holds."""
    return re.findall(r'data-plot="plot-\d+">(.*?)</script>', render(made))


def content(figure: go.Figure) -> dict:
    """What is in a figure now: one that is kept gives the dictionary that was made with it."""
    return go.Figure(figure).to_dict()


def test_a_report_is_one_file_with_plotly_once():
    page = render(report(parts=[*report().parts, *report().parts]))

    assert page.count("plotly.js v") == 1
    assert page.count('class="plot"') == 2
    assert not re.search(r"<(script|img|link|iframe)[^>]*\s(src|href)=", page)
    assert "default-src 'none'" in page


def test_a_report_shows_verdict_facts_figures_tables_findings_and_versions():
    said = text_of(render(report()))

    for expected in ("p50 1.00 ms", "ONNX Runtime", "mlp", "Curve", "A note.", "1.50", "Few samples.", "onnxruntime"):
        assert expected in said


@pytest.mark.parametrize("place", ["title", "verdict", "stamp"])
def test_hostile_text_stays_text_in_sentences(place):
    page = render(report(**{place: HOSTILE}))

    assert HOSTILE not in page
    assert "&lt;/script&gt;&lt;img" in page


def test_hostile_text_stays_text_in_tables_facts_findings_and_figures():
    figure = go.Figure(go.Scatter(y=[1], hovertext=[HOSTILE], name=HOSTILE))
    finding = Finding(
        rule="bad", severity=Severity.WARNING, message=HOSTILE, remedy=HOSTILE, nodes=(HOSTILE,), evidence=HOSTILE
    )
    page = render(
        report(
            facts={HOSTILE: HOSTILE},
            versions={HOSTILE: HOSTILE},
            findings=[finding],
            parts=[
                Plot(title=HOSTILE, figure=figure, note=HOSTILE),
                Table(title=HOSTILE, rows=[{HOSTILE: HOSTILE}], note=HOSTILE),
            ],
        )
    )

    assert HOSTILE not in page
    assert "<img" not in re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert "\\u003c/script>" in page


def test_the_page_keeps_its_figure_as_it_was():
    figure = go.Figure(go.Scatter(y=[1, 2]))
    before = figure.to_json()

    render(report(parts=[Plot(title="Curve", figure=figure)]))

    assert figure.to_json() == before


def test_a_support_report_leaves_the_figure_that_the_page_keeps(bench, mlp):
    spec = InspectSpec(model_id=mlp.id)
    bench.support.perform(spec, REPORTER)
    found = bench.support.find(spec)
    kept = content(strip(found))

    assert figures_of(support_report(bench, mlp, found)) == figures_of(support_report(bench, mlp, found))
    assert content(strip(found)) == kept


def test_a_build_report_leaves_the_figure_that_the_page_keeps(bench, mlp):
    spec = BuildSpec(variant=QuantizeSpec(model_id=mlp.id, recipe=Recipe(precision=Precision.FP32)))
    record = bench.builds.perform(spec, REPORTER).record
    fusion = bench.builds.fusion(record.id)
    kept = content(layer_figure(fusion, None))

    assert figures_of(build_report(bench, record, fusion)) == figures_of(build_report(bench, record, fusion))
    assert content(layer_figure(fusion, None)) == kept


def test_an_empty_table_and_no_findings_leave_no_hole():
    said = text_of(render(report(parts=[Table(title="Nothing here", rows=[])], findings=())))

    assert "Nothing here" not in said
    assert "Nothing was found that needs attention." in said


def test_a_latency_report_holds_conditions_percentiles_and_the_warning_about_tensorrt(bench, mlp):
    spec = BenchSpec(subject_id=mlp.id, request=LatencyRequest(iterations=30, warmup=2))
    run = bench.latency.perform(spec, REPORTER)

    page = render(latency_report(bench, run_views(bench, [run.id]), []))

    said = text_of(page)
    for expected in (
        "no TensorRT latency",
        mlp.sha256,
        "p99.9",
        "too few samples",
        "warm-up",
        "onnxruntime",
        "Cold start",
    ):
        assert expected in said
    assert run.conditions.device in said


def test_a_divergence_report_holds_every_layer_and_says_that_it_is_simulated(bench, mlp):
    run = bench.divergence.perform(DivergeSpec(model_id=mlp.id, against=(Precision.FP16,), samples=2), REPORTER)

    said = text_of(render(divergence_report(bench, run_view(bench, run.id))))

    assert "Simulated in ONNX Runtime" in said
    assert "seeded noise" in said
    assert all(layer.name in said for layer in run.layers)


def test_a_support_report_holds_every_node_with_its_proof(bench, mlp):
    spec = InspectSpec(model_id=mlp.id)
    bench.support.perform(spec, REPORTER)

    said = text_of(render(support_report(bench, mlp, bench.support.find(spec))))

    assert "no build was tried" in said
    assert all(node.name in said for node in bench.library.graph(mlp.id).nodes)


def test_a_build_report_holds_layers_nodes_and_whose_plan_it_is(bench):
    model = bench.library.add_sample("digits_cnn")
    spec = BuildSpec(variant=QuantizeSpec(model_id=model.id, recipe=Recipe(precision=Precision.FP16)))
    record = bench.builds.perform(spec, REPORTER).record

    said = text_of(render(build_report(bench, record, bench.builds.fusion(record.id))))

    assert "FP16 was asked for" in said
    assert "ahead-of-time plan" in said
    assert record.engine_sha256 in said
    assert all(node.name in said for node in bench.library.graph(model.id).nodes)


def test_the_report_of_a_sweep_names_the_sweet_spot_and_every_point(bench, mlp):
    spec = SweepSpec(subject_id=mlp.id, batches=(1, 2), streams=(1,), iterations=4, warmup=1)
    sweep = bench.sweeps.perform(spec, REPORTER)
    page = render(sweep_report(bench, sweep, Limit(ms=1e6, percentile="p50")))
    said = text_of(page)

    assert "the sweet spot is batch" in said
    assert "There are no copies: it computes in host memory." in said
    assert page.count('class="plot"') == 2
    assert "2 of 2" in said


def test_the_report_of_two_engines_says_why_they_differ(bench):
    bench.recordings.add_files(recorded("r50_fp16", "r50_int8_calib"), device="NVIDIA H200", version="8.6.0")
    first, second = (bench.engines.study(item.id) for item in bench.recordings.recordings())
    page = render(engine_report(bench, first, second))
    said = text_of(page)

    assert "r50_int8_calib is 1.01×" in said
    assert "2 of 54 layers with matrix work run in it" in said
    assert "Recorded on NVIDIA H200" in said
    for title in ("From the first to the second", "Time by layer", "Roofline", "Tuned layers", "Precision transitions"):
        assert title in said
    assert not re.search(r"<(script|img|link|iframe)[^>]*\s(src|href)=", page)


def test_the_report_of_an_engine_without_times_says_so(bench, mlp):
    spec = BuildSpec(variant=QuantizeSpec(model_id=mlp.id, recipe=Recipe(precision=Precision.FP32)))
    built = bench.builds.perform(spec, REPORTER).record
    said = text_of(render(engine_report(bench, bench.engines.study(built.id))))

    assert "no times were recorded" in said
    assert "Roofline" not in said
    assert "Attempts at this request" not in said

    bench.rebuilds.perform(RebuildSpec(build_id=built.id, times=1), REPORTER)
    said = text_of(render(engine_report(bench, bench.engines.study(built.id))))
    assert "2 attempts" in said
    assert "compiled ahead of time and do not run here" in said
