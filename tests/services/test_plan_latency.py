"""Which measured engine is whose plan's."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from pages.ui.triage_charts import curve_figure
from trt_core.analysis.judge import judge
from trt_core.domain.latency import LatencyConditions
from trt_core.domain.plans import make_plan
from trt_core.domain.precision import CalibrationMethod, KeepRule, Precision, Recipe
from trt_core.domain.triage import Evaluation, TriageRun
from trt_core.domain.validation import Measured, PairCounts
from trt_core.services.plan_latency import PlanLatencies

INT8 = Recipe(precision=Precision.INT8, method=CalibrationMethod.MINMAX, data_sha256="d" * 64)
H200 = LatencyConditions(
    device="H200", backend="tensorrt", backend_version="8.6.0", method="events", shapes=(("x", (8, 3)),), batch=8,
    threads=0, warmup=50,
)  # fmt: skip


def evaluation(*kept: str) -> Evaluation:
    counts = PairCounts(samples=100, both=90, lost=1, gained=0)
    measured = Measured(metric="top1", value=counts.candidate, baseline=counts.baseline, counts=counts)
    share = 1.0 - 0.1 * len(kept)
    return Evaluation(
        kept=kept, step="plain", measured=measured, judgement=judge(measured, 0.005), low_share=share,
        low_share_of_all=share, seconds=1.0,
    )  # fmt: skip


@pytest.fixture
def run() -> TriageRun:
    plan = make_plan(INT8, ["a", "b", "c"], ["b"])
    return TriageRun(
        id="t-000000000000", model_id="m-000000000000", created_at=0.0, metric="top1", tolerance=0.005, method="",
        sensitivities=(), evaluations=(evaluation(), evaluation("b"), evaluation("a", "b")), chosen=1, plan=plan,
        samples=100, seconds=1.0,
    )  # fmt: skip


def latencies_of(builds: dict[str, Recipe], heads: list[tuple[str, str, LatencyConditions]]) -> PlanLatencies:
    found = [SimpleNamespace(id=name, subject_id=subject, conditions=how) for name, subject, how in heads]
    return PlanLatencies(
        SimpleNamespace(build=lambda name: SimpleNamespace(recipe=builds[name])),
        SimpleNamespace(
            heads=lambda _model: found, summary=lambda name: SimpleNamespace(p50_ms=float(name.rpartition("-")[2]))
        ),
        SimpleNamespace(runs=lambda _model: []),
    )


def validated(build_id: str, value: float, *, backend: str = "tensorrt", samples: int = 100) -> SimpleNamespace:
    measured = SimpleNamespace(value=value)
    return SimpleNamespace(
        build_id=build_id, by_engine=backend == "tensorrt", metric="top1", samples=samples, data="", measured=measured
    )


def test_engines_that_were_validated_on_the_same_samples_fill_the_square(run):
    builds = {"b-full": Recipe(precision=Precision.FP32), "b-plain": INT8, "b-kept": in_fp32(keeping("b"))}
    runs = [
        validated("b-plain", 0.91),
        validated("b-plain", 0.5),  # an older one
        validated("b-kept", 0.2, backend="ort"),  # its twin
        validated("b-kept", 0.3, samples=50),
        validated("b-full", 0.95),
    ]
    scores = PlanLatencies(
        SimpleNamespace(build=lambda name: SimpleNamespace(recipe=builds[name])),
        SimpleNamespace(),
        SimpleNamespace(runs=lambda _model: runs),
    ).scores(run)

    assert (scores.fp32, dict(scores.plans)) == (0.95, {0: 0.91})


def keeping(*nodes: str) -> Recipe:
    return replace(INT8, keep=tuple(KeepRule(node=node, precision=Precision.FP32) for node in nodes))


def in_fp32(recipe: Recipe) -> Recipe:
    return replace(recipe, rest=Precision.FP32)


def test_an_engine_is_a_plan_s_by_its_kept_nodes_whatever_its_rest_and_the_newest_run_counts(run):
    builds = {
        "b-plain": in_fp32(INT8),
        "b-kept": in_fp32(keeping("b")),
        "b-other": keeping("c"),
        "b-half": Recipe(precision=Precision.FP16),
    }
    heads = [
        (f"l-{number}", name, H200)
        for number, name in enumerate(["b-kept", "b-plain", "b-kept", "b-other", "b-half"], 3)
    ]

    found = latencies_of(builds, heads).of(run)

    assert [(item.place, item.p50_ms, item.build_id) for item in found] == [(0, 4.0, "b-plain"), (1, 3.0, "b-kept")]


def test_plans_whose_rest_runs_in_another_precision_do_not_stand_beside_each_other(run):
    builds = {"b-plain": in_fp32(INT8), "b-kept": keeping("b")}
    found = latencies_of(builds, [("l-2", "b-kept", H200), ("l-1", "b-plain", H200)]).of(run)

    assert [(item.build_id, item.rest) for item in found] == [("b-kept", Precision.FP16)]


def test_runs_under_other_conditions_and_runs_of_no_engine_are_left_out(run):
    other = replace(H200, batch=1, shapes=(("x", (1, 3)),))
    heads = [("l-1", "b-kept", H200), ("l-2", "b-plain", other), ("l-3", "v-kept", H200)]

    found = latencies_of({"b-plain": INT8, "b-kept": keeping("b")}, heads).of(run)

    assert [item.place for item in found] == [1]


def test_one_more_run_under_other_conditions_does_not_empty_the_curve(run):
    builds = {"b-plain": in_fp32(INT8), "b-kept": in_fp32(keeping("b"))}
    copies = replace(H200, includes_transfers=True)
    heads = [("l-9", "b-kept", copies), ("l-2", "b-kept", H200), ("l-1", "b-plain", H200)]

    assert [item.p50_ms for item in latencies_of(builds, heads).of(run)] == [1.0, 2.0]
    assert [item.p50_ms for item in latencies_of(builds, heads[:2]).of(run)] == [9.0]  # one each: the newest counts


def test_measured_plans_say_their_milliseconds_on_the_curve_and_under_which_conditions(run):
    latencies = latencies_of({"b-kept": keeping("b")}, [("l-1.5", "b-kept", H200)]).of(run)

    (words,) = [trace for trace in curve_figure(run, latencies).data if trace.mode == "text"]
    said = " ".join(note.text for note in curve_figure(run, latencies).layout.annotations)

    assert list(words.text) == ["1.50 ms<br> "]
    assert "tensorrt 8.6.0 on H200, batch 8, the rest in FP16" in said.replace("<br>", " ")
    assert not [trace for trace in curve_figure(run).data if trace.mode == "text"]
