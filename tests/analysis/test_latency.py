from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from scipy import signal, stats

from trt_core.analysis.latency import ecdf, summarize, trtexec_percentile
from trt_core.analysis.latency_compare import Verdict, compare, conditions_differ
from trt_core.analysis.latency_findings import latency_findings, run_findings
from trt_core.analysis.order_statistics import independent_samples, rank_interval, resampled_medians
from trt_core.domain.latency import LatencyConditions, LatencyRun

CONDITIONS = LatencyConditions(
    device="GPU",
    backend="tensorrt",
    backend_version="10.0",
    method="events",
    shapes=(("x", (1, 3)),),
    batch=1,
    threads=1,
    warmup=10,
)


def rules(samples: np.ndarray, *, on_cpu: bool = True) -> list[str]:
    return [finding.rule for finding in latency_findings(samples, on_cpu=on_cpu)]


def test_percentiles_interpolate_linearly_and_throughput_counts_the_batch() -> None:
    summary = summarize([4.0, 1.0, 3.0, 2.0], wall_s=2.0, batch=8)
    assert (summary.min_ms, summary.p50_ms, summary.p90_ms, summary.max_ms) == (1.0, 2.5, pytest.approx(3.7), 4.0)
    assert summary.throughput_per_s == 16.0
    assert summary.std_ms == pytest.approx(np.std([1, 2, 3, 4]))


@pytest.mark.parametrize("samples", [[], [1.0, float("nan")], [float("inf")]])
def test_no_samples_and_samples_that_are_not_finite_are_refused(samples: list[float]) -> None:
    with pytest.raises(ValueError):
        summarize(samples, wall_s=1.0, batch=1)


@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("count", [6, 20, 367, 368, 1000, 10_007])
def test_rank_intervals_agree_with_the_exact_binomial(count: int, quantile: float) -> None:
    low = int(stats.binom.ppf(0.025, count, quantile))
    while stats.binom.cdf(low, count, quantile) > 0.025:
        low -= 1
    high = int(stats.binom.ppf(0.975, count, quantile))
    expected = (low, high) if low >= 0 and high < count else None
    assert rank_interval(count, quantile) == expected


def test_p99_has_an_interval_from_368_samples_on() -> None:
    shuffled = np.random.default_rng(0).permutation
    assert summarize(shuffled(np.arange(1.0, 368.0)), wall_s=1.0, batch=1).p99_ci95_ms is None
    low, high = summarize(shuffled(np.arange(1.0, 369.0)), wall_s=1.0, batch=1).p99_ci95_ms
    assert low < 365 < high == 368.0


def test_the_interval_of_p99_covers_the_truth_at_least_95_times_in_100() -> None:
    rng, truth = np.random.default_rng(1), stats.lognorm.ppf(0.99, 0.3)
    hits = 0
    for _ in range(400):
        low, high = summarize(rng.lognormal(0, 0.3, 1000), wall_s=1.0, batch=1).p99_ci95_ms
        hits += low <= truth <= high
    assert hits >= 372  # 95 % of 400, less three standard deviations


def test_the_intervals_cover_the_truth_of_samples_that_follow_each_other_too() -> None:
    rng, hits = np.random.default_rng(1), {0.5: 0, 0.99: 0}
    for _ in range(200):
        noise = rng.normal(0.0, np.sqrt(1 - 0.8**2), 4000)
        wave = 10.0 + signal.lfilter([1.0], [1.0, -0.8], noise)[200:]  # a first-order series of variance 1
        found = summarize(wave, wall_s=1.0, batch=1)
        for quantile, (low, high) in ((0.5, found.p50_ci95_ms), (0.99, found.p99_ci95_ms)):
            hits[quantile] += low <= 10.0 + stats.norm.ppf(quantile) <= high
    assert min(hits.values()) >= 181  # 95 % of 200, less three standard deviations


def test_equal_samples_of_a_coarse_clock_are_not_taken_for_dependent_ones() -> None:
    ticks = np.random.default_rng(0).integers(10, 13, 5000).astype(float)
    assert independent_samples(ticks) == 5000
    assert independent_samples(np.ones(5000)) == 5000


def test_dependent_samples_are_said_to_be_worth_fewer() -> None:
    wave = np.repeat(np.random.default_rng(0).normal(10, 0.1, 500), 20)
    found = next(f for f in latency_findings(wave, on_cpu=True) if f.rule == "dependent-samples")
    assert "10,000 samples are worth" in found.message


@pytest.mark.parametrize(("count", "rank"), [(100, 99), (200, 198), (1000, 990), (1, 0), (50, 49)])
def test_trtexec_percentiles_follow_float32_arithmetic(count: int, rank: int) -> None:
    assert trtexec_percentile(np.arange(float(count))[::-1], 99) == rank


def test_the_ecdf_carries_the_dkw_band_and_is_thinned_with_its_whole_tail_kept() -> None:
    curve = ecdf(np.arange(1.0, 10_001.0), points=100)
    assert (curve.x_ms[0], curve.x_ms[-1], curve.share[-1]) == (1.0, 10_000.0, 1.0)
    assert 95 <= len(curve.x_ms) <= 100
    assert set(np.arange(9_976.0, 10_001.0)) <= set(curve.x_ms)  # the slowest quarter of the points, one by one
    assert len(ecdf(np.arange(30.0), points=100).x_ms) == 30
    half = np.sqrt(np.log(2 / 0.05) / 20_000)
    assert curve.share[50] - curve.low[50] == pytest.approx(half)
    assert curve.high.max() <= 1.0
    assert curve.low.min() >= 0.0


def test_medians_of_resamples_drawn_by_rank_are_distributed_as_those_of_real_resamples() -> None:
    rng = np.random.default_rng(3)
    for count in (31, 32):
        ordered = np.sort(rng.lognormal(0, 0.5, count))
        direct = np.median(rng.choice(ordered, (4000, count)), axis=1)
        by_rank = resampled_medians(ordered, 4000, rng)
        assert stats.ks_2samp(direct, by_rank).pvalue > 0.001


def test_a_clear_difference_is_faster_and_the_reverse_is_slower() -> None:
    rng = np.random.default_rng(0)
    slow, fast = rng.normal(15.0, 0.5, 500), rng.normal(10.0, 0.5, 500)
    found = compare(slow, fast)
    assert found.verdict is Verdict.FASTER
    assert found.ratio_ci95[0] < found.ratio < found.ratio_ci95[1]
    assert found.ratio == pytest.approx(1.5, rel=0.02)
    assert compare(fast, slow).verdict is Verdict.SLOWER


def test_two_runs_of_the_same_thing_cannot_be_told_apart_95_times_in_100() -> None:
    rng = np.random.default_rng(0)
    verdicts = [compare(rng.lognormal(2, 0.1, 300), rng.lognormal(2, 0.1, 300)).verdict for _ in range(200)]
    assert verdicts.count(Verdict.CANNOT_TELL) >= 181  # 95 % of 200, less three standard deviations


def test_samples_that_follow_each_other_count_as_fewer_and_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    slow_wave = 10 + np.repeat(rng.normal(0, 0.5, 50), 20) + rng.normal(0, 0.01, 1000)
    shuffled = rng.permutation(slow_wave)
    assert independent_samples(slow_wave) < 100
    assert independent_samples(shuffled) > 800
    other = rng.normal(10.0, 0.5, 1000)
    wide, narrow = (compare(item, other).ratio_ci95 for item in (slow_wave, shuffled))
    assert wide[1] - wide[0] > 1.5 * (narrow[1] - narrow[0])


def test_every_condition_that_differs_is_named_with_both_values() -> None:
    assert conditions_differ(CONDITIONS, CONDITIONS) == ()
    changed = replace(CONDITIONS, shapes=(("x", (8, 3)),), batch=8, cuda_graph=True)
    found = {finding.rule: finding.message for finding in conditions_differ(CONDITIONS, changed)}
    assert set(found) == {"conditions-differ-shapes", "conditions-differ-batch", "conditions-differ-cuda-graph"}
    assert "x 1×3 against x 8×3" in found["conditions-differ-shapes"]


def test_a_steady_series_has_no_finding_but_what_its_length_forbids() -> None:
    rng = np.random.default_rng(0)
    assert rules(rng.normal(10, 0.1, 500)) == ["few-samples-for-p99"]
    assert rules(rng.normal(10, 0.1, 2000)) == ["few-samples-for-p99-9"]
    assert rules(rng.normal(10, 0.1, 10_000)) == []


def test_instability_is_a_note_on_a_cpu_and_a_warning_on_a_gpu() -> None:
    samples = np.random.default_rng(0).normal(10, 0.5, 10_000)
    assert [f.severity.value for f in latency_findings(samples, on_cpu=True)] == ["note"]
    assert [f.severity.value for f in latency_findings(samples, on_cpu=False)] == ["warning"]


def test_drift_is_found_and_its_direction_is_said() -> None:
    rng = np.random.default_rng(0)
    falling = rng.normal(10, 0.1, 10_000) * np.linspace(1.2, 1.0, 10_000)
    drift = next(f for f in latency_findings(falling, on_cpu=True) if f.rule == "latency-drift")
    assert "falls by 17%" in drift.message


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_two_modes_are_found_with_their_places(share: float) -> None:
    rng = np.random.default_rng(0)
    second = rng.random(10_000) < share
    samples = rng.normal(10, 0.2, 10_000) + 3.0 * second
    assert "two-latency-modes" in rules(samples)


@pytest.mark.parametrize("draw", ["normal", "lognormal", "uniform", "exponential"])
def test_one_mode_with_whatever_tail_is_not_taken_for_two(draw: str) -> None:
    rng = np.random.default_rng(0)
    base = getattr(rng, draw)(size=10_000)
    assert "two-latency-modes" not in rules(20 + base)


def test_a_filled_valley_or_a_third_mode_is_not_taken_for_two_modes() -> None:
    rng = np.random.default_rng(0)
    bridged = np.concatenate([np.full(4000, 10.0), np.full(4000, 13.0), rng.uniform(10, 13, 2000)])
    three = np.repeat([10.0, 11.05, 12.0], 3400) + rng.normal(0, 0.01, 10_200)
    assert "two-latency-modes" not in rules(bridged)
    assert "two-latency-modes" not in rules(rng.permutation(three))


def test_host_times_give_trtexecs_warnings() -> None:
    run = LatencyRun(
        id="l-000000000000",
        subject_id="b-000000000000",
        model_id="m-000000000000",
        label="run",
        created_at=0.0,
        conditions=replace(CONDITIONS, streams=2),
        samples_ms=(1.0,) * 10_000,
        warmup_ms=(),
        wall_s=10.0,
        enqueue_ms=0.9,
        h2d_ms=1.0,
        d2h_ms=0.1,
    )
    assert [f.rule for f in run_findings(run)] == ["enqueue-bound", "transfer-bound", "several-streams"]


def test_a_hundred_thousand_samples_take_less_than_a_second() -> None:
    samples = np.random.default_rng(0).lognormal(2, 0.1, 100_000)
    began = time.perf_counter()
    summarize(samples, wall_s=1.0, batch=1)
    compare(samples, samples * 1.01)
    latency_findings(samples, on_cpu=True)
    ecdf(samples)
    assert time.perf_counter() - began < 1.0
