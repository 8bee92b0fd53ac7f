"""Validations that run engines, over a fake TensorRT that goes wrong where a fault was planted."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest

from tests.fake_engines import Bench
from tests.pages.engines import stocked
from trt_core.backends.onnxruntime.runner import OrtRunner
from trt_core.cli import main as border
from trt_core.domain.jobs import Use
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.profiles import OptimizationProfile, range_from_text
from trt_core.domain.registry import Decision
from trt_core.domain.requests import BuildSpec, QuantizeSpec, ValidateSpec
from trt_core.domain.validation import Verdict
from trt_core.errors import GpuUnavailable, InvalidInput, JobCancelled, UnsupportedRequest
from trt_core.store.decisions import DecisionBook
from trt_core.testing import CollectingReporter, FakeTensorRT, Plant

FAULT = Plant(tensor="b3_down", factor=-3.0)
SAMPLES = 403  # leaves a rest in every batch


def labelled(bench: Bench, samples: int = SAMPLES) -> tuple[str, str]:
    """Ids of samples and of labels that the model itself has all right."""
    values = np.random.default_rng(1).standard_normal((samples, 16), dtype=np.float32)
    session = OrtRunner().load(bench.work.library.model_path(bench.model.id))
    truth = session.run({"x": values})[0].argmax(axis=1)
    return added(bench, x=values), added(bench, labels=truth)


def added(bench: Bench, **arrays) -> str:
    target = io.BytesIO()
    np.savez(target, **arrays)
    target.seek(0)
    return bench.work.library.add_data(target, name=f"{next(iter(arrays))}.npz").id


def validated(bench: Bench, *, samples: int = SAMPLES, reporter=None, **wish):
    data, labels = labelled(bench, samples)
    spec = ValidateSpec(
        model_id=bench.model.id, data_id=data,
        **{"subject_id": bench.build.id, "labels_id": labels, "tolerance": 0.05} | wish,
    )  # fmt: skip
    return bench.work.validation.perform(spec, reporter or CollectingReporter())


def verdict(bench: Bench, run) -> Verdict:
    return bench.work.validation.judgement(run).verdict


def rules(run) -> set[str]:
    return {item.rule for item in run.findings}


def engine(bench: Bench, batches: str, precision: Precision = Precision.FP16) -> str:
    """Another engine of the model, for these batches."""
    text = "x=" + ":".join(f"{size}x16" for size in batches.split(":"))
    wish = BuildSpec(
        variant=QuantizeSpec(model_id=bench.model.id, recipe=Recipe(precision=precision)),
        backend="tensorrt",
        profiles=(OptimizationProfile(ranges=(range_from_text(text),)),),
    )
    return bench.work.builds.perform(wish, CollectingReporter()).record.id


def test_a_fault_that_only_the_engine_has_passes_the_twin_and_fails_the_engine(tmp_path):
    bench = Bench(tmp_path, FakeTensorRT([FAULT]))

    twin = validated(bench, backend="ort")
    run = validated(bench)

    assert verdict(bench, twin) is Verdict.NOT_WORSE
    assert (twin.backend, twin.device, twin.by_engine) == ("ort", "", False)
    assert "engine-not-run" in rules(twin)
    assert verdict(bench, run) is Verdict.WORSE
    assert (run.backend, run.device, run.by_engine) == ("tensorrt", "no device", True)
    assert "engine-not-run" not in rules(run)
    assert run.subject == f"the FP16 engine {bench.build.id} on no device"
    assert "TensorRT 0.0.1 ran the FP16 engine" in run.method
    assert run.samples == twin.samples == SAMPLES
    lost, gained = bench.work.validation.flipped(run)
    assert len(lost) == run.measured.counts.lost > 0 == len(gained)


def test_an_intact_engine_is_not_worse_and_the_registry_says_whose_figures_are_whose(tmp_path):
    bench = Bench(tmp_path, FakeTensorRT())

    assert verdict(bench, validated(bench)) is Verdict.NOT_WORSE
    validated(bench, backend="ort")

    newest, oldest = sorted(bench.work.registry.entry(bench.build.id).accuracy, key=lambda item: item.on_engine)
    assert not newest.on_engine
    assert newest.text.endswith("the numerics twin, simulated")
    assert oldest.on_engine
    assert oldest.text.endswith("the engine on no device")


def test_an_engine_as_baseline_gives_the_baseline_and_its_fault_is_the_baselines(tmp_path):
    bench = Bench(tmp_path, FakeTensorRT([FAULT]))
    variant = bench.build.request.variant_id

    run = validated(bench, subject_id=variant, baseline_id=bench.build.id)

    assert run.baseline_id == bench.build.id
    assert not run.by_engine
    assert run.measured.baseline < 0.95
    assert run.measured.value > 0.99
    assert f"the baseline, the FP16 engine {bench.build.id}" in run.method
    plain = validated(bench, subject_id=variant, baseline_id=bench.build.id, backend="ort")
    assert plain.measured.baseline == 1.0
    assert "baseline-engine-not-run" in rules(plain)


def test_two_engines_of_one_fault_agree(tmp_path):
    bench = Bench(tmp_path, FakeTensorRT([FAULT]))
    other = engine(bench, "1:2:2")

    run = validated(bench, baseline_id=other)

    assert run.measured.counts.lost == run.measured.counts.gained == 0
    assert "ONNX Runtime" not in run.method


def test_without_labels_the_engines_outputs_are_held_against_the_models(tmp_path):
    bench = Bench(tmp_path, FakeTensorRT([FAULT]))

    run = validated(bench, metric="sqnr", labels_id="")
    twin = validated(bench, metric="sqnr", labels_id="", backend="ort")

    assert run.measured.value < 10
    assert twin.measured.value > 40


@pytest.mark.parametrize(
    ("batches", "sizes", "left_out"),
    [("1:4:8", {4, 3}, 0), ("8:8:8", {8}, 3), ("2:8:16", {8, 3}, 0), ("5:6:7", {6}, 1), ("64:128:256", {103}, 0)],
)
def test_batches_are_those_that_a_profile_takes_and_as_few_samples_as_can_be_are_left_out(
    tmp_path, monkeypatch, batches, sizes, left_out
):
    bench = Bench(tmp_path, FakeTensorRT())
    build_id = engine(bench, batches)
    low, _, high = map(int, batches.split(":"))
    seen = []
    load = bench.observer.load

    def watched(path, **others):
        session = load(path, **others)
        run = session.run
        session.run = lambda feeds, outputs=None: seen.append(len(feeds["x"])) or run(feeds, outputs)
        return session

    monkeypatch.setattr(bench.observer, "load", watched)
    run = validated(bench, subject_id=build_id)

    assert all(low <= size <= high for size in seen)
    assert sum(seen) == run.samples == SAMPLES - left_out
    assert ("fewer-samples" in rules(run)) == bool(left_out)
    if high <= 64:
        assert set(seen) == sizes


def test_samples_of_a_shape_that_no_profile_holds_are_refused_before_a_job_is_made(tmp_path):
    bench = Bench(tmp_path, FakeTensorRT())
    data, labels = labelled(bench, 3)
    spec = ValidateSpec(model_id=bench.model.id, subject_id=engine(bench, "4:4:4"), data_id=data, labels_id=labels)

    with pytest.raises(InvalidInput, match="hold 3 samples, and the engine takes 4"):
        bench.work.validation.submit(spec)


def test_a_validation_of_an_engine_has_its_place_at_the_gpu_and_one_of_a_twin_has_not(tmp_path):
    bench = Bench(tmp_path, FakeTensorRT())
    data, labels = labelled(bench)
    spec = ValidateSpec(model_id=bench.model.id, subject_id=bench.build.id, data_id=data, labels_id=labels)

    job = bench.work.validation.submit(spec)
    twin = bench.work.validation.submit(replace(spec, backend="ort"))

    assert (job.device, job.use) == ("gpu:0", Use.SHARED)
    assert job.request["spec"]["backend"] == "tensorrt"
    assert twin.device == "cpu"


def test_it_can_be_cancelled_between_batches_and_says_how_far_it_is(tmp_path):
    bench = Bench(tmp_path, FakeTensorRT())
    quiet = CollectingReporter()
    validated(bench, reporter=quiet)
    steps = [item.step for item in quiet.reported if item.phase == "Scoring the engine"]
    assert steps == sorted(steps)
    assert steps[-1] == SAMPLES

    with pytest.raises(JobCancelled):
        validated(bench, reporter=CollectingReporter(cancel_after=150))


def test_the_engines_memory_is_given_back_even_when_it_fails(tmp_path, monkeypatch):
    bench = Bench(tmp_path, FakeTensorRT())
    closed = []
    monkeypatch.setattr("trt_core.testing_engines.FakeEngineSession.close", lambda self: closed.append(self.device))

    validated(bench)
    with pytest.raises(JobCancelled):
        validated(bench, reporter=CollectingReporter(cancel_after=5))

    assert len(closed) == 2


def test_without_a_gpu_the_twin_is_run_with_the_reason_and_the_engine_is_refused(tmp_path):
    bench = Bench(tmp_path, FakeTensorRT([FAULT]), absent="There is no driver. Install one.")

    run = validated(bench)

    assert not run.by_engine
    (said,) = [item.message for item in run.findings if item.rule == "engine-not-run"]
    assert "There is no driver" in said
    with pytest.raises(GpuUnavailable, match="no driver"):
        validated(bench, backend="tensorrt")


def test_an_engine_from_elsewhere_is_not_loaded(tmp_path):
    bench = Bench(tmp_path, FakeTensorRT())
    settings = bench.work.settings
    DecisionBook(settings.workspace).change(lambda known: known.update({bench.build.id: Decision(imported=True)}))

    assert not validated(bench).by_engine
    with pytest.raises(UnsupportedRequest, match="came from elsewhere"):
        validated(bench, backend="tensorrt")


def test_an_engine_of_another_gpu_or_version_is_not_run(tmp_path, monkeypatch):
    bench = Bench(tmp_path, FakeTensorRT())
    monkeypatch.setattr(FakeTensorRT, "version", lambda _: "9.9.9")
    with pytest.raises(GpuUnavailable, match=r"engine of TensorRT 0\.0\.1, and this machine has 9\.9\.9"):
        validated(bench, backend="tensorrt")


def test_a_variant_is_no_engine(tmp_path):
    bench = Bench(tmp_path, FakeTensorRT())

    with pytest.raises(UnsupportedRequest, match="is no engine"):
        validated(bench, subject_id=bench.build.request.variant_id, backend="tensorrt")
    assert "is no engine" in bench.work.validation.why_not(bench.build.request.variant_id)
    assert bench.work.validation.why_not(bench.build.id) == ""


def test_a_plan_of_rtx_runs_nowhere_here(tmp_path):
    work, model, build = stocked(tmp_path)
    (images,) = [item for item in work.library.data_sets(model.id) if "test" in item.name]
    spec = ValidateSpec(
        model_id=model.id, subject_id=build.id, data_id=images.id, metric="sqnr", samples=16, tolerance=10
    )

    run = work.validation.perform(spec, CollectingReporter())

    assert not run.by_engine
    with pytest.raises(GpuUnavailable, match="compiled ahead of time") as refused:
        work.validation.perform(replace(spec, backend="tensorrt"), CollectingReporter())
    assert refused.value.exit_code == 3


def test_the_command_line_says_what_ran_and_its_exit_code_is_the_engines(tmp_path, monkeypatch, capfd):
    bench = Bench(tmp_path, FakeTensorRT([FAULT]))
    monkeypatch.setattr(border, "open_workbench", lambda _: bench.work)
    values = np.random.default_rng(1).standard_normal((SAMPLES, 16), dtype=np.float32)
    session = OrtRunner().load(bench.work.library.model_path(bench.model.id))
    np.savez(tmp_path / "x.npz", x=values)
    np.savez(tmp_path / "labels.npz", labels=session.run({"x": values})[0].argmax(axis=1))

    def call(*words):
        rest = ("--data", tmp_path / "x.npz", "--labels", tmp_path / "labels.npz", "--tolerance", 0.05, "--json")
        capfd.readouterr()
        code = border.main([str(word) for word in ("validate", *words, *rest, "--workspace", tmp_path / "workspace")])
        said = capfd.readouterr()
        return code, json.loads(said.out) if said.out else {}, said.err

    code, plain, err = call(bench.build.id)
    assert code == 1, err
    assert (plain["backend"], plain["device"]) == ("tensorrt", "no device")
    assert plain["ran"]["candidate"].startswith("the FP16 engine")
    code, plain, _ = call(bench.build.id, "--backend", "ort")
    assert (code, plain["backend"]) == (0, "ort")
    assert plain["ran"]["candidate"].startswith("the numerics twin")
    other = engine(bench, "1:2:2")
    code, plain, _ = call(bench.build.id, "--against", other)
    assert plain["ran"]["baseline"].startswith(f"the FP16 engine {bench.build.id}")
    monkeypatch.setattr(bench.observer, "_absent", "There is no driver.")
    code, plain, err = call(bench.build.id, "--backend", "tensorrt")
    assert (code, plain) == (3, {})
    assert "There is no driver." in err
