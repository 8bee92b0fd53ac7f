from __future__ import annotations

import numpy as np
import pytest

from trt_core.analysis.latency_pictures import node_times, op_times, over_time, percentile_rows, shared_histogram


def test_one_stall_does_not_stretch_the_axis():
    samples = [1.0 + number / 1000 for number in range(999)] + [500.0]

    found = shared_histogram([samples])

    assert not found.axis.is_log
    assert found.axis.high_ms < 3
    assert found.beyond == (1,)


def test_series_far_apart_share_a_logarithmic_axis_with_readable_ticks():
    found = shared_histogram([[0.1] * 50, [20.0] * 50])

    assert found.axis.is_log
    assert found.axis.ticks_ms == pytest.approx((0.1, 0.2, 0.5, 1, 2, 5, 10, 20))
    assert [float(share.sum()) for share in found.shares] == [1.0, 1.0]
    steps = np.diff(np.log(found.edges_ms))
    assert steps == pytest.approx(np.full(len(steps), steps[0]))


def test_a_short_series_keeps_every_sample_and_a_long_one_its_extremes():
    short = over_time([3.0, 1.0, 2.0])
    long = over_time([*range(1, 100), 1000.0, *range(101, 202)], points=50)

    assert (short.neighbours, short.number.tolist(), short.median_ms.tolist()) == (1, [1, 2, 3], [3, 1, 2])
    assert long.neighbours == 5
    assert len(long.number) == 41
    assert float(long.high_ms.max()) == 1000.0
    assert (long.below_ms >= 0).all()
    assert (long.above_ms >= 0).all()
    assert long.number[-1] == 201


def test_a_tail_of_a_handful_is_not_printed_but_counted():
    rows = {
        row.percentile: row
        for row in percentile_rows(np.random.default_rng(0).permutation(np.linspace(1.0, 2.0, 1000)))
    }

    assert rows[99.0].interpolated_ms == pytest.approx(1.99)
    assert rows[99.0].beyond == 10
    assert rows[99.0].ci95_ms is not None
    assert rows[99.0].bootstrap_ci95_ms is not None
    assert rows[99.9].bootstrap_ci95_ms is None
    assert (rows[99.9].interpolated_ms, rows[99.9].ci95_ms, rows[99.9].trtexec_ms) == (None, None, None)
    assert rows[99.9].beyond == 1


def test_p99_9_is_shown_from_ten_thousand_samples_on():
    (*_, few), (*_, enough) = (percentile_rows(np.arange(1.0, count)) for count in (10_000.0, 10_001.0))
    assert (few.percentile, few.interpolated_ms, few.beyond) == (99.9, None, 10)
    assert enough.interpolated_ms == pytest.approx(9990.001)
    assert enough.ci95_ms[0] < 9990.001 < enough.ci95_ms[1]


def test_both_percentile_rules_stand_side_by_side():
    (median, *_) = percentile_rows([1.0, 2.0])

    assert (median.interpolated_ms, median.trtexec_ms) == (1.5, 1.0)
    assert median.ci95_ms is None
    assert median.bootstrap_ci95_ms is None


def test_nodes_and_ops_come_with_the_slowest_first_and_shares_of_the_whole():
    layers = [("a", "Add", 1.0), ("m", "MatMul", 6.0), ("b", "Add", 3.0)]

    assert [(node.name, node.share) for node in node_times(layers)] == [("m", 0.6), ("b", 0.3), ("a", 0.1)]
    assert op_times(layers) == (("MatMul", 1, 6.0, 0.6), ("Add", 2, 4.0, 0.4))
    assert node_times([]) == ()
