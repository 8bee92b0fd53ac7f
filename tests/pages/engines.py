"""A workspace with real engines of the digits sample, and the pages over it."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest

from tests.pages.conftest import findings
from trt_core.domain.artifacts import BuildRecord, ModelRecord
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.requests import BuildSpec, QuantizeSpec
from trt_core.testing import CollectingReporter
from trt_core.workbench import Workbench, workspace_of

ROOT = Path(__file__).parents[2]


def stocked(folder: Path, *, normalize: bool = True) -> tuple[Workbench, ModelRecord, BuildRecord]:
    """A workspace with the convolutional sample, its data and an INT8 engine of it."""
    bench = workspace_of(folder)
    model = bench.library.add_sample("digits_cnn")
    data = next(item for item in bench.library.data_sets(model.id) if "calibration" in item.name)
    recipe = Recipe(precision=Precision.INT8, normalize=normalize)
    spec = BuildSpec(variant=QuantizeSpec(model_id=model.id, recipe=recipe, data_id=data.id))
    return bench, model, bench.builds.perform(spec, CollectingReporter()).record


def opened(page: str, **query: str) -> AppTest:
    """A page as a browser with that query would open it."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    for name, value in query.items():
        app.query_params[name] = value
    app.switch_page(f"pages/{page}.py").run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    """Everything that a reader sees as text, without the backslashes that keep it text."""
    kinds = (app.title, app.markdown, app.caption, app.info, app.error, app.warning, app.success, app.code)
    said = "\n".join(str(item.value) for kind in kinds for item in kind).replace("\\", "")
    return "\n".join([said, *findings(app)])


def asked(app: AppTest, name: str) -> str:
    """A value of the address, which the test tool hands out as text or as a list of one."""
    value = app.query_params[name]
    return value if isinstance(value, str) else value[0]
