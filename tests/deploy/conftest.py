from __future__ import annotations

import pytest

from tests.deploy.stock import add_engine, add_model, profile
from trt_core.domain.deployment import DESTINATIONS, DeployWish
from trt_core.domain.engine import BuilderOptions
from trt_core.services.deploy import write_bundle
from trt_core.workbench import workspace_of


@pytest.fixture
def bench(tmp_path):
    return workspace_of(tmp_path / "workspace")


@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    bench = workspace_of(tmp_path_factory.mktemp("workspace"))
    profiles = (profile("x=1x8:1x8:1x8"), profile("x=1x8:8x8:32x8"))
    options = BuilderOptions(optimization_level=4, workspace_mb=512, version_compatible=True)
    return bench, add_engine(bench, add_model(bench, name="My Mlp (v2)"), profiles=profiles, options=options)


@pytest.fixture(scope="session")
def folders(engine, tmp_path_factory):
    """Every destination, written."""
    bench, build = engine
    root = tmp_path_factory.mktemp("bundles")
    for to in DESTINATIONS:
        write_bundle(bench.deploy.bundle(DeployWish(build_id=build.id, to=to, ensemble=True)), root / to)
    return root
