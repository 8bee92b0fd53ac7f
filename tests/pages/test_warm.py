"""The server makes ready what its first visitor would wait for."""

from __future__ import annotations

import gc
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from streamlit.web.server.app_discovery import discover_asgi_app

import pages.ui.frame
from pages.ui import graph_component, warm
from pages.ui.warm import warm_up

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(warm, "_PAUSE_S", 0)
    yield
    gc.unfreeze()


def test_streamlit_finds_the_application_that_warms_up():
    found = discover_asgi_app(ROOT / "app.py")

    assert found.import_string == "app:app"


def test_the_first_visitor_finds_the_newest_model_laid_out(open_page, mlp, monkeypatch):
    warm_up()

    def laid_out_again(*args: object, **kwargs: object) -> None:
        raise AssertionError("the layout was made again")

    monkeypatch.setattr(graph_component, "collapsed_view", laid_out_again)
    app = open_page("models", model=mlp.id)
    assert not app.error


@pytest.mark.parametrize(("page", "waits"), [("models", False), ("fusion", True), ("build", True)])
def test_only_pages_with_plots_wait_for_what_plots_need(open_page, mlp, monkeypatch, page, waits):
    asked = []
    monkeypatch.setattr(pages.ui.frame, "ready_to_draw", lambda: asked.append(page))

    open_page(page, model=mlp.id)

    assert bool(asked) is waits


def test_what_the_first_page_needs_brings_in_neither_pandas_nor_plotly():
    look = (
        "import importlib, sys\n"
        "from pages.ui import warm\n"
        "for name in warm._MODULES: importlib.import_module(name)\n"
        "from pages.ui.bench import workbench\n"
        "workbench()\n"
        "print(*{'pandas', 'plotly.subplots'} & set(sys.modules))\n"
    )
    ran = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True)

    assert ran.stdout.split() == []


def test_garbage_is_collected_again_afterwards_but_not_looked_for_in_what_was_made():
    warm_up()

    assert gc.isenabled()
    assert gc.get_freeze_count() > 10_000


def test_a_workspace_that_cannot_be_opened_is_left_to_the_page_to_tell(open_page, tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("ENGINESCOPE_WORKSPACE", str(tmp_path / "file"))

    warm_up()

    assert "could not warm up" in caplog.text


def test_no_reader_waits_for_a_full_collection_after_each_run():
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())

    assert settings["runner"]["postScriptGC"] is False
