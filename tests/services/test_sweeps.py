from __future__ import annotations

import io

import pytest
from onnx import helper

from tests import models
from trt_core.analysis.sweeps import against_references, split_profiles, sweet_spot
from trt_core.domain.jobs import JobKind, Use
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.profiles import profile_from_texts
from trt_core.domain.requests import BuildSpec, QuantizeSpec
from trt_core.domain.sweeps import SweepSpec, shapes_along
from trt_core.errors import BackendError, InvalidInput, JobCancelled, UnsupportedRequest
from trt_core.settings import settings_from
from trt_core.testing import CollectingReporter
from trt_core.workbench import open_workbench


class NoProcesses:
    """A launcher that starts nothing."""

    def launch(self, job):
        return 1

    def is_alive(self, job):
        return True

    def kill(self, job):
        pass

    def exit_text(self, job):
        return ""


@pytest.fixture
def bench(tmp_path):
    return open_workbench(settings_from(workspace=tmp_path), launcher=NoProcesses())


@pytest.fixture
def model(bench):
    return bench.library.add_upload({"mlp.onnx": io.BytesIO(models.mlp().SerializeToString())})


def _spec(model, **changes) -> SweepSpec:
    return SweepSpec(
        **{"subject_id": model.id, "batches": (1, 2, 4), "streams": (1, 2), "iterations": 4, "warmup": 1} | changes
    )


def test_every_batch_is_measured_with_every_number_of_streams(bench, model):
    sweep = bench.sweeps.perform(_spec(model), CollectingReporter())

    assert sweep.is_complete
    pairs = [(point.setting.batch, point.setting.streams) for point in sweep.points]
    assert pairs == [(1, 1), (1, 2), (2, 1), (2, 2), (4, 1), (4, 2)]
    assert all(point.summary is not None and point.summary.count >= 4 for point in sweep.points)
    assert [point.conditions.batch for point in sweep.points] == [1, 1, 2, 2, 4, 4]
    assert [head.id for head in bench.sweeps.heads(model.id)] == [sweep.head.id]


def test_a_cancelled_sweep_keeps_its_points_and_goes_on_from_there(bench, model):
    spec = _spec(model)
    with pytest.raises(JobCancelled):
        bench.sweeps.perform(spec, CollectingReporter(cancel_after=8))
    kept = bench.sweeps.sweep(bench.sweeps.id_of(spec))
    assert 0 < len(kept.points) < 6
    assert not kept.is_complete

    reporter = CollectingReporter()
    whole = bench.sweeps.perform(spec, reporter)
    assert whole.is_complete
    assert whole.points[: len(kept.points)] == kept.points  # not measured again
    assert reporter.reported[0].step == len(kept.points) + 1


def test_a_point_that_cannot_be_measured_says_why_and_the_others_go_on(bench, model):
    name, dims = model.inputs[0].name, model.inputs[0].shape[1:]
    good, bad = (2, *dims), (2, *(size + 1 for size in dims))
    shapes = (((name, good),), ((name, bad),))
    sweep = bench.sweeps.perform(_spec(model, shapes=shapes, streams=(1,)), CollectingReporter())

    assert [bool(point.summary) for point in sweep.points] == [True, False]
    assert sweep.points[1].error


def test_a_point_that_failed_is_measured_again_and_the_others_are_not(bench, model, monkeypatch):
    spec, measured = _spec(model, streams=(1,)), bench.latency.measured

    def full(wish, reporter):
        if dict(wish.request.shapes)[model.inputs[0].name][0] == max(spec.batches):
            raise BackendError("Memory did not suffice.")
        return measured(wish, reporter)

    with monkeypatch.context() as patched:
        patched.setattr(bench.latency, "measured", full)
        failed = bench.sweeps.perform(spec, CollectingReporter())
    assert failed.points[-1].error == "Memory did not suffice."

    again = bench.sweeps.perform(spec, CollectingReporter())
    assert again.points[:-1] == failed.points[:-1]
    assert again.points[-1].summary is not None


def test_a_sweep_has_the_machine_to_itself_and_is_refused_early(bench, model):
    job = bench.sweeps.submit(_spec(model))
    assert (job.kind, job.use) == (JobKind.SWEEP, Use.EXCLUSIVE)
    with pytest.raises(UnsupportedRequest):
        bench.sweeps.submit(_spec(model, backend="nonsense"))
    with pytest.raises(InvalidInput, match="at most 200"):
        _spec(model, batches=tuple(range(1, 300)), streams=(1,))
    with pytest.raises(InvalidInput):
        _spec(model, batches=(0,))


def test_another_attempt_is_another_sweep(bench, model):
    assert bench.sweeps.id_of(_spec(model)) != bench.sweeps.id_of(_spec(model, attempt=2))


def test_the_sweet_spot_keeps_the_limit(bench, model):
    sweep = bench.sweeps.perform(_spec(model), CollectingReporter())
    slowest = max(point.summary.p99_ms for point in sweep.points)

    best = sweet_spot(sweep, limit_ms=slowest)
    assert best.summary.throughput_per_s == max(point.summary.throughput_per_s for point in sweep.points)
    assert sweet_spot(sweep, limit_ms=0.0) is None
    mine, static = against_references(sweep.points, sweep.points)
    assert set(mine) == {1, 2, 4}
    assert mine == static


def _along(bench, size: int | str):
    """A model whose second dimension is swept, or fixed at a size as a static engine's would be."""
    proto = models.model(
        [helper.make_node("Relu", ["x"], ["y"])],
        inputs=[models.value("x", ["batch", size])],
        outputs=[models.value("y", ["batch", size])],
    )
    return bench.library.add_upload({f"relu_{size}.onnx": io.BytesIO(proto.SerializeToString())})


def test_sizes_of_another_axis_than_the_batch_stay_apart(bench):
    model = _along(bench, "length")
    shapes = shapes_along(model.inputs, "length", (8, 4096))
    sweep = bench.sweeps.perform(
        _spec(model, batches=(1,), streams=(1,), shapes=shapes, iterations=30), CollectingReporter()
    )
    small, large = (point.summary for point in sweep.points)

    limit = min(small.p50_ms, large.p50_ms)
    assert sweet_spot(sweep, limit_ms=limit, percentile="p50").summary.p50_ms <= limit
    references = []
    for size in (8, 4096):
        spec = _spec(_along(bench, size), batches=(1,), streams=(1,))
        references += bench.sweeps.perform(spec, CollectingReporter()).points
    mine, static = against_references(sweep.points, references)
    assert mine == {8: small.p50_ms, 4096: large.p50_ms}
    assert set(static) == {8, 4096}
    with pytest.raises(InvalidInput, match="no open axis"):
        shapes_along(model.inputs, "width", (1,))


def test_a_sweep_of_an_engine_stays_in_the_profile_that_it_was_built_for(bench):
    model = _along(bench, "length")
    build = bench.builds.perform(
        BuildSpec(
            variant=QuantizeSpec(model_id=model.id, recipe=Recipe(precision=Precision.FP32)),
            backend="rtx",
            profiles=(profile_from_texts(["x=4x8:4x16:6x32"]),),
        ),
        CollectingReporter(),
    ).record
    assert bench.sweeps.along(build.id, "length", (8, 32)) == ((("x", (4, 8)),), (("x", (4, 32)),))
    assert bench.sweeps.along(model.id, "length", (8,)) == ((("x", (1, 8)),),)

    # Over batches, too, what is not swept is what the engine is made for.
    assert [item.opt for item in bench.latency.usual(build.id, 6).ranges] == [(6, 16)]
    assert [item.opt for item in bench.latency.usual(model.id, 6).ranges] == [(6, 1)]


def test_sizes_that_one_profile_slows_down_get_one_of_their_own():
    dynamic = {1: 1.5, 2: 1.6, 4: 2.0, 8: 4.0}
    static = {1: 1.0, 2: 1.1, 4: 1.95, 8: 4.0, 16: 8.0}

    assert [(item.low, item.high) for item in split_profiles(dynamic, static)] == [(1, 2), (4, 8)]
    assert len(split_profiles(static, static)) == 1
    with pytest.raises(ValueError, match="no size"):
        split_profiles({1: 1.0}, {2: 1.0})


def test_every_point_spells_its_shapes_out(bench, model, monkeypatch):
    """An engine that is asked without shapes takes those of its profile, whatever the batch."""
    asked = []
    resolved = bench.latency.resolved
    monkeypatch.setattr(bench.latency, "resolved", lambda spec: asked.append(spec.request.shapes) or resolved(spec))
    bench.sweeps.perform(_spec(model, streams=(1,)), CollectingReporter())

    assert [shapes[0][1][0] for shapes in asked] == [1, 2, 4]


def test_copies_make_another_sweep_and_are_refused_where_there_are_none(bench, model):
    plain, copied = _spec(model), _spec(model, transfers=True)
    assert bench.sweeps.id_of(plain) != bench.sweeps.id_of(copied)
    with pytest.raises(UnsupportedRequest, match="no copies to include"):
        bench.sweeps.submit(copied)
