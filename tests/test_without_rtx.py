"""Where TensorRT-RTX has no wheel the application starts all the same: it says what is missing, and does the rest.

A process in which the package cannot be imported stands for such a machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CNN = ROOT / "samples" / "digits_cnn" / "model.onnx"
_BLOCK = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("tensorrt_rtx"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
"""
_OPEN = """
from streamlit.testing.v1 import AppTest
for page in sys.argv[1:]:
    app = AppTest.from_file("app.py", default_timeout=60).switch_page(f"pages/{page}.py").run()
    said = [str(item.value) for kind in (app.markdown, app.caption, app.error, app.info) for item in kind]
    print(page, bool(app.exception), "This part of the page failed" in " ".join(said), "not installed" in " ".join(said))
"""


@pytest.fixture
def environment(tmp_path):
    """Every process that Python starts in it, workers and probes too, lacks the package."""
    (tmp_path / "blocked").mkdir()
    (tmp_path / "blocked" / "sitecustomize.py").write_text(_BLOCK)
    return os.environ | {
        "PYTHONPATH": str(tmp_path / "blocked"),
        "ENGINESCOPE_WORKSPACE": str(tmp_path / "workspace"),
    }


def command(environment, *words):
    return subprocess.run(
        [sys.executable, "-m", "trt_core", *map(str, words), "--json", "--quiet"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        check=False,
        timeout=120,
    )


def test_what_needs_the_compiler_says_how_to_get_it_and_the_rest_works(environment):
    for words in (("inspect", CNN), ("build", CNN, "--precision", "fp16")):
        answer = command(environment, *words)
        assert answer.returncode == 3, answer.stderr
        assert answer.stderr.startswith("error: ")
        assert "TensorRT-RTX is not installed" in answer.stderr
        assert "Traceback" not in answer.stderr

    assert command(environment, "quantize", CNN, "--precision", "fp16").returncode == 0
    assert command(environment, "bench", CNN, "--iterations", "3", "--warmup", "1").returncode == 0
    machine = json.loads(command(environment, "system").stdout)
    (compiler,) = [item for item in machine["backends"] if item["backend"] == "rtx"]
    assert not compiler["can_build"]


def test_every_page_opens_and_the_system_page_names_what_is_missing(environment):
    pages = sorted(path.stem for path in (ROOT / "pages").glob("*.py") if path.stem != "__init__")
    assert command(environment, "quantize", CNN, "--precision", "fp16").returncode == 0  # so that pages have a model

    done = subprocess.run(
        [sys.executable, "-c", "import sys\n" + _OPEN, *pages],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        check=False,
        timeout=240,
    )

    assert done.returncode == 0, done.stderr[-2000:]
    told = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}
    assert told.keys() == set(pages)
    assert {page for page, (raised, failed, _) in told.items() if (raised, failed) != ("False", "False")} == set()
    assert {page for page, (*_, named) in told.items() if named == "True"} >= {"build", "support", "system"}
