from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.analysis import trt86
from trt_core.backends.tensorrt.tactics_log import read_tuning
from trt_core.domain.tactics import TrialState

LOG = """V =============== Computing costs for /conv/Conv
V *************** Autotuning format combination: Half(64,8:8,1) -> Half(64,8:8,1) ***************
V /conv/Conv: 9 available tactics, 1 unparsable, 6 pruned, 2 remaining after tactic pruning.
V --------------- Timing Runner: /conv/Conv (CaskConvolution[0x80000009])
V Tactic Name: sm80_a numSplitK: 1 numBuffers: 0 Tactic: 0x00000000000000a1 Time: 0.5
V Tactic Name: sm80_b Tactic: 0x00000000000000b2 Time: 0.25
V /conv/Conv (CaskConvolution[0x80000009]) profiling completed in 0.125 seconds. Fastest Tactic: 0xb2 Time: 0.25
V >>>>>>>>>>>>>>> Chose Runner Type: CaskConvolution Tactic: 0x00000000000000b2
V *************** Autotuning format combination: Float(64,8,1) -> Float(64,8,1) ***************
V --------------- Timing Runner: /conv/Conv (CudnnConvolution[0x80000000])
V CudnnConvolution has no valid tactics for this config, skipping
V *************** Autotuning format combination: Half(64,8,1) -> Half(64,8,1) ***************
V Formats and tactics selection completed in 2.5 seconds.
V Engine generation completed in 3.5 seconds.
V Serialized 12 timing cache entries
"""


@pytest.mark.parametrize("prefix", ["V ", "[V] [TRT] ", "[11/21/2026-10:00:00] [V] [TRT] ", ""])
def test_every_tactic_is_read_with_its_time_whatever_severity_stands_in_front(prefix):
    tuning = read_tuning(LOG.replace("V ", prefix) if prefix else re.sub("^V ", "", LOG, flags=re.MULTILINE))

    first = tuning.trials[0]
    assert [(item.kernel, item.tactic[-2:], item.time_ms) for item in first.times] == [
        ("sm80_a numSplitK: 1 numBuffers: 0", "a1", 0.5),
        ("sm80_b", "b2", 0.25),
    ]
    assert (first.layer, first.chosen[-2:], first.seconds) == ("/conv/Conv", "b2", 0.125)
    assert (first.available, first.pruned) == (9, 6)
    assert [trial.state for trial in tuning.trials] == [TrialState.TIMED, TrialState.IMPOSSIBLE, TrialState.REUSED]
    assert (tuning.selection_s, tuning.engine_s, tuning.cache_stored) == ((2.5,), 3.5, 12)


def test_the_fp16_log_of_resnet_18_holds_1062_tactic_timings_in_271_combinations():
    tuning = trt86.tuning("r18_fp16")
    log = trt86.text("r18_fp16.log.gz")

    # Counted apart from the reader: lines that time one tactic, not the 284 that repeat the fastest one.
    lines = [line for line in log.split("\n") if " Time: " in line and "Fastest Tactic" not in line]
    assert tuning.timing_count == len(lines) == 1062
    assert Counter(trial.state for trial in tuning.trials) == {
        TrialState.REUSED: 785,
        TrialState.TIMED: 271,
        TrialState.IMPOSSIBLE: 85,
    }
    assert tuning.selection_s == (11.5854,)
    assert (tuning.cache_loaded, tuning.cache_stored, tuning.cache_refused) == (148, 419, True)


def test_a_calibration_log_holds_two_builds_and_the_first_takes_what_works():
    tuning = trt86.tuning("r50_int8_calib")

    assert tuning.builds == 2
    assert tuning.selection_s == (6.68094, 63.4104)
    assert all(trial.first_valid for trial in tuning.trials if trial.build == 0 and trial.times)
    assert not any(trial.first_valid for trial in tuning.final_trials)


def test_a_log_without_auto_tuning_gives_an_empty_value():
    assert read_tuning("V Parsing node: a [Conv]\nE 2: it failed\n").timing_count == 0


@pytest.mark.parametrize("line", ["V Tactic: " * 20_000, "*" * 100_000, "V Tactic Name: " + "a " * 50_000])
def test_a_hostile_line_takes_no_longer_than_its_length(line):
    assert read_tuning(line).trials == ()
