"""Precisions side by side: the form, the picture on one scale, the table of backends, the report."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest

from pages.ui.picture_upload import image_settings
from pages.ui.report import render
from pages.ui.sensitivity_charts import map_figure
from pages.ui.sensitivity_view import (
    answer,
    answer_rows,
    precision_rows,
    sensitivity_report,
    sensitivity_view,
)
from tests.pages.conftest import words
from trt_core.analysis.sensitivity_map import blocks_of, gains, map_rows, strips, unit_places
from trt_core.domain.precision import CalibrationMethod, Precision
from trt_core.domain.requests import SensitivitySpec
from trt_core.errors import InvalidInput
from trt_core.testing import CollectingReporter

QUIET = CollectingReporter()


@pytest.fixture
def sample(bench):
    return bench.library.add_sample("digits_transformer")


@pytest.fixture
def run(bench, sample):
    sets = {item.name.rpartition("/")[2]: item.id for item in bench.library.data_sets()}
    spec = SensitivitySpec(
        model_id=sample.id,
        against=(Precision.FP16, Precision.INT8, Precision.BF16),
        validation_id=sets["test.npz"],
        data_id=sets["calibration.npz"],
        metric="sqnr",
        tolerance=20.0,
        method=CalibrationMethod.MINMAX,
        samples=16,
        ranking_samples=4,
        leave_one_out=2,
    )
    return bench.sensitivity.perform(spec, QUIET)


def test_without_a_measurement_the_view_says_what_will_be_here(sample, open_page):
    app = open_page("triage", model=sample.id)
    app.session_state["triage.view"] = "beside"
    app.run()

    assert not app.exception
    assert "no measurement of this model yet" in words(app)
    assert not app.button("sensitivity.submit").disabled


def test_a_link_to_a_measurement_opens_it(sample, run, open_page):
    app = open_page("triage", model=sample.id, sensitivity=run.id)

    said = words(app)
    assert not app.exception
    assert "FP16 and BF16 stay within the tolerance. INT8 loses more than the tolerance." in said
    assert "ffn/up/MatMul" in said


def test_all_strips_share_one_scale_and_precisions_of_a_kind_are_neighbours(bench, run):
    view = sensitivity_view(bench, run.id)
    figure = map_figure(run, view.spans)

    (heatmap,) = [trace for trace in figure.data if trace.type == "heatmap"]
    assert (heatmap.zmin, heatmap.zmax) == (0.0, 60.0)
    assert list(heatmap.y[:6]) == [
        f"{name} {kind}" for kind in ("accumulated", "isolated") for name in ("FP16 (H)", "INT8 (I)", "BF16 (B)")
    ]
    assert list(heatmap.y[6:]) == ["INT8 (I) only weights", "INT8 (I) only activations"]
    assert any(trace.type == "bar" for trace in figure.data)


def test_an_equal_layer_is_drawn_at_the_scale_s_end_and_a_gap_stays_a_gap(bench, run):
    drawn = {(strip.precision, strip.kind): strip.sqnr_db for strip in strips(run)}
    alone = drawn[Precision.INT8, "isolated"]
    (heatmap,) = [t for t in map_figure(run, ()).data if t.type == "heatmap"]
    row = heatmap.z[list(heatmap.y).index("INT8 (I) isolated")]

    assert any(value == math.inf for value in alone if value is not None)
    assert all(high == 60.0 for value, high in zip(alone, row, strict=True) if value == math.inf)
    half = heatmap.z[list(heatmap.y).index("INT8 (I) only weights")]
    assert any(value is None for value in half)


def test_every_unit_stands_once_at_the_layer_where_it_was_measured(run):
    for part in run.precisions:
        places = unit_places(run, part)
        assert len(places) == len({item.unit.node for item in part.units if item.isolated_db is not None})
        for place, item in places.items():
            error = run.layers[place].error(part.precision.value, isolated=True)
            assert error is not None
            assert error.sqnr_db == item.isolated_db
    assert sum(sum(item.measured) for item in gains(run)) == 6


def test_rows_name_the_block_and_say_how_a_gain_was_found(bench, run):
    view = sensitivity_view(bench, run.id)
    rows = map_rows(run, view.spans)

    assert {row["Block"] for row in rows} >= {"encoder/layer0", "encoder/layer2"}
    assert {row["INT8 gain is"] for row in rows if row["INT8 gain"] is not None} == {"measured", "estimated"}
    assert blocks_of((), run.layers) == ("",) * len(run.layers)


def test_backends_stand_beside_the_figures_with_their_reasons(run):
    (fp16, int8, bf16), said = precision_rows(run), answer_rows(run)

    assert int8["Verdict"] == "worse"
    assert fp16["Verdict"] == "not worse"
    assert bf16["TensorRT 8.6"] == "cannot, by rule"
    assert any(row["Says"] == "It has no BF16 data type." for row in said)


def test_the_report_holds_the_picture_the_backends_and_every_layer(bench, run):
    text = render(sensitivity_report(bench, sensitivity_view(bench, run.id)))

    assert "Precisions beside each other" in text
    assert "It has no BF16 data type." in text
    assert text.count("/encoder/layer1/ffn/down/MatMul") >= 1
    assert answer(run).startswith("FP16 and BF16 stay")


def test_image_settings_read_lists_of_numbers_and_refuse_words():
    assert image_settings(256, "0.485, 0.456 0.406", "0.2").mean == (0.485, 0.456, 0.406)
    with pytest.raises(InvalidInput, match="no list of numbers"):
        image_settings(0, "grey", "1")


def test_a_precision_that_can_lower_nothing_says_so_and_the_page_stands(bench, mlp, open_page):
    shape = [4 if not isinstance(size, int) else size for size in mlp.inputs[0].shape]
    target = io.BytesIO()
    np.savez(target, **{mlp.inputs[0].name: np.ones(shape, np.float32)})
    target.seek(0)
    data = bench.library.add_data(target, name="ones.npz", model_id=mlp.id)
    spec = SensitivitySpec(
        model_id=mlp.id, against=(Precision.INT4,), validation_id=data.id, metric="sqnr", tolerance=20.0
    )
    run = bench.sensitivity.perform(spec, QUIET)

    app = open_page("triage", model=mlp.id, sensitivity=run.id)

    assert not app.exception
    assert run.precisions[0].refusal
    assert "can be lowered to int4" in words(app)
    assert "2 nodes are not quantized: K is not a multiple of 64, the smallest block" in words(app).replace("\\", "")
