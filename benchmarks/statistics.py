"""Do the intervals hold what they promise? Coverage over simulated runs of known distributions, beside SciPy's."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.tables import Table
from trt_core.analysis.block_bootstrap import bootstrap_intervals
from trt_core.analysis.latency import summarize
from trt_core.analysis.latency_compare import compare
from trt_core.analysis.order_statistics import independent_samples, quantile_interval

RUNS = 1_000
RATIO_FACTOR = 4  # its coverage is told apart from the limit only with more runs
LAGS = (0.3, 0.6, 0.9)  # of neighbouring samples
TOLERANCE = 2.0  # points of coverage around what is nominal
Sample = Callable[[np.random.Generator, int], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A distribution of latencies whose quantiles are known exactly."""

    name: str
    draw: Sample
    quantile: Callable[[float], float]


def shapes() -> tuple[Shape, ...]:
    """Symmetric, skewed, and with a rare slow mode."""
    from scipy import stats

    normal, lognormal = stats.norm(1.0, 0.05), stats.lognorm(0.25)
    exponential = stats.expon(0.5, 0.5)

    def mixed(rng: np.random.Generator, count: int) -> np.ndarray:
        slow = rng.random(count) < 0.1
        return np.where(slow, rng.normal(1.5, 0.05, count), rng.normal(1.0, 0.05, count))

    def mixed_quantile(share: float) -> float:
        from scipy.optimize import brentq

        fast, slow = stats.norm(1.0, 0.05), stats.norm(1.5, 0.05)
        return float(brentq(lambda x: 0.9 * fast.cdf(x) + 0.1 * slow.cdf(x) - share, 0.5, 2.5))

    return (
        Shape(name="normal", draw=lambda rng, n: rng.normal(1.0, 0.05, n), quantile=lambda q: float(normal.ppf(q))),
        Shape(
            name="lognormal",
            draw=lambda rng, n: rng.lognormal(0.0, 0.25, n),
            quantile=lambda q: float(lognormal.ppf(q)),
        ),
        Shape(
            name="exponential",
            draw=lambda rng, n: 0.5 + rng.exponential(0.5, n),
            quantile=lambda q: float(exponential.ppf(q)),
        ),
        Shape(name="two modes, 10 % slow", draw=mixed, quantile=mixed_quantile),
    )


def run(*, runs: int = RUNS) -> Table:
    """One row a statistic and distribution: coverage of ours and of SciPy's, and what exact ranks would give."""
    rows, limits = [], []
    for shape in shapes():
        for share, count in ((0.5, 500), (0.99, 1_000)):
            row, ours, exact = _quantile_row(shape, share, count, runs)
            rows.append(row)
            kept = abs(ours - exact) <= TOLERANCE
            what = f"p{share * 100:g} of {shape.name}: coverage"
            limits.append((what, f"{ours:.1f} %", f"{exact:.1f} ± {TOLERANCE:g} points", kept))
    for shape in shapes():
        row, ours = _ratio_row(shape, 500, RATIO_FACTOR * runs)
        rows.append(row)
        kept = abs(ours - 95.0) <= TOLERANCE
        limits.append((f"ratio of medians of {shape.name}: coverage", f"{ours:.1f} %", "95 ± 2 points", kept))
    for lag in LAGS:
        for share, count in ((0.5, 500), (0.99, 2_000)):
            row, ours = _dependent_row(lag, share, count, runs)
            rows.append(row)
            what = f"p{share * 100:g} of a series with lag {lag:g}: coverage"
            limits.append((what, f"{ours:.1f} %", f"{95 - TOLERANCE:g} % at least", ours >= 95.0 - TOLERANCE))
    return _table((*rows, *_agreement_rows()), tuple(limits), runs)


def _table(rows: tuple[tuple[str, ...], ...], limits: tuple[tuple[str, str, str, bool], ...], runs: int) -> Table:
    return Table(
        title="Statistics of latency runs",
        method=(
            f"{runs:,} simulated runs each ({RATIO_FACTOR * runs:,} for the ratio), seeded, of distributions whose "
            "quantiles are known. Coverage is the share of intervals that hold the true value. Order statistics can "
            "reach only certain levels: `exact` is the "
            "binomial probability of the ranks taken (never below 95 %), which coverage has to meet within 2 points. "
            "SciPy is `scipy.stats.quantile_test` for quantiles and `scipy.stats.bootstrap` (percentile, 1,000 "
            "resamples, 200 runs) for the ratio; it knows of no dependence. A series with lag is lognormal and first "
            "order: each sample's normal score is the one before times the lag, and noise. The bootstrap is the one "
            "that the table of percentiles shows beside the ranks, over blocks of neighbours."
        ),
        columns=(
            "statistic",
            "distribution",
            "samples",
            "ours, %",
            "exact, %",
            "SciPy, %",
            "bootstrap, %",
            "ours, µs a run",
        ),
        rows=rows,
        limits=limits,
    )


def _quantile_row(shape: Shape, share: float, count: int, runs: int) -> tuple[tuple[str, ...], float, float]:
    from scipy import stats

    from trt_core.analysis.order_statistics import rank_interval

    rng = np.random.default_rng(hash_of(shape.name, share))
    truth = shape.quantile(share)
    ranks = rank_interval(count, share)
    if ranks is None:
        raise ValueError(f"{count} samples give no interval for {share}")
    # The value lies between the samples of these ranks when so many of them are below it.
    exact = 100.0 * float(stats.binom.cdf(ranks[1], count, share) - stats.binom.cdf(ranks[0], count, share))
    ours = theirs = blocks = 0
    spent = 0.0
    for _ in range(runs):
        samples = shape.draw(rng, count)
        blocks += _held(bootstrap_intervals(samples, (share,))[0], truth)
        begin = time.perf_counter()
        low, high = quantile_interval(np.sort(samples), share) or (np.nan, np.nan)
        spent += time.perf_counter() - begin
        ours += low <= truth <= high
        other = stats.quantile_test(samples, p=share).confidence_interval(0.95)
        theirs += other.low <= truth <= other.high
    coverage = 100.0 * ours / runs
    shares = (coverage, exact, 100.0 * theirs / runs, 100.0 * blocks / runs)
    cells = (*(f"{value:.1f}" for value in shares), f"{spent / runs * 1e6:.0f}")
    return (f"p{share * 100:g}", shape.name, f"{count:,}", *cells), coverage, exact


def _held(bounds: tuple[float, float] | None, truth: float) -> bool:
    return bounds is not None and bounds[0] <= truth <= bounds[1]


def _dependent_row(lag: float, share: float, count: int, runs: int) -> tuple[tuple[str, ...], float]:
    """Ranks for as many samples as the series is worth, SciPy's for as many as there are, and blocks of neighbours."""
    from scipy import signal, stats

    rng = np.random.default_rng(hash_of("series", share + lag))
    truth = float(np.exp(0.25 * stats.norm.ppf(share)))
    held = np.zeros(3)
    spent = 0.0
    for _ in range(runs):
        noise = rng.normal(size=count + 200) * np.sqrt(1.0 - lag**2)
        samples = np.exp(0.25 * signal.lfilter([1.0], [1.0, -lag], noise)[200:])
        begin = time.perf_counter()
        worth = independent_samples(samples)
        ranks = quantile_interval(np.sort(samples), share, effective=worth)
        spent += time.perf_counter() - begin
        other = stats.quantile_test(samples, p=share).confidence_interval(0.95)
        drawn = bootstrap_intervals(samples, (share,), effective=worth)[0]
        held += [_held(ranks, truth), other.low <= truth <= other.high, _held(drawn, truth)]
    ours, theirs, blocks = 100.0 * held / runs
    cells = (f"{ours:.1f}", "–", f"{theirs:.1f}", f"{blocks:.1f}", f"{spent / runs * 1e6:.0f}")
    return (f"p{share * 100:g}", f"lognormal series, lag {lag:g}", f"{count:,}", *cells), float(ours)


def _ratio_row(shape: Shape, count: int, runs: int) -> tuple[tuple[str, ...], float]:
    """The second run is 1.1 times as slow by construction: the true ratio is 1/1.1."""
    from scipy import stats

    rng = np.random.default_rng(hash_of(shape.name, 0.0))
    ours = theirs = 0
    spent, compared = 0.0, min(runs, 200)
    for number in range(runs):
        first, second = shape.draw(rng, count), 1.1 * shape.draw(rng, count)
        begin = time.perf_counter()
        low, high = compare(first, second, seed=number).ratio_ci95
        spent += time.perf_counter() - begin
        ours += low <= 1 / 1.1 <= high
        if number < compared:
            found = stats.bootstrap(
                (first, second),
                lambda a, b, axis: np.median(a, axis=axis) / np.median(b, axis=axis),
                n_resamples=1_000,
                method="percentile",
                rng=np.random.default_rng(number),
            ).confidence_interval
            theirs += found.low <= 1 / 1.1 <= found.high
    coverage = 100.0 * ours / runs
    cells = (f"{coverage:.1f}", "95.0", f"{100.0 * theirs / compared:.1f}", "–", f"{spent / runs * 1e6:.0f}")
    return ("ratio of medians", shape.name, f"2 × {count}", *cells), coverage


def _agreement_rows() -> list[tuple[str, ...]]:
    """The point estimates against SciPy and NumPy on one long run."""
    from scipy import stats

    samples = np.random.default_rng(7).lognormal(0.0, 0.3, 100_000)
    found = summarize(samples, wall_s=1.0, batch=1)
    theirs = stats.mstats.mquantiles(samples, (0.5, 0.9, 0.95, 0.99), alphap=1, betap=1)
    ours = (found.p50_ms, found.p90_ms, found.p95_ms, found.p99_ms)
    worst = max(abs(a / b - 1) for a, b in zip(ours, theirs, strict=True))
    return [
        (
            "largest deviation of p50…p99 from mquantiles(1, 1)",
            "lognormal",
            "100,000",
            f"{worst:.1e}",
            "0",
            "–",
            "–",
            "–",
        ),
    ]


def hash_of(name: str, share: float) -> int:
    """A seed that does not depend on the process."""
    return sum(ord(letter) * (place + 1) for place, letter in enumerate(name)) + int(share * 1_000)
