"""The image is not built here, for want of a daemon: what can be held to without one is held to."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.deploy.tools import checked

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "Dockerfile").read_text()
STAGES = dict(re.findall(r"^FROM \S+ AS (\S+)\n(.*?)(?=^FROM |\Z)", TEXT, re.MULTILINE | re.DOTALL))
COPIED = [source for line in re.findall(r"^COPY (?!--from)(.+)$", TEXT, re.MULTILINE) for source in line.split()[:-1]]


def let_in(path: str) -> bool:
    """Whether .dockerignore lets a path into the build: the last rule that speaks of it, or of a folder above, decides."""
    allowed = True
    for rule in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = rule.removeprefix("!").removeprefix("**/")
        parts = [path, *(str(above) for above in Path(path).parents if str(above) != ".")]
        if rule and not rule.startswith("#") and any(fnmatch(part, pattern) for part in parts):
            allowed = rule.startswith("!")
    return allowed


def test_hadolint_has_nothing_to_say():
    checked("hadolint", ROOT / "Dockerfile")


@pytest.mark.parametrize("source", COPIED)
def test_what_is_copied_is_there_and_let_into_the_build(source):
    found = ROOT / source
    assert found.exists()
    files = [found] if found.is_file() else [item for item in found.rglob("*") if item.is_file()]
    inside = [str(item.relative_to(ROOT)) for item in files if "__pycache__" not in item.parts]
    assert any(let_in(item) for item in inside)


def test_everything_that_the_application_imports_is_copied():
    packages = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()} - {"tests", "benchmarks"}
    assert packages <= set(COPIED)
    assert not let_in("tests/conftest.py")
    assert not let_in(".git/config")
    assert not let_in("workspace/jobs.sqlite")


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_each_image_runs_without_root_answers_a_health_check_and_sets_its_own_address(target):
    body = STAGES[target]
    assert re.search(r"^USER (?!0\b|root\b)\d+", body, re.MULTILINE)
    assert "HEALTHCHECK" in body
    assert "/_stcore/health" in body
    assert "STREAMLIT_SERVER_ADDRESS=0.0.0.0" in body
    assert "ENGINESCOPE_WORKSPACE=/workspace" in body
