"""The divergence page: empty, filled, failing."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest

from pages.ui.divergence_charts import sqnr, sqnr_figure
from pages.ui.divergence_run import layer_rows, origin_rows, run_title, run_view
from tests.pages.conftest import cards, charts, charts_told, words
from trt_core.analysis.divergence_pictures import curves
from trt_core.domain.artifacts import ArtifactKind
from trt_core.domain.codec import to_plain
from trt_core.domain.divergence import DivergenceRun, LayerDivergence, OutputDivergence, TensorError
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.requests import DivergeSpec, QuantizeSpec
from trt_core.testing import CollectingReporter

_EVEN = TensorError(sqnr_db=0.0, cosine=1.0, max_abs=0.0, mean_abs=0.0, rel_l2=0.0)


@pytest.fixture
def data(bench, mlp):
    """Sixteen samples for the small model."""
    rng = np.random.default_rng(0)
    target = io.BytesIO()
    arrays = {
        spec.name: rng.standard_normal((16, *(d for d in spec.shape[1:]))).astype(np.float32) for spec in mlp.inputs
    }
    np.savez(target, **arrays)
    target.seek(0)
    return bench.library.add_data(target, name="few.npz", model_id=mlp.id)


@pytest.fixture
def run(bench, mlp, data):
    spec = DivergeSpec(
        model_id=mlp.id, against=(Precision.FP16, Precision.INT8), data_id=data.id, samples=4, mode="both"
    )
    return bench.divergence.perform(spec, CollectingReporter())


def test_an_empty_workspace_offers_the_sample_that_loses_in_int8(bench, open_page):
    app = open_page("divergence")
    assert "no model in the workspace" in words(app)

    app.button("divergence.sample").click().run()

    assert not app.exception
    assert [model.name for model in bench.library.models()] == ["digits_transformer"]
    assert "no run of this model yet" in words(app)
    assert not app.button("divergence.submit").disabled


def test_int8_without_calibration_data_is_refused_with_the_reason(mlp, open_page):
    app = open_page("divergence", model=mlp.id)
    assert not app.button("divergence.submit").disabled  # FP16 needs no data

    app.button_group(f"divergence.{mlp.id}.against").set_value(["int8"]).run()

    assert app.button("divergence.submit").disabled
    assert "needs calibration data" in app.button("divergence.submit").help


def test_submitting_queues_the_comparison_that_the_form_holds(bench, mlp, data, open_page):
    app = open_page("divergence", model=mlp.id)
    app.number_input("divergence.samples").set_value(5)
    app.selectbox("divergence.mode").set_value("isolated")

    app.button("divergence.submit").click().run()

    (job,) = bench.jobs.jobs()
    bench.jobs.cancel(job.id)
    spec = job.request["spec"]
    assert (spec["against"], spec["samples"], spec["mode"]) == (["fp16", "int8"], 5, "isolated")
    assert (spec["data_id"], spec["calibration_id"]) == (data.id, data.id)


def test_a_file_in_low_precision_is_offered_and_brings_its_own_settings(bench, mlp, data, open_page, tmp_path):
    wish = QuantizeSpec(model_id=mlp.id, recipe=Recipe(precision=Precision.INT8), data_id=data.id)
    variant = bench.variants.perform(wish, CollectingReporter())
    path = tmp_path / "theirs.onnx"
    path.write_bytes(bench.variants.path(variant.id).read_bytes())
    theirs = bench.library.add_file(path, trusted=True)
    app = open_page("divergence", model=mlp.id)

    app.selectbox(f"divergence.{mlp.id}.file").set_value(theirs.id).run()

    keys = [item.key for item in (*app.selectbox, *app.button_group, *app.number_input)]
    assert "divergence.samples" in keys
    assert not {f"divergence.{mlp.id}.against", "divergence.method", "divergence.calibration"} & set(keys)
    app.button("divergence.submit").click().run()
    (job,) = bench.jobs.jobs()
    bench.jobs.cancel(job.id)
    assert (job.request["spec"]["candidate_id"], job.request["spec"]["against"]) == (theirs.id, [])
    assert "theirs" in job.title


def test_a_run_of_a_file_names_it_and_the_scales_that_cost(bench, mlp, data, open_page):
    layers = [
        LayerDivergence(
            index=node.index,
            name=node.name,
            op_type=node.op_type,
            tensor=node.outputs[0],
            accumulated=(),
            isolated=(("int8", replace(_EVEN, sqnr_db=5.0 if node.index == 2 else 4.0)),),
            avoidable_db=(("int8", 30.0 if node.index == 2 else 0.0),),
        )
        for node in bench.library.graph(mlp.id).nodes[:3]
    ]
    run = DivergenceRun(
        id="d-" + "1" * 12,
        model_id=mlp.id,
        created_at=0.0,
        baseline="fp32",
        candidates=("int8",),
        method="Simulated.",
        layers=tuple(layers),
        outputs=(),
        origin=(),
        samples=1,
        seconds=1.0,
        candidate_file="theirs",
    )
    files = {"run.json": json.dumps(to_plain(run)).encode()}
    bench.divergence._context.store.put(ArtifactKind.DIVERGENCE, run.id, run, files, parents=(mlp.id,))

    app = open_page("divergence", model=mlp.id, divergence=run.id)

    assert "where a scale does not fit" in words(app)
    assert "INT8 of theirs" in run_title(run)
    (first, *_) = origin_rows(run_view(bench, run.id))
    assert (first["layer"], first["scales cost"]) == (layers[2].name, "30.0 dB")


def test_samples_to_compare_on_are_not_those_of_calibration_where_there_are_others(bench, open_page):
    model = bench.library.add_sample("digits_cnn")

    app = open_page("divergence", model=model.id)

    by_id = {record.id: record.name for record in bench.library.data_sets(model.id)}
    assert "test" in by_id[app.selectbox(f"divergence.on.{model.id}").value]
    assert "calibration" in by_id[app.selectbox("divergence.calibration").value]


def test_a_run_answers_for_each_precision_and_says_that_it_is_simulated(mlp, run, open_page):
    app = open_page("divergence", model=mlp.id, divergence=run.id)

    said = words(app)
    assert "INT8 loses" in said
    assert "FP16 loses" in said
    assert "At the outputs: INT8" in said
    assert "Simulated in ONNX Runtime" in said
    assert "few.npz" in said.replace("\\", "")
    assert list(cards(app))[:3] == [
        "INT8 (I) worst output",
        "INT8 (I) worst layer",
        "INT8 (I) loss begins",
    ]
    (picture,) = charts(app)
    spec = json.dumps(picture, ensure_ascii=False)
    assert "Simulated in ONNX Runtime" in spec
    assert "INT8 (I) isolated" in spec


def test_a_chosen_layer_shows_its_values_its_errors_and_what_feeds_it(mlp, run, open_page):
    app = open_page("divergence", model=mlp.id, divergence=run.id)

    app.selectbox("divergence.layer").set_value(len(run.layers) - 1).run()

    assert not app.exception
    assert f"Layer {len(run.layers) - 1}" in words(app)
    assert len(charts(app)) == 2
    assert "What feeds it" in words(app)
    errors = app.dataframe[0].value
    assert list(errors["precision"]) == ["FP16 (H)", "INT8 (I)", "FP16 (H)", "INT8 (I)"]
    assert list(errors["error"]) == ["accumulated", "accumulated", "isolated", "isolated"]


def test_the_picture_is_the_same_whatever_layer_is_chosen_and_the_choice_is_in_the_address(mlp, run, open_page):
    def picture(app):
        return charts_told(app)[0]

    app = open_page("divergence", model=mlp.id, divergence=run.id)
    before = picture(app)

    app.selectbox("divergence.layer").set_value(1).run()

    assert picture(app) == before, "a figure that differs would be sent again"
    assert app.query_params["layer"] in ("1", ["1"])
    again = open_page("divergence", model=mlp.id, divergence=run.id, layer="1")
    assert again.selectbox("divergence.layer").value == 1
    assert "Layer 1" in words(again)
    assert "is not in this run" in open_page("divergence", model=mlp.id, divergence=run.id, layer="77").error[0].value


def test_every_metric_of_every_layer_is_in_the_table(run):
    rows = layer_rows(run)

    assert len(rows) == len(run.layers)
    for metric in ("SQNR, dB", "is", "cosine", "max abs", "mean abs", "rel L2", "NaN", "Inf", "isolated"):
        assert all(f"{label} {metric}" in rows[0] for label in ("FP16", "INT8"))
    for row, layer in zip(rows, run.layers, strict=True):
        # Among thousands of layers the picture leaves this out, and a report has no layer to click on.
        assert row["INT8 isolated max abs"] == layer.error("int8", isolated=True).max_abs


def test_the_run_remembers_its_data_and_the_ranges_of_its_variants(bench, run):
    scales = bench.divergence.scales(run)

    assert run.data == "few.npz"
    assert [label for label, _ in run.variants] == ["fp16", "int8"]
    assert scales["int8"]
    assert all(scale > 0 for scale in scales["int8"].values())
    bench.library.delete(dict(run.variants)["int8"])
    assert "int8" not in bench.divergence.scales(run)


def test_a_link_to_a_run_that_is_gone_says_so(mlp, run, open_page):
    app = open_page("divergence", model=mlp.id, divergence="d-000000000000")

    assert app.error
    assert "d-000000000000" in words(app).replace("\\", "")


@pytest.mark.parametrize(
    ("value", "expected"),
    [(float("inf"), "equal"), (float("-inf"), "not finite"), (None, "–"), (14.56, "14.6 dB")],
)
def test_an_sqnr_that_is_no_number_is_said_in_words(value, expected):
    assert sqnr(value) == expected


def test_a_run_that_breaks_down_and_one_that_loses_nothing_are_drawn(bench, mlp, run):
    def error(value):
        return replace(_EVEN, sqnr_db=value)

    layers = tuple(
        LayerDivergence(
            index=layer.index,
            name="<img src=x onerror=alert(1)>",
            op_type=layer.op_type,
            tensor=layer.tensor,
            accumulated=(("fp16", error(float("inf"))), ("int8", error(float("-inf")))),
        )
        for layer in run.layers
    )
    broken = DivergenceRun(
        id=run.id,
        model_id=run.model_id,
        created_at=0.0,
        baseline="fp32",
        candidates=run.candidates,
        method="simulated",
        layers=layers,
        outputs=(OutputDivergence(name="y", errors=(("int8", error(float("-inf"))),)),),
        origin=(),
        samples=1,
        seconds=0.1,
    )
    view = run_view.__wrapped__(_Fixed(bench, broken), run.id)

    figure = sqnr_figure(broken, view.curves, view.losses, view.brackets)

    assert "<img" not in figure.to_json().replace("\\u003c", "<")
    assert {trace.marker.symbol for trace in figure.data if trace.marker.symbol} >= {"triangle-up-open", "x"}
    # A click answers with this one number; a row of numbers would come back from the browser as an object.
    assert {np.ndim(trace.customdata) for trace in figure.data if trace.customdata is not None} == {1}


@pytest.mark.parametrize("count", [1000, 1001])
def test_thousands_of_points_say_name_and_sqnr_and_fewer_say_more(count):
    errors = (("int8", replace(_EVEN, sqnr_db=14.56, max_abs=0.25)),)
    layers = tuple(
        LayerDivergence(index=n, name=f"<{n}>" + "x" * 90, op_type="Gemm", tensor=f"t{n}", accumulated=errors)
        for n in range(count)
    )
    run = DivergenceRun(
        id="d-" + "2" * 12,
        model_id="m-" + "2" * 12,
        created_at=0.0,
        baseline="fp32",
        candidates=("int8",),
        method="Simulated.",
        layers=layers,
        outputs=(),
        origin=(),
        samples=1,
        seconds=1.0,
    )

    (points,) = sqnr_figure(run, curves(run), (), ()).data

    is_short = count > 1000
    assert len(points.hovertext) == count
    assert points.hovertext[7].startswith("&lt;7&gt;xx")
    assert points.hovertext[7].endswith("</b><br>14.6 dB" if is_short else "</b><br>Gemm: 14.6 dB, largest error 0.250")
    assert points.hovertext[7].count("x") < 50 if is_short else points.hovertext[7].count("x") > 50


class _Fixed:
    """A workbench that has that run."""

    def __init__(self, bench, run):
        self.library = bench.library
        self.divergence = self
        self._run = run

    def run(self, _):
        return self._run
