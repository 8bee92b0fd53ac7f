"""Looking into engines, over a fake TensorRT that runs ONNX Runtime and goes wrong where a fault was planted."""

from __future__ import annotations

import io

import numpy as np
import pytest

from tests.fake_engines import Bench, tower
from trt_core.domain.engine_divergence import Blame, CutOutcome, InsideSpec, Marking
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.registry import Decision
from trt_core.domain.requests import BuildSpec, QuantizeSpec
from trt_core.errors import GpuUnavailable, JobCancelled, UnsupportedRequest
from trt_core.settings import settings_from
from trt_core.store.decisions import DecisionBook
from trt_core.testing import CollectingReporter, FakeTensorRT, Plant
from trt_core.workbench import open_workbench


@pytest.fixture
def made(tmp_path):
    return lambda *plants, **others: Bench(
        tmp_path,
        FakeTensorRT(
            plants, **{name: others.pop(name) for name in ("opaque", "nervous", "unbuildable") if name in others}
        ),
        **others,
    )


def test_the_layer_with_the_fault_is_named_and_everything_before_it_is_clean(made):
    run = made(Plant(tensor="b3_sum", factor=1.5)).look()
    assert run.origin == ("sum3",)
    assert not run.is_intact
    errors = {layer.tensor: layer.error("fp16").sqnr_db for layer in run.layers}
    assert errors["b2_sum"] > 50
    assert errors["b3_sum"] < 10
    assert set(run.believed) == set(errors)
    assert run.bisection is None


def test_an_intact_engine_has_no_origin_and_is_not_cut(made):
    run = made().look()
    assert run.is_intact
    assert run.origin == ()
    assert run.bisection is None
    assert all(group.concludes for group in run.groups)


def test_only_tensors_between_the_plain_engines_layers_are_read_unless_all_are_asked_for(made):
    bench = made()
    borders = {layer.tensor for layer in bench.look().layers}
    assert "b0_sum" in borders
    assert "b0_up" not in borders  # inside the fusion of a product with its activation
    assert "b0_up" in {layer.tensor for layer in bench.look(tensors="all").layers}


def test_marking_what_was_fused_changes_the_fusions_and_nothing_is_concluded(made):
    run = made(Plant(tensor="b3_sum", factor=1.5)).look(tensors="all", search="groups", max_builds=1)
    (group,) = run.groups
    assert group.check.fusions.changed
    assert "up0 + act0" in " ".join(group.check.fusions.evidence)
    assert not group.concludes
    assert run.believed == ()
    assert run.origin == ()
    assert run.layers  # what was read is shown, and not believed


def test_without_the_tensors_that_split_fusions_the_others_are_read_once_more_and_believed(made):
    run = made(Plant(tensor="b3_sum", factor=1.5)).look(tensors="all", search="groups")
    first, second = run.groups
    assert not first.concludes
    assert second.concludes
    assert set(first.tensors) - set(second.tensors) == {f"b{at}_{part}" for at in range(6) for part in ("up", "down")}
    assert run.believed == second.tensors
    assert run.origin == ("sum3",)


def test_an_engine_that_splits_its_fusions_when_watched_is_refused_with_the_reason(made):
    run = made(nervous=True).look()
    assert run.believed == ()
    assert "Marking changed the fusions" in run.groups[0].check.reasons[0]


def test_copies_that_explain_a_slower_engine_do_not_keep_it_from_being_believed(made):
    run = made(slowdown=0.1).look()
    assert run.groups[0].check.latency_ratio > 1.5
    assert "explain it" in run.groups[0].check.latency.sentence
    assert run.believed


def test_an_engine_that_is_slower_beyond_its_copies_is_refused_with_the_reason(made):
    run = made(slowdown=0.01, drag=0.4).look()
    assert "Marking changed the latency" in run.groups[0].check.reasons[0]
    assert run.believed == ()


def test_a_fault_that_goes_away_when_watched_is_refused_with_the_reason(made):
    run = made(Plant(tensor="b3_sum", factor=1.5, cured_by=frozenset({"b2_sum"}))).look(search="groups")
    assert run.groups[0].check.output.changed
    assert not run.groups[0].check.fusions.changed
    assert run.believed == ()


def test_groups_stay_inside_the_budget_and_the_rest_is_said(made):
    bench = made()
    run = bench.look(budget_mb=1)
    assert all(group.size_bytes <= 1 << 20 for group in run.groups)
    assert len(bench.engines.built) == len(run.groups) + 1  # and the FP32 engine of the square


def test_debug_tensors_are_taken_where_the_library_has_them(made):
    run = made(debug=True).look()
    assert {group.marking for group in run.groups} == {Marking.DEBUG}


def test_what_the_plain_engine_writes_in_fp16_is_asked_for_in_fp16(made):
    bench = made()
    bench.look()
    assert {"b0_act", "b0_sum"} <= bench.observer.halves[-1]
    exact = made(precision=Precision.FP32)
    exact.look()
    assert exact.observer.halves[-1] == frozenset()


def test_an_opaque_engine_is_bisected_to_the_block_with_the_fault(made):
    bench = made(Plant(tensor="b3_down", factor=2.0), opaque=True)
    run = bench.look()
    assert run.opaque == (
        "1 of 1 engine layers is an opaque block of the compiler (Myelin): "
        "0 of 24 inner tensors are written in between."
    )
    found = run.bisection
    assert (found.clean, found.faulty) == ("b2_sum", "b3_sum")
    assert set(found.between) == {"up3", "act3", "down3", "sum3"}
    assert len(found.steps) <= 3  # of six cuts
    assert found.stopped == ""
    assert all(dict(step.precisions) for step in found.steps)
    assert {step.outcome for step in found.steps} == {CutOutcome.BEFORE, CutOutcome.AFTER}
    assert bench.engines.built[-len(found.steps) - 1 : -1] == [(step.tensor,) for step in found.steps]
    assert [name for name, _ in found.segment.errors] == ["b3_up", "b3_act", "b3_down", "b3_sum"]
    assert found.first_wrong == "b3_down"


def test_a_fault_that_the_segments_outputs_cure_names_no_tensor(made):
    run = made(Plant(tensor="b3_down", factor=2.0, cured_by=frozenset({"b3_act"})), opaque=True).look()
    assert run.bisection.faulty == "b3_sum"
    assert run.bisection.segment.errors
    assert run.bisection.first_wrong == ""


def test_an_engine_that_cannot_be_built_with_its_group_is_told_and_the_look_goes_on(made):
    run = made(Plant(tensor="b3_sum", factor=1.5), unbuildable=["b1_sum"]).look()
    (group,) = run.groups
    assert "No implementation for 'b1_sum'" in group.failed
    assert run.bisection.faulty == "b3_sum"


def test_a_cut_that_cures_the_engine_is_told_and_the_search_goes_on_around_it(made):
    run = made(Plant(tensor="b3_down", factor=2.0, cured_by=frozenset({"b2_sum"})), opaque=True).look()
    assert run.bisection.gone == ("b2_sum",)
    assert run.bisection.clean == "b1_sum"
    assert run.bisection.faulty == "b3_sum"
    assert "gave no answer" in run.bisection.stopped


def test_a_cut_that_cannot_be_built_is_a_step_without_an_answer(made):
    run = made(Plant(tensor="b3_down", factor=2.0), opaque=True, unbuildable=["b2_sum"]).look()
    (failed,) = [step for step in run.bisection.steps if step.outcome is CutOutcome.NO_BUILD]
    assert failed.tensor == "b2_sum"
    assert "No implementation" in failed.reason
    assert run.bisection.faulty == "b3_sum"


def test_bisecting_ends_when_its_builds_are_used_up(made):
    run = made(Plant(tensor="b3_down", factor=2.0), opaque=True).look(max_builds=1)
    assert len(run.bisection.steps) == 1
    assert "1 builds are allowed" in run.bisection.stopped


def test_a_look_can_be_cancelled_between_two_builds(made):
    class Impatient(CollectingReporter):
        """Asks to stop once the second cut is about to be built."""

        def progress(self, progress):
            super().progress(progress)
            if progress.phase.startswith("Building with an output at") and progress.step == 2:
                self.cancel_after = 0

    bench = made(Plant(tensor="b3_down", factor=2.0), opaque=True)
    reporter = Impatient()
    with pytest.raises(JobCancelled):
        bench.look(reporter=reporter, square=False)
    assert len(bench.engines.built) == 1
    assert bench.work.inside.heads(bench.model.id) == []


def test_a_search_tells_which_build_it_is_at_and_what_that_build_does(made):
    reporter = CollectingReporter()
    made(Plant(tensor="b3_down", factor=2.0), opaque=True).look(reporter=reporter, square=False)
    cuts = [item for item in reporter.reported if item.phase.startswith("Building with an output at")]
    assert any(item.phase.endswith("b2_sum: Timing tactics") for item in cuts)
    assert [item.fraction for item in cuts] == sorted(item.fraction for item in cuts)
    assert all(item.step <= item.steps for item in cuts)


def test_the_square_blames_the_engine_for_what_onnx_runtime_does_not_lose(made):
    square = made(Plant(tensor="b3_sum", factor=1.5)).look().square
    assert square.blame is Blame.ENGINE
    assert square.cell("ONNX Runtime", "fp16").error.sqnr_db > 50


def test_an_fp32_engine_has_no_square(made):
    assert made(precision=Precision.FP32).look().square is None


def test_what_was_seen_is_kept_and_listed(made):
    bench = made()
    run = bench.look()
    assert bench.work.inside.run(run.id) == run
    (head,) = bench.work.inside.heads(bench.model.id)
    assert head.id == run.id
    assert head.layers == ()


def test_without_a_gpu_the_reason_is_given(tmp_path):
    bench = Bench(tmp_path, FakeTensorRT(), absent="No NVIDIA driver on this machine.")
    with pytest.raises(GpuUnavailable, match="No NVIDIA driver"):
        bench.look()
    nobody = open_workbench(settings_from({}, workspace=tmp_path / "workspace"))
    assert "needs an NVIDIA GPU" in nobody.inside.why_not()


def test_an_engine_of_another_backend_is_refused(tmp_path):
    bench = open_workbench(settings_from({}, workspace=tmp_path / "workspace"), compilers={"rtx": FakeTensorRT()})
    model = bench.library.add_upload({"tower.onnx": io.BytesIO(tower(1).SerializeToString())})
    wish = BuildSpec(variant=QuantizeSpec(model_id=model.id, recipe=Recipe(precision=Precision.FP32)))
    built = bench.builds.perform(wish, CollectingReporter())
    with pytest.raises(UnsupportedRequest, match="a plan of rtx"):
        bench.inside.check(InsideSpec(build_id=built.record.id))


@pytest.fixture
def stored(tmp_path):
    def saved(bench, samples):
        path = tmp_path / f"{samples}.npz"
        np.savez(path, x=np.random.default_rng(0).standard_normal((samples, 16), dtype=np.float32))
        return bench.work.library.add_data(path, name=path.name, model_id=bench.model.id).id

    return saved


def test_samples_go_in_whole_batches_of_the_usual_shape(made, stored):
    bench = made()
    run = bench.look(data_id=stored(bench, 10), samples=6)
    assert (run.samples, run.batch, run.data) == (8, 4, "10.npz")
    assert not {item.rule for item in run.findings} & {"random-input", "fewer-samples"}


def test_fewer_samples_than_asked_for_are_said(made, stored):
    bench = made()
    run = bench.look(data_id=stored(bench, 10), samples=100)
    assert run.samples == 8
    assert "fewer-samples" in {item.rule for item in run.findings}


def test_noise_instead_of_data_is_said(made):
    assert "random-input" in {item.rule for item in made().look().findings}


def test_a_group_below_the_budget_of_one_tensor_leaves_it_out_and_says_so(made, monkeypatch):
    from trt_core.services.engine_look import Look

    monkeypatch.setattr(Look, "_measured", lambda self: {"b0_sum": 2 << 20, "b1_sum": 1})
    run = made().look(budget_mb=1)
    assert {layer.tensor for layer in run.layers} == {"b1_sum"}
    (left,) = [item for item in run.findings if item.rule == "tensors-left-out"]
    assert "over the budget" in left.message
    assert "b0_sum" in left.evidence


def test_an_engine_from_elsewhere_is_not_loaded(made):
    bench = made()
    book = DecisionBook(bench.work.settings.workspace)
    book.change(lambda known: known.update({bench.build.id: Decision(imported=True)}))
    with pytest.raises(UnsupportedRequest, match="came from elsewhere"):
        bench.look()
