from __future__ import annotations

import io
from dataclasses import replace

import pytest

from tests import models
from trt_core.analysis.rebuilds import spread
from trt_core.domain.engine import EngineLayer, EngineRecord
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.requests import BuildSpec, QuantizeSpec
from trt_core.settings import settings_from
from trt_core.testing import CollectingReporter
from trt_core.workbench import open_workbench


@pytest.fixture(scope="module")
def attempts(tmp_path_factory):
    bench = open_workbench(settings_from(workspace=tmp_path_factory.mktemp("workspace")))
    model = bench.library.add_upload({"mlp.onnx": io.BytesIO(models.mlp().SerializeToString())})
    wish = BuildSpec(variant=QuantizeSpec(model_id=model.id, recipe=Recipe(precision=Precision.FP16)), rebuild=True)
    builds = [bench.builds.perform(wish, CollectingReporter()).record for _ in range(2)]
    return bench, builds


def test_attempts_at_one_request_are_compared_whichever_of_them_is_named(attempts):
    bench, builds = attempts
    for build in builds:
        found = bench.engines.rebuilds(build.id)
        assert found.attempts == tuple(item.id for item in builds)
        assert len(found.seconds) == 2
        assert found.distinct_engines == len({item.engine_sha256 for item in builds})
        assert found.same_layers


def test_a_build_opens_in_the_engine_explorer(attempts):
    bench, builds = attempts
    study = bench.engines.study(builds[0].id)
    assert study.tuning is None  # compiled ahead of time: nothing was timed
    assert len(study.facts) == len(study.record.layers)
    assert sum(fact.macs or 0 for fact in study.facts) > 0
    assert "SM" in study.stamp


def test_a_layer_with_another_kernel_or_precision_is_named(attempts):
    _, builds = attempts
    layer = EngineLayer(index=0, name="conv", kind="CaskConvolution", kernel="a", precision=Precision.INT8)
    records = [
        EngineRecord(layers=(layer,)),
        EngineRecord(layers=(replace(layer, kernel="b", precision=Precision.FP16),)),
        EngineRecord(layers=(layer, replace(layer, index=1, name="reformat"))),
    ]
    found = spread([(builds[0], record) for record in records])

    assert not found.same_layers
    assert {(item.layer, item.what): item.values for item in found.changes} == {
        ("reformat", "presence"): (("there", 1), ("missing", 2)),
        ("conv", "kernel"): (("a", 2), ("b", 1)),
        ("conv", "precision"): (("int8", 2), ("fp16", 1)),
    }
