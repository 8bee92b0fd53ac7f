from __future__ import annotations

import pytest

from tests.gpu.looking import scene
from tests.gpu.networks import residual_network
from trt_core.analysis.rebuilds import latency_spread, spread
from trt_core.domain.precision import Precision
from trt_core.domain.rebuilds import RebuildSpec
from trt_core.testing import CollectingReporter

pytestmark = pytest.mark.gpu


def test_three_builds_of_one_request_say_how_far_plans_latency_and_outputs_spread(tmp_path, caches, figures):
    seen = scene(tmp_path, caches, residual_network(blocks=8, channels=256), Precision.FP16)  # as large as ResNet-18
    run = seen.bench.rebuilds.perform(
        RebuildSpec(build_id=seen.build.id, times=3, iterations=300, rounds=2), CollectingReporter()
    )
    assert len(run.attempts) == 3  # of the same request without kept timings
    assert not run.not_run
    assert len(run.latency) == 3
    assert all(len(item.rounds) == 2 for item in run.latency)
    (output,) = run.outputs
    assert 1 <= output.identical <= 3
    assert output.rel_l2 < 1e-2
    plans = spread([(seen.bench.builds.build(item), seen.bench.builds.engine_record(item)) for item in run.attempts])
    times = "; ".join(", ".join(f"{each.p50_ms:.4f}" for each in item.rounds) for item in run.latency)
    figures(f"p50 of each attempt {times} ms; {latency_spread(run.latency)}; {output}; {plans}"[:1500])
