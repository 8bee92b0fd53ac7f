"""The triage page: empty, a search with its curve and plan, another tolerance, a validation."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import onnx
import pytest
from PIL import Image

from pages.ui.report import render
from pages.ui.report_triage import triage_report
from pages.ui.theme import PRECISION_COLOURS
from pages.ui.triage_charts import curve_figure, strip_figure
from pages.ui.triage_plans import plan_changes
from pages.ui.triage_view import evaluation_rows, layer_rows
from pages.ui.triage_words import search_title
from tests.pages.conftest import open_expanders, saves, words
from trt_core.domain.codec import to_plain
from trt_core.domain.jobs import JobKind
from trt_core.domain.plans import plan_text
from trt_core.domain.precision import CalibrationMethod, Precision, Recipe
from trt_core.domain.requests import TriageSpec, ValidateSpec
from trt_core.testing import CollectingReporter

QUIET = CollectingReporter()


@pytest.fixture
def sample(bench):
    return bench.library.add_sample("digits_transformer")


def data_of(bench, name):
    return next(item for item in bench.library.data_sets() if name in item.name)


def cut(bench, record, count, name):
    """The first samples of a stored set."""
    target = io.BytesIO()
    with np.load(bench.library.data_path(record.id)) as stored:
        np.savez(target, **{key: stored[key][:count] for key in stored.files})
    target.seek(0)
    return bench.library.add_data(target, name=name)


@pytest.fixture
def run(bench, sample):
    test, labels = (cut(bench, data_of(bench, name), 600, f"{name}_few") for name in ("/test.npz", "labels"))
    spec = TriageSpec(
        model_id=sample.id,
        recipe=Recipe(precision=Precision.INT8, method=CalibrationMethod.MINMAX),
        data_id=data_of(bench, "calibration").id,
        validation_id=test.id,
        labels_id=labels.id,
        tolerance=0.02,
        ranking_samples=8,
        leave_one_out=1,
    )
    return bench.triage.perform(spec, QUIET)


def test_an_empty_workspace_offers_the_sample_that_int8_breaks(bench, open_page):
    app = open_page("triage")
    assert "no model in the workspace" in words(app)

    app.button("triage.sample").click().run()

    assert not app.exception
    assert "no search of this model yet" in words(app)
    assert not app.button("triage.submit").disabled


def test_a_model_without_data_cannot_be_searched_and_says_why(mlp, open_page):
    app = open_page("triage", model=mlp.id)

    assert app.button("triage.submit").disabled
    assert "Upload validation samples first" in words(app)


def test_a_search_says_what_is_kept_why_and_that_tensorrt_is_absent(sample, run, open_page):
    app = open_page("triage", model=sample.id, triage=run.id, tab="ptq-or-runtime")

    said = words(app)
    assert "of 20 leaves" in said
    assert "/encoder/layer0/ffn/up/MatMul" in said
    assert "channels are more than" in said
    assert "TensorRT row is absent" in said


def test_a_search_is_one_html_file_with_its_verdict_its_plan_and_its_conditions(bench, sample, run, open_page):
    app = open_page("triage", model=sample.id, triage=run.id)
    assert "Report as one HTML file" in saves(app)

    report = triage_report(bench, run)

    assert report.verdict in words(app).replace("\\", "")
    assert report.facts["Tolerance"] == "0.0200"
    kept = next(part for part in report.parts if part.title == "Kept higher")
    assert {row["node"] for row in kept.rows} == set(run.after.kept)
    assert {row["in"] for row in kept.rows} == {"FP16"}
    assert sample.sha256 in render(report)


def test_another_tolerance_weighs_the_same_measurements_again(bench, sample, run, open_page):
    app = open_page("triage", model=sample.id, triage=run.id)

    app.number_input(f"triage.rejudge.{run.id}").set_value(30.0).run()

    assert not app.exception
    said = "Keeping 0 nodes of 20 leaves 94.2 % of all MACs in INT8; the loss is proven to stay within 30.0 %"
    assert said in words(app)
    assert bench.triage.run(run.id).tolerance == 0.02


def test_a_floor_that_nothing_reaches_is_said_plainly_and_another_one_weighs_the_same_run(bench, sample, open_page):
    spec = TriageSpec(
        model_id=sample.id,
        recipe=Recipe(precision=Precision.INT8, method=CalibrationMethod.MINMAX),
        data_id=data_of(bench, "calibration").id,
        validation_id=cut(bench, data_of(bench, "/test.npz"), 40, "few").id,
        metric="sqnr",
        tolerance=200.0,
        ranking_samples=8,
    )
    run = bench.triage.perform(spec, QUIET)
    app = open_page("triage", model=sample.id, triage=run.id)
    assert "sqnr is below the floor of 200." in words(app)
    assert "proven" not in words(app)

    app.number_input(f"triage.rejudge.{run.id}").set_value(1.0).run()

    assert not app.exception
    assert "Keeping 0 nodes" in words(app)
    assert "sqnr is at or above the floor of 1" in words(app)
    assert bench.triage.run(run.id).tolerance == 200.0


@pytest.mark.parametrize(("precision", "floor"), [("int8", 30.0), ("fp8", 22.0), ("int4", 12.0)])
def test_the_floor_in_the_form_is_that_of_the_precision_and_says_why(bench, sample, open_page, precision, floor):
    app = open_page("triage", model=sample.id)
    app.session_state["triage.precision"] = precision
    app.selectbox("triage.metric").set_value("sqnr").run()

    (shown,) = (item for item in app.number_input if item.label == "Floor")
    assert not app.exception
    assert shown.value == floor
    assert f"what a healthy {precision.upper()} layer reaches, less 6 dB" in shown.help


def test_every_evaluation_is_a_point_the_plan_a_strip_and_gains_say_how_they_were_found(run):
    curve = curve_figure(run)
    drawn = sum(len(trace.x) for trace in curve.data if trace.customdata is not None)

    assert drawn == len(run.evaluations) == len(evaluation_rows(run))
    assert any(shape.line.dash == "dash" for shape in curve.layout.shapes)
    assert sum(len(trace.x) for trace in strip_figure(run).data) == len(run.plan.entries) == len(layer_rows(run)) == 20
    marks = [row["Gain is"] for row in layer_rows(run)]
    assert marks[0] == "measured"
    assert set(marks[1:]) == {"estimated"}


def test_a_plan_of_many_nodes_is_one_picture_with_a_legend_and_a_word_for_each_cell(run):
    first, *others = run.plan.entries
    kept = replace(first, precision=Precision.FP16)
    copies = [replace(entry, node=f"{entry.node}_{number}") for number in range(10) for entry in others]
    many = replace(run, plan=replace(run.plan, entries=(kept, *copies)))

    cells, *legend = strip_figure(many).data

    assert cells.type == "heatmap"
    assert len(cells.text[0]) == len(cells.z[0]) == 191
    assert list(cells.customdata[0][:2]) == ["FP16 (H)", "INT8 (I)"]
    assert first.node.rpartition("/")[2] in cells.text[0][0]
    assert [trace.name for trace in legend] == ["FP16 (H)", "INT8 (I)"]
    assert legend[0].marker.color == PRECISION_COLOURS[Precision.FP16]


def test_a_validation_is_a_card_with_its_verdict_and_the_samples_that_flipped(bench, sample, run, open_page):
    variant = bench.triage.make_variant(run, QUIET)
    spec = ValidateSpec(
        model_id=sample.id, subject_id=variant.id, data_id=run.validation_id, labels_id=run.labels_id, tolerance=0.02
    )
    validation = bench.validation.perform(spec, QUIET)
    lost, gained = bench.validation.flipped(validation)

    app = open_page("triage", model=sample.id, triage=run.id)
    said = words(app)

    assert (len(lost), len(gained)) == (validation.measured.counts.lost, validation.measured.counts.gained)
    assert bench.validation.judgement(validation).verdict.value in said
    assert variant.id.replace("-", r"\-") in said

    looser, stricter = (
        bench.validation.judgement(bench.validation.rejudged(validation, share)) for share in (0.4, 0.0)
    )
    assert looser.verdict is not stricter.verdict
    app.number_input("triage.validation_tolerance").set_value(40.0).run()
    assert not app.exception
    assert f"{looser.verdict.value}]" in words(app)
    assert "tolerance 40" in words(app)
    app.number_input("triage.validation_tolerance").set_value(0.0).run()
    assert f"{stricter.verdict.value}]" in words(app)


def test_a_point_of_the_curve_can_be_chosen_and_taken_back(bench, sample, run, open_page):
    app = open_page("triage", model=sample.id, triage=run.id)
    plain = next(place for place, one in enumerate(run.evaluations) if not one.kept)
    assert {place for trace in curve_figure(run).data for place in trace.customdata or ()} == set(
        range(len(run.evaluations))
    )

    app.session_state[f"triage.point.{run.id}"] = plain
    app.run()

    assert not app.exception
    assert "Keeping 0 nodes of 20" in words(app)
    assert bench.triage.chosen(run, plain).plan.kept == ()
    app.button("triage.unpick").click().run()
    assert f"Keeping {len(run.after.kept)} node" in words(app)


def test_a_saved_plan_is_held_against_the_one_on_screen_and_strangers_are_named(bench, sample, run, open_page):
    other = bench.triage.chosen(run, 0)
    assert {row["Node"] for row in plan_changes(run.plan, other.plan)} == set(run.after.kept)

    app = open_page("triage", model=sample.id, triage=run.id)
    renamed = plan_text(run.plan).replace("/encoder/layer0/ffn/up/MatMul", "/elsewhere/MatMul").encode()
    open_expanders(app, "triage.bring")
    app.file_uploader("triage.plan_file").upload("plan.json", renamed, "application/json").run()

    assert not app.exception
    said = words(app)
    assert "19 of 20 nodes of the plan are in" in said
    assert "/elsewhere/MatMul" in said
    app.file_uploader("triage.plan_file").upload("plan.json", b"[]", "application/json").run()
    assert "does not say" in words(app)


def test_a_plan_from_outside_becomes_a_variant_with_the_data_that_it_was_found_with(bench, sample, run, open_page):
    app = open_page("triage", model=sample.id, triage=run.id)
    open_expanders(app, "triage.bring")
    app.file_uploader("triage.plan_file").upload("plan.json", plan_text(run.plan).encode(), "application/json").run()

    assert app.selectbox("triage.plan_data").value == data_of(bench, "calibration").id
    app.button("triage.plan_variant").click().run()

    assert not app.exception
    (job,) = [item for item in bench.jobs.jobs() if item.kind is JobKind.QUANTIZE]
    assert job.request["spec"]["recipe"] == to_plain(bench.variants.resolved(bench.triage.variant_wish(run)).recipe)


def test_two_plans_from_outside_are_held_against_each_other(bench, sample, run, open_page):
    other = bench.triage.chosen(run, 0)
    app = open_page("triage", model=sample.id, triage=run.id)
    open_expanders(app, "triage.bring")
    app.file_uploader("triage.plan_other").upload("b.json", plan_text(other.plan).encode(), "application/json").run()
    app.file_uploader("triage.plan_file").upload("a.json", plan_text(other.plan).encode(), "application/json").run()

    assert "It treats every node as the other plan does." in words(app)


def test_a_search_that_runs_already_cannot_be_asked_for_twice(bench, sample, open_page):
    app = open_page("triage", model=sample.id)
    app.button("triage.submit").click().run()

    again = open_page("triage", model=sample.id)

    assert len(bench.jobs.jobs()) == 1
    assert again.button("triage.submit").disabled
    assert "This very request is" in words(again)


def test_percentile_calibration_can_be_asked_for_on_the_page(bench, sample, open_page):
    app = open_page("triage", model=sample.id)
    assert app.number_input("triage.percentile").disabled

    app.selectbox("triage.method").set_value("percentile").run()
    app.number_input("triage.percentile").set_value(99.9).run()
    app.button("triage.submit").click().run()

    assert not app.exception
    (job,) = bench.jobs.jobs()
    recipe = job.request["spec"]["recipe"]
    assert (recipe["method"], recipe["percentile"]) == ("percentile", 99.9)


def test_the_head_to_be_scored_is_asked_for_where_there_are_two(bench, sample, open_page):
    assert not [item for item in open_page("triage", model=sample.id).selectbox if "output" in str(item.key)]
    model = onnx.load(bench.library.model_path(sample.id))
    (logits,) = model.graph.output
    model.graph.node.append(onnx.helper.make_node("Neg", [logits.name], ["opposite"], name="opposite"))
    model.graph.output.append(onnx.ValueInfoProto(name="opposite", type=logits.type))
    record = bench.library.add_upload({"two_heads.onnx": io.BytesIO(model.SerializeToString())})
    app = open_page("triage", model=record.id)

    app.selectbox(f"triage.output.{record.id}").set_value("opposite").run()
    app.button("triage.submit").click().run()

    assert not app.exception
    (job,) = bench.jobs.jobs()
    assert job.request["spec"]["output"] == "opposite"


def test_pictures_with_a_label_file_become_samples_and_labels(bench, sample, open_page):
    picture = io.BytesIO()
    Image.new("L", (20, 20), 128).save(picture, "PNG")
    app = open_page("triage", model=sample.id)
    app.file_uploader("triage.pictures").upload("digits/one.png", picture.getvalue(), "image/png").run()
    app.file_uploader("triage.picture_labels").upload("truth.csv", b"one.png,7\n", "text/csv").run()
    app.text_input("triage.mean").set_value("0.5").run()
    app.button("triage.pictures_add").click().run()

    assert not app.exception
    samples = next(item for item in bench.library.data_sets() if item.name == "digits")
    assert "truth.csv" in [item.name for item in bench.library.label_sets()]
    with np.load(bench.library.data_path(samples.id)) as stored:
        assert stored["image"].shape == (1, 1, 16, 16)
        assert np.allclose(stored["image"], 128 / 255 - 0.5, atol=1e-6)


def test_both_precisions_side_by_side_are_one_click_away(sample, run, open_page):
    app = open_page("triage", model=sample.id, triage=run.id)

    app.button("triage.beside").click().run()

    assert not app.exception
    assert app.session_state["triage.view"] == "beside"
    assert "no measurement of this model yet" in words(app)


def test_the_switch_that_runs_the_engine_is_off_with_its_reason_where_no_engine_runs(bench, sample, run, open_page):
    variant = bench.triage.make_variant(run, QUIET)
    app = open_page("triage", model=sample.id, triage=run.id)

    switch = app.toggle(f"triage.check_engine.{variant.id}")

    assert switch.disabled
    assert not switch.value
    assert "A variant is no engine: build it with TensorRT on a GPU host" in words(app)


def test_the_switch_is_on_where_the_engine_runs_and_a_refusal_is_said_on_the_page(
    bench, sample, run, open_page, monkeypatch
):
    variant = bench.triage.make_variant(run, QUIET)
    monkeypatch.setattr("trt_core.services.engine_choice.EngineChoice.why_not", lambda *_: "")
    app = open_page("triage", model=sample.id, triage=run.id)
    assert app.toggle(f"triage.check_engine.{variant.id}").value

    app.button("triage.validate").click().run()

    assert not app.exception
    assert "needs an NVIDIA GPU and TensorRT" in words(app)
    assert not [item for item in bench.jobs.jobs() if item.kind is JobKind.VALIDATE]


def test_searches_of_one_model_are_told_apart_by_how_they_calibrated(run):
    recipe = replace(run.plan.recipe, method=CalibrationMethod.PERCENTILE, percentile=99.9, attention=True)

    said = search_title(replace(run, plan=replace(run.plan, recipe=recipe)))

    assert said.startswith(f"INT8 · percentile 99.9 · with attention · {run.metric} · ")
    assert run.id in said
