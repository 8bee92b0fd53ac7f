"""A link to what is not there says so, stays as it is, and is never answered with something else."""

from __future__ import annotations

import io

import numpy as np
import pytest

from tests import models
from tests.pages.conftest import scroll_to, words


def told(app) -> str:
    return "\n".join(box.value for box in app.error).replace("\\", "")


@pytest.fixture
def data(bench, mlp):
    """Samples that fit the small model."""
    target = io.BytesIO()
    np.savez(target, x=np.zeros((4, 8), np.float32))
    target.seek(0)
    return bench.library.add_data(target, name="few.npz", model_id=mlp.id)


@pytest.mark.parametrize("page", ["models", "fusion", "build", "latency", "divergence", "triage", "deploy"])
def test_a_dead_model_is_told_in_a_workspace_without_models_too(page, open_page):
    assert "the model m-00000000dead, which is not in this workspace" in told(open_page(page, model="m-00000000dead"))


@pytest.mark.parametrize("page", ["models", "fusion", "divergence", "latency"])
@pytest.mark.parametrize("link", [("build", "b-00000000dead"), ("divergence", "d-00000000dead")])
def test_anything_dead_is_told_in_a_workspace_without_models(page, link, open_page):
    name, dead = link
    assert f"names the {name} {dead}, which is not in this workspace" in told(open_page(page, **{name: dead}))


@pytest.mark.parametrize("page", ["models", "divergence"])
def test_data_that_outlive_the_last_model_are_not_told_as_gone(page, bench, mlp, data, open_page):
    bench.library.delete(mlp.id)

    assert told(open_page(page, data=data.id)) == ""
    assert "the data n-00000000dead, which are not in this workspace" in told(open_page(page, data="n-00000000dead"))


def test_deleting_the_last_model_leaves_nothing_to_complain_of(bench, mlp, data, open_page):
    app = open_page("models", model=mlp.id, data=data.id)
    scroll_to(app, "models.all")
    app.button(key="models.delete").click().run()

    app.button(key="models.delete").click()  # a test runs no fragment alone: the dialog is open in this run, too
    app.button(key="models.confirm").click().run()

    assert bench.library.models() == []
    assert app.query_params["data"] in (data.id, [data.id])
    assert told(app) == ""
    assert app.button(key="models.sample.digits_cnn")


@pytest.mark.parametrize(
    ("page", "offered"),
    [("models", "models.sample.digits_cnn"), ("fusion", "fusion.sample"), ("triage", "triage.sample")],
)
@pytest.mark.parametrize("link", [("build", "abc"), ("model", "../../etc/passwd"), ("data", "n-1")])
def test_a_malformed_link_in_an_empty_workspace_is_told_and_the_way_in_is_drawn(page, offered, link, open_page):
    name, cut = link
    app = open_page(page, **{name: cut})

    assert f"is not the id of a {name}" in told(app)
    assert app.button(key=offered)


@pytest.mark.parametrize(
    "link",
    [
        ("variant", "v-00000000dead", "names the variant v-00000000dead, which is not in this model's variants"),
        ("data", "n-00000000dead", "names the data n-00000000dead, which are not in this workspace"),
    ],
)
@pytest.mark.parametrize("page", ["build", "latency", "divergence", "support"])
def test_a_dead_variant_or_data_stays_told_until_the_reader_leaves_it_out(page, link, mlp, open_page):
    name, dead, said = link
    app = open_page(page, **{"model": mlp.id, name: dead})
    assert said in told(app)
    assert said in told(app.run()), "a second look must not make it vanish"
    assert app.query_params[name] in (dead, [dead])

    app.button(f"{page}.without_{name}").click().run()

    assert said not in told(app)
    assert name not in app.query_params


def test_data_of_another_model_are_no_dead_link(bench, mlp, data, open_page):
    other = bench.library.add_upload({"conv.onnx": io.BytesIO(models.conv_block().SerializeToString())})

    app = open_page("build", model=other.id, data=data.id)

    assert told(app) == ""


@pytest.mark.parametrize("page", ["fusion", "deploy"])
def test_a_dead_build_of_a_model_without_builds_is_told(page, mlp, open_page):
    app = open_page(page, model=mlp.id, build="b-00000000dead")

    assert "the build b-00000000dead, which is not in this model's builds" in told(app)
    assert "became" not in words(app)
    assert "There is no build" not in words(app)


def test_a_dead_build_is_told_beside_the_form_which_stays(mlp, open_page):
    app = open_page("build", model=mlp.id, build="b-00000000dead")

    assert [box.value for box in app.error if "b-00000000dead" in box.value.replace("\\", "")] == [app.error[0].value]
    assert app.button(key="build.submit")
    assert "What will happen" in words(app)


def test_a_dead_engine_is_told_where_there_is_none(open_page):
    assert "the engine b-00000000dead, which is not in this workspace" in told(
        open_page("engines", engine="b-00000000dead")
    )
