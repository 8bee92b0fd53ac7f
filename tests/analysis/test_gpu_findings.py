"""What the GPU's own samples say about a run."""

from __future__ import annotations

from trt_core.analysis.gpu_findings import clocks_differ, gpu_findings, gpu_sentence
from trt_core.analysis.latency_findings import run_findings
from trt_core.domain.latency import GpuSample, LatencyConditions, LatencyRun


def samples(*clocks, others=0, held=(), **more):
    return tuple(
        GpuSample(at_s=at / 10, sm_mhz=clock, other_processes=others, held_back_by=held, **more)
        for at, clock in enumerate(clocks)
    )


def rules(found):
    return [item.rule for item in found]


def test_a_steady_gpu_of_ones_own_has_nothing_to_say():
    assert gpu_findings(samples(345, 1980, 1980, 1965)) == ()  # the first one was taken while it was idle
    assert gpu_findings(()) == ()


def test_a_clock_that_moves_is_a_finding_with_both_ends():
    (finding,) = gpu_findings(samples(1980, 1980, 1755, 1980))

    assert finding.rule == "gpu-clocks-moved"
    assert "between 1,755 and 1,980 MHz" in finding.message


def test_throttling_is_told_by_its_reason_and_what_helps():
    (finding,) = gpu_findings(samples(1980, 1980, 1980, held=("power limit",), power_w=700.0))

    assert finding.rule == "gpu-throttled"
    assert "in 2 of 2 samples: power limit" in finding.message
    assert "lock-gpu-clocks" in finding.remedy
    assert "up to 700 W" in finding.evidence
    (hot,) = gpu_findings(samples(1980, 1980, held=("temperature, by the hardware",)))
    assert "cool" in hot.remedy


def test_neighbours_are_a_finding():
    (finding,) = gpu_findings(samples(1980, 1980, others=1))
    assert finding.message == "Another process held memory on the GPU."
    (finding,) = gpu_findings(samples(1980, 1980, others=3))
    assert finding.message.startswith("3 other processes")


def test_what_the_driver_does_not_say_is_no_finding():
    assert gpu_findings((GpuSample(at_s=0.0), GpuSample(at_s=0.1), GpuSample(at_s=0.2))) == ()
    assert gpu_sentence((GpuSample(at_s=0.0),)) == ""


def test_the_conditions_hold_clocks_temperature_and_power_in_a_line():
    taken = samples(345, 1755, 1980, temperature_c=61, power_w=411.6)
    assert gpu_sentence(taken) == "SM 1,755 to 1,980 MHz, 61 °C, up to 412 W (3 samples of NVML)"


def test_a_run_carries_them_among_its_findings():
    conditions = LatencyConditions(
        device="a GPU", backend="tensorrt", backend_version="8.6.0", method="", shapes=(), batch=1, threads=0, warmup=1
    )
    run = LatencyRun(
        id="l-0123456789ab", subject_id="b-0123456789ab", model_id="m-0123456789ab", label="", created_at=0.0,
        conditions=conditions, samples_ms=(1.0,) * 2000, warmup_ms=(), wall_s=2.0, gpu=samples(1980, 1980, 1500, others=1),
    )  # fmt: skip

    assert {"gpu-clocks-moved", "gpu-shared"} <= set(rules(run_findings(run)))


def test_two_runs_at_other_clocks_are_compared_with_a_warning():
    (finding,) = clocks_differ(samples(345, 1980, 1980, 1965), samples(345, 1500, 1500))

    assert finding.rule == "conditions-differ-clocks"
    assert finding.message == "The runs differ in the SM clock: 1,980 MHz against 1,500 MHz."
    assert clocks_differ(samples(345, 1980, 1980), samples(1200, 1965, 1980)) == ()  # the first one was still idle
    assert clocks_differ(samples(1980, 1980), ()) == ()  # one side has no clock to differ in
