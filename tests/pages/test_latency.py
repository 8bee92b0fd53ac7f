"""The latency page: empty, filled, failing."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from pages.ui.latency_runs import run_precision, run_views, transfers_sentence
from pages.ui.latency_tables import estimate, sample_rows
from pages.ui.latency_view import compared, findings_of
from pages.ui.tables import csv_text
from tests.pages.conftest import cards, charts, scroll_to, words
from trt_core.domain.latency import LatencyRequest
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.requests import BenchSpec, BuildSpec, QuantizeSpec
from trt_core.testing import CollectingReporter


def measured(bench, subject_id, *, iterations=40, warmup=3, batch=1):
    request = LatencyRequest(iterations=iterations, warmup=warmup)
    return bench.latency.perform(BenchSpec(subject_id=subject_id, request=request, batch=batch), CollectingReporter())


def fp16(bench, model):
    wish = QuantizeSpec(model_id=model.id, recipe=Recipe(precision=Precision.FP16))
    return bench.variants.perform(wish, CollectingReporter())


def plots(app):
    return [json.dumps(figure, ensure_ascii=False).replace("<br>", " ") for figure in charts(app)]


def test_an_empty_workspace_offers_the_sample_that_fills_the_page(bench, open_page):
    app = open_page("latency")
    assert "no model in the workspace" in words(app)

    app.button("latency.sample").click().run()

    assert not app.exception
    assert len(bench.library.models()) == 1
    assert "no run of this model yet" in words(app)


def test_a_model_without_a_run_shows_the_form_with_its_symbols(mlp, open_page):
    app = open_page("latency", model=mlp.id)

    assert "batch" in [field.label for field in app.number_input]
    assert not app.button("latency.submit").disabled
    assert app.button("latency.backend.tensorrt").disabled
    assert "needs an NVIDIA GPU" in app.button("latency.backend.tensorrt").help
    assert "needs an NVIDIA GPU" in words(app)


def test_submitting_queues_the_measurement_that_the_form_holds(bench, mlp, open_page):
    app = open_page("latency", model=mlp.id)
    app.number_input("latency.iterations").set_value(7)
    app.number_input(f"latency.{mlp.id}.size.0").set_value(3)

    app.button("latency.submit").click().run()

    (job,) = bench.jobs.jobs()
    bench.jobs.cancel(job.id)
    assert job.request["spec"]["request"]["iterations"] == 7
    assert job.request["spec"]["request"]["shapes"][0][1][0] == 3


def test_what_is_queued_or_runs_already_cannot_be_asked_for_twice(bench, mlp, open_page):
    bench.latency.submit(BenchSpec(subject_id=mlp.id, request=LatencyRequest(duration_s=60)))
    app = open_page("latency", model=mlp.id)

    app.button("latency.submit").click().run()  # waits behind the one that has the processor

    assert app.button("latency.submit").disabled
    assert "queued already" in app.button("latency.submit").help
    app.number_input("latency.iterations").set_value(7).run()
    assert not app.button("latency.submit").disabled
    for job in bench.jobs.jobs(active=True):
        bench.jobs.cancel(job.id)


def test_a_run_of_another_model_is_not_shown_under_this_one(bench, mlp, open_page):
    measured(bench, mlp.id)

    app = open_page("latency", model=mlp.id, latency="l-000000000000")

    assert "not one of this model" in app.error[0].value.replace("\\", "")
    assert "What to do" in app.error[0].value


def test_one_run_answers_with_intervals_and_its_conditions(bench, mlp, open_page):
    run = measured(bench, mlp.id)

    app = open_page("latency", model=mlp.id, latency=run.id)

    scroll_to(app, "latency.spread", "latency.details")
    said = words(app)
    assert "p50" in said
    assert "40 samples of ONNX Runtime" in said
    assert "no TensorRT latency" in said
    assert list(cards(app))[:5] == ["p50", "p99", "Throughput", "Samples", "Cold start"]
    assert "too few samples: from 10,000 on" in set(app.dataframe[0].value["interpolated"])
    assert plots(app)
    for plot in plots(app):
        assert "This is no TensorRT latency" in plot
        assert "warm-up 3" in plot


def test_two_runs_are_compared_with_an_interval_and_their_differing_conditions(bench, mlp, open_page):
    first = measured(bench, mlp.id)
    other = measured(bench, fp16(bench, mlp).id, batch=2)

    app = open_page("latency", model=mlp.id, runs=f"{first.id},{other.id}", tab="findings")

    said = words(app)
    assert "A · FP32" in said
    assert "B · FP16" in said
    assert "×" in said
    assert "The runs differ in input shapes" in said.replace("\\", "")
    assert app.multiselect("latency.runs").value == [first.id, other.id]


def test_the_ratio_is_told_from_the_faster_run(bench, mlp):
    one = measured(bench, mlp.id)
    views = run_views(bench, [one.id, measured(bench, mlp.id).id])

    (found,) = compared(bench, views)

    assert {found.faster.letter, found.slower.letter} == {"A", "B"}
    assert found.result.ratio_ci95[1] >= found.result.ratio_ci95[0]
    assert found.result.verdict.value != "slower"
    assert all(finding.message.startswith(("A · ", "B · ", "The ")) for finding in findings_of(views, [found]))


def test_runs_in_one_precision_are_told_apart(bench, mlp):
    run = measured(bench, mlp.id)

    views = run_views(bench, [run.id, measured(bench, mlp.id).id])

    assert len({(view.colour, view.dash, view.symbol) for view in views}) == 2
    assert [view.letter for view in views] == ["A", "B"]


def test_the_samples_travel_with_their_conditions(bench, mlp):
    run = measured(bench, mlp.id)

    rows = list(csv.DictReader(io.StringIO(csv_text(sample_rows(run_views(bench, [run.id]))).removeprefix("\ufeff"))))

    assert [row["phase"] for row in rows] == ["warm-up"] * 3 + ["sample"] * 40
    assert {row["backend"] for row in rows} == {f"ONNX Runtime {run.conditions.backend_version}"}
    assert float(rows[3]["ms"]) == run.samples_ms[0]


@pytest.mark.parametrize(
    ("value", "bounds", "expected"),
    [
        (0.164, (0.163, 0.165), "0.164 ms (0.163–0.165)"),
        (0.11, (0.09, 0.12), "0.110 ms (90.0 µs–0.120 ms)"),
        (2.0, None, "2.00 ms"),
        (None, None, "–"),
    ],
)
def test_an_estimate_stands_with_its_interval(value, bounds, expected):
    assert estimate(value, bounds) == expected


def test_a_link_to_a_run_that_is_gone_says_so(mlp, bench, open_page):
    measured(bench, mlp.id)

    app = open_page("latency", model=mlp.id, latency="l-000000000000")

    assert app.error
    assert "l-000000000000" in words(app).replace("\\", "")


def test_a_failed_measurement_says_what_to_do(bench, mlp, open_page):
    app = open_page("latency", model=mlp.id)
    app.button("latency.submit").click().run()
    (job,) = bench.jobs.jobs()
    bench.jobs.cancel(job.id)

    app = open_page("latency", model=mlp.id, job=job.id)

    assert not app.exception
    assert app.button("latency.submit")


def test_every_baseline_that_does_not_run_here_says_why(mlp, open_page):
    app = open_page("latency", model=mlp.id)
    said = words(app).replace("\\", "")

    for name, reason in (("ort-cuda", "onnxruntime-gpu"), ("pytorch", "pip install torch"), ("tensorrt", "NVIDIA GPU")):
        assert app.button(f"latency.backend.{name}").disabled
        assert reason in said
    assert app.toggle("latency.transfers").disabled
    assert "no copies to include" in app.toggle("latency.transfers").help


def test_a_program_in_the_operators_folder_is_offered_once_pytorch_is_there(
    bench, mlp, open_page, tmp_path, monkeypatch
):
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "net.pt2").write_bytes(b"program")
    monkeypatch.setenv("ENGINESCOPE_TORCH_PROGRAMS", str(tmp_path / "programs"))
    monkeypatch.setattr("trt_core.backends.pytorch.meter.TorchMeter.check", lambda self: None)
    app = open_page("latency", model=mlp.id)
    app.button("latency.backend.pytorch").click().run()

    assert app.selectbox("latency.program").value == "net.pt2"
    assert "may carry code" in words(app)
    app.button("latency.submit").click().run()
    (job,) = bench.jobs.jobs()
    bench.jobs.cancel(job.id)
    spec = job.request["spec"]
    assert (spec["backend"], spec["program"]) == ("pytorch", "net.pt2")


def test_a_run_of_an_engine_has_the_engines_precision_and_library_in_its_name(bench, mlp):
    wish = BuildSpec(variant=QuantizeSpec(model_id=mlp.id, recipe=Recipe(precision=Precision.FP16)))
    build = bench.builds.perform(wish, CollectingReporter()).record
    run = measured(bench, mlp.id)
    on_gpu = replace(run, subject_id=build.id, conditions=replace(run.conditions, backend="tensorrt"))

    assert run_precision(bench, run) is Precision.FP32
    assert run_precision(bench, on_gpu) is Precision.FP16
    eager = replace(run, conditions=replace(run.conditions, backend="pytorch"))
    assert run_precision(bench, eager) is Precision.UNKNOWN

    (view,) = run_views(bench, [run.id])
    assert view.name == "A · FP32"
    assert replace(view, run=on_gpu, precision=Precision.FP16).name == "A · FP16 · TensorRT"
    assert replace(view, run=eager, precision=Precision.UNKNOWN).name == "A · PyTorch"
    assert "computes in host memory" in transfers_sentence(eager.conditions)
    assert "left out" in transfers_sentence(on_gpu.conditions)


def test_a_load_has_its_price_beside_the_run_that_was_measured(bench, mlp, open_page):
    run = measured(bench, mlp.id)
    app = open_page("latency", model=mlp.id, latency=run.id, tab="cost")

    def price() -> str:
        return cards(app)["A month"][0]

    before = price()
    app.number_input("latency.price").set_value(30.0).run()
    assert price() != before
    assert "no TensorRT latency: the price is that of such a machine" in words(app)
