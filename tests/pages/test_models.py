from __future__ import annotations

import io

from tests import models
from tests.pages.conftest import cards, scroll_to, words


def test_an_empty_workspace_offers_the_samples_and_says_what_will_be_here(open_page):
    app = open_page("models")

    assert "Bring in an ONNX model" in words(app)
    assert app.button(key="models.sample.digits_cnn").label == "Load"


def test_a_click_on_a_sample_loads_it_with_its_data_and_shows_its_card(open_page, bench):
    app = open_page("models")

    app.button(key="models.sample.digits_cnn").click().run()

    (record,) = bench.library.models()
    assert (record.name, record.sample) == ("digits_cnn", "digits_cnn")
    assert len(bench.library.data_sets(record.id)) == 2
    assert not app.exception
    assert "`digits_cnn` has 38 nodes" in words(app)
    assert app.query_params["model"] == record.id


def test_an_upload_becomes_the_selected_model(open_page, bench):
    app = open_page("models")

    app.file_uploader[0].set_value([("mine.onnx", models.mlp().SerializeToString(), "application/octet-stream")]).run()
    app.button(key="models.add").click().run()

    assert "`mine` has" in words(app)
    assert [record.name for record in bench.library.models()] == ["mine"]


def test_a_broken_upload_is_a_red_box_with_what_to_do_and_leaves_nothing_behind(open_page, bench):
    app = open_page("models")

    app.file_uploader[0].set_value([("bad.onnx", b"not a protobuf at all", "application/octet-stream")]).run()
    app.button(key="models.add").click().run()

    assert "The model cannot be read" in app.error[0].value
    assert "What to do:" in app.error[0].value
    assert bench.library.models() == []
    assert not list((bench.settings.workspace / "tmp").iterdir())


def test_the_card_tells_nodes_inputs_and_the_hash(open_page, mlp):
    app = open_page("models", model=mlp.id, tab="file")

    said = words(app)
    shown = cards(app)
    assert shown["Nodes"][0] == str(mlp.node_count)
    assert shown["Opset"][0] == str(mlp.opset)
    assert all(f"`{spec.shape_text()}`" in said for spec in mlp.inputs)
    assert mlp.sha256 in said


def test_a_link_to_a_model_that_is_gone_says_what_to_do_and_shows_no_other(open_page, mlp):
    app = open_page("models", model="m-000000000000")

    assert "m-000000000000" in app.error[0].value.replace("\\", "")
    assert "What to do" in app.error[0].value
    assert "`mlp` has" not in words(app)
    assert app.query_params["model"] in ("m-000000000000", ["m-000000000000"])

    app.selectbox(key="models.model").set_value(mlp.id).run()

    assert not app.error
    assert "`mlp` has" in words(app)


def test_a_link_with_no_id_in_it_is_a_red_box_not_a_crash(open_page, mlp):
    app = open_page("models", model="../../etc/passwd")

    assert "is not the id of a model" in app.error[0].value
    assert "The link may be cut" in app.error[0].value


def test_deletion_asks_first_and_says_what_goes_with_the_model(open_page, bench, mlp):
    app = open_page("models", model=mlp.id)

    scroll_to(app, "models.all")
    app.button(key="models.delete").click().run()
    assert "Nothing was made from it yet" in words(app)
    assert app.button(key="models.confirm").label == "Delete"
    assert bench.library.models()


def test_files_of_a_configured_folder_can_be_picked_and_no_others(open_page, tmp_path, monkeypatch):
    folder = tmp_path / "server"
    (folder / "deep").mkdir(parents=True)
    models.saved(models.mlp(), folder / "deep" / "net.onnx")
    models.saved(models.mlp(), tmp_path / "outside.onnx")
    (folder / "notes.txt").write_text("no model")
    monkeypatch.setenv("ENGINESCOPE_MODEL_ROOTS", str(folder))

    app = open_page("models")
    offered = app.selectbox(key="models.file")
    assert [option.rsplit("/", 1)[-1] for option in offered.options] == ["net.onnx"]
    offered.select_index(0).run()
    app.button(key="models.add_file").click().run()

    assert "`net` has" in words(app)


def test_a_model_with_hostile_names_is_shown_as_text(open_page, bench):
    hostile = "![](http://evil.example/p.png)"
    record = bench.library.add_upload({f"{hostile}.onnx".replace("/", "_"): io.BytesIO(_named(hostile))})

    app = open_page("models", model=record.id)

    assert not app.error
    for element in app.markdown:
        assert hostile not in element.value.replace(f"`{hostile}`", "")


def _named(name: str) -> bytes:
    proto = models.mlp()
    for node in proto.graph.node:
        node.name = name
    proto.graph.input[0].name = name
    for node in proto.graph.node:
        for at, read in enumerate(node.input):
            if read == "x":
                node.input[at] = name
    return proto.SerializeToString()
