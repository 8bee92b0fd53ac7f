from __future__ import annotations

from itertools import pairwise

import pytest

from tests.backends.tensorrt import recorded
from trt_core.backends.tensorrt.build_log import read_log
from trt_core.backends.tensorrt.log_progress import LogProgress
from trt_core.backends.tensorrt.timing_notes import timing_findings
from trt_core.testing import CollectingReporter

LOGS = sorted(path.name.partition(".")[0] for path in recorded.FOLDER.glob("*.log.gz"))


@pytest.mark.parametrize("name", [name for name in LOGS if name != "enc_int8_qdq"])
def test_the_logs_own_layers_are_those_of_the_inspector(name):
    told, seen = read_log(recorded.log(name)).layers, recorded.record(name).layers
    assert [layer.name for layer in told] == [layer.name for layer in seen]
    assert [layer.kind for layer in told] == [layer.kind for layer in seen]


def test_fusions_are_listed_by_name_in_the_order_of_the_log():
    fusions = read_log(recorded.log("r18_fp16")).fusions
    convolutions = [item for item in fusions if item[0] in ("ConvReluFusion", "ConvEltwiseSumFusion")]
    assert convolutions[0] == ("ConvReluFusion", "/conv1/Conv", "/relu/Relu")
    assert convolutions[2] == ("ConvEltwiseSumFusion", "/layer1/layer1.0/conv2/Conv", "/layer1/layer1.0/Add")
    assert ("REDUCE to POOLING", "/avgpool/GlobalAveragePool", "") in fusions


def test_passes_count_layers_before_and_after():
    passes = read_log(recorded.log("r18_fp16")).passes
    assert passes[0] == ("dead-layer removal", 73, 73)
    assert passes[-1][0] == "reformat layers"
    assert all(one[2] == two[1] for one, two in pairwise(passes))


def test_the_timing_cache_is_read_with_its_hits_and_with_what_it_cannot_hold():
    use = read_log(recorded.log("r50_int8_qdq")).cache
    assert (use.loaded, use.stored) == (1894, 2279)
    assert 0.6 < use.hit_rate < 0.8
    bert = read_log(recorded.log("bert_fp16")).cache
    assert bert.compiled_s == pytest.approx(31.93, abs=0.01)
    (note,) = timing_findings(bert, recorded.log("bert_fp16"))
    assert "31.9 s went into blocks that are compiled anew each time" in note.message
    assert "was not taken" in note.evidence
    assert not list(timing_findings(read_log("nothing").cache, "nothing"))


def test_the_librarys_own_count_of_hits_is_kept():
    assert read_log("[VERBOSE] Deleting timing cache: 94 entries, served 12 hits since creation.").cache.served == 12


@pytest.mark.parametrize("name", ["r18_fp16", "r18_int8_calib", "enc_fp32"])
def test_progress_out_of_a_log_goes_forward_through_named_phases(name):
    reporter = CollectingReporter()
    progress = LogProgress(reporter)
    for line in recorded.log(name).split("\n"):
        progress.hear(line[2:])
    listed = [item.phase for item in reporter.reported]
    phases = [phase for phase, before in zip(listed, [None, *listed], strict=False) if phase != before]
    assert phases[-3:] == ["Timing tactics", "Generating the engine", "Writing the engine"]
    assert ("Calibrating" in phases) == ("calib" in name)
    shares = [item.fraction for item in reporter.reported]
    assert shares == sorted(shares)
    assert shares[-1] > 0.9
    assert next(share for share in shares if share > 0.5) < 0.95


def test_a_cancel_while_a_build_logs_is_kept_for_after_the_build():
    progress = LogProgress(CollectingReporter(cancel_after=1))
    progress.hear("Original: 3 layers")
    assert type(progress.stopped_by).__name__ == "JobCancelled"
    progress.hear("Engine generation completed in 1 seconds.")


def test_reading_is_linear_in_a_hostile_log():
    line = "Layer(" + "a" * 200 + ", Tactic: 0x" + " -> (" * 2000
    assert read_log("\n".join([line] * 20)).layers == ()
