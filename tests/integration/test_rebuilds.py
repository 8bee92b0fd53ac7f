from __future__ import annotations

import io
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from tests import models
from trt_core.analysis.latency import summarize
from trt_core.analysis.rebuilds import latency_spread, output_spread, spread
from trt_core.domain.engine import EngineLayer, EngineRecord
from trt_core.domain.jobs import Progress
from trt_core.domain.latency import LatencyConditions, LatencySummary, Measured
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.rebuilds import AttemptLatency, RebuildSpec
from trt_core.domain.requests import BuildSpec, QuantizeSpec
from trt_core.errors import InvalidInput, JobCancelled
from trt_core.settings import settings_from
from trt_core.testing import CollectingReporter, FakeModel, FakeSession
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


def _summary(p50: float) -> LatencySummary:
    return summarize([p50 * factor for factor in (0.98, 0.99, 1.0, 1.01, 1.02)], wall_s=1.0, batch=1)


def test_builds_stand_out_only_beyond_what_one_engine_differs_from_itself():
    def told(*rounds: tuple[float, ...]):
        return latency_spread(
            [AttemptLatency(build_id=f"b-{n}", rounds=tuple(map(_summary, one))) for n, one in enumerate(rounds)]
        )

    apart = told((1.0, 1.01), (1.2, 1.21))
    assert apart.between == pytest.approx(1.205 / 1.005 - 1)
    assert apart.within == pytest.approx(0.01 / 1.005)
    assert apart.is_told is True
    assert told((1.0, 1.2), (1.02, 1.19)).is_told is False
    assert told((1.0,), (1.1,)).is_told is None
    assert told((1.0, 1.1)) is None


def test_outputs_are_compared_with_the_first_attempt_bit_by_bit_and_by_distance():
    first = np.ones((2, 3), np.float16)
    other = first.copy()
    other[0, 0] = 1.5
    found = output_spread("y", [first, first.copy(), other])

    assert found.identical == 2
    assert found.max_abs == 0.5
    assert found.rel_l2 == pytest.approx(0.5 / np.sqrt(6))
    assert output_spread("y", [first, np.ones((3, 3), np.float16)]).rel_l2 == np.inf
    assert output_spread("y", [np.zeros(3), np.zeros(3)]).rel_l2 == 0


def test_n_builds_of_an_ahead_of_time_plan_spread_without_latency_and_say_why(attempts):
    bench, builds = attempts
    run = bench.rebuilds.perform(RebuildSpec(build_id=builds[0].id, times=2), CollectingReporter())

    assert len(run.attempts) == 4
    assert run.build_id == builds[0].id
    assert run.latency == run.outputs == ()
    assert "compiled ahead of time" in run.not_run
    assert bench.rebuilds.latest(builds[1].id) == run
    assert bench.rebuilds.run(run.id) == run


class _Clockwork:
    """A meter and a runner of engines in one: the attempt's number decides its time and its outputs."""

    name = "rtx"

    def __init__(self) -> None:
        self.measured: list[str] = []

    def check(self) -> None:
        pass

    def measure(self, path, feeds, request, *, reporter):
        reporter.progress(Progress(phase="a part of a part"))
        self.measured.append(path.parent.name)
        slow = 1.0 + 0.1 * len(set(self.measured))
        conditions = LatencyConditions(
            device="a clock",
            backend="rtx",
            backend_version="1",
            method="counted",
            shapes=(),
            batch=1,
            threads=0,
            warmup=0,
        )
        samples = tuple(slow + 0.001 * number for number in range(request.iterations))
        return Measured(samples_ms=samples, warmup_ms=(), wall_s=1.0, conditions=conditions)


def test_attempts_are_measured_in_turn_and_every_round_is_kept(attempts, monkeypatch):
    bench, builds = attempts
    clock = _Clockwork()
    session = FakeSession(
        FakeModel(inputs=(), outputs=("y",), tensors=("y",), compute=lambda feeds: {"y": np.ones(3)}), ()
    )
    monkeypatch.setitem(bench.rebuilds._runners, "rtx", SimpleNamespace(load=lambda path: session))
    monkeypatch.setattr(session, "run", lambda feeds: [np.ones(3, np.float32)])  # the fake takes no inputs
    monkeypatch.setitem(bench.latency._context.meters, "rtx", clock)
    monkeypatch.setattr(bench.latency, "resolved", lambda spec: spec)
    monkeypatch.setattr(bench.rebuilds._latency, "_feeds", lambda spec: {})
    reporter = CollectingReporter()
    run = bench.rebuilds.perform(RebuildSpec(build_id=builds[0].id, times=1, rounds=2, iterations=10), reporter)

    assert clock.measured == [*run.attempts, *run.attempts]
    assert [len(item.rounds) for item in run.latency] == [2] * len(run.attempts)
    assert run.outputs[0].identical == len(run.attempts)
    assert run.not_run == ""
    assert "counted" in run.stamp
    assert all(progress.phase != "a part of a part" for progress in reporter.reported)


def test_a_job_that_is_cancelled_while_it_measures_keeps_no_comparison(attempts, monkeypatch):
    bench, builds = attempts
    clock = _Clockwork()

    def stopped(path, feeds, request, *, reporter):
        raise JobCancelled("Cancelled.")

    monkeypatch.setattr(clock, "measure", stopped)
    monkeypatch.setitem(bench.rebuilds._runners, "rtx", SimpleNamespace())
    monkeypatch.setitem(bench.latency._context.meters, "rtx", clock)
    monkeypatch.setattr(bench.latency, "resolved", lambda spec: spec)
    monkeypatch.setattr(bench.rebuilds._latency, "_feeds", lambda spec: {})
    before = bench.rebuilds.latest(builds[0].id)

    with pytest.raises(JobCancelled):
        bench.rebuilds.perform(RebuildSpec(build_id=builds[0].id, times=1, iterations=10), CollectingReporter())
    assert bench.rebuilds.latest(builds[0].id) == before


@pytest.mark.parametrize("wrong", [{"times": 0}, {"times": 51}, {"iterations": 1}, {"rounds": 0}])
def test_numbers_of_builds_that_make_no_sense_are_refused(wrong):
    with pytest.raises(InvalidInput):
        RebuildSpec(**({"build_id": "b-0123456789ab"} | wrong))
