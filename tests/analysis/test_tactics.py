from __future__ import annotations

from dataclasses import replace

from tests.analysis import trt86
from trt_core.analysis.tactics import layer_tunings, tuning_findings
from trt_core.domain.tactics import Tuning


def _tunings(name: str):
    return layer_tunings(trt86.tuning(name), trt86.record(name), trt86.tactics(name))


def test_the_choice_of_every_convolution_is_found_among_its_candidates():
    convolutions = [item for item in _tunings("r18_fp16") if "/Conv" in item.layer and "onnx::" not in item.layer]

    assert len(convolutions) == 20
    assert all(item.chosen is not None and item.chosen.tactic == item.tactic for item in convolutions)
    first = convolutions[0]
    assert first.chosen.kernel.startswith("sm90_xmma_fprop_image_first_layer")
    assert first.chosen.time_ms == 0.022491
    assert first.chosen.formats == "Half(50176,1:4,224,1) -> Half(100352,1:8,896,8)"
    assert round(first.gap, 3) == 0.285  # 0.0288951 ms is the next one in the same formats


def test_a_layer_that_was_not_timed_borrows_from_the_layer_with_its_formats_and_tactic():
    by_name = {item.layer: item for item in _tunings("r18_fp16")}
    borrowed = by_name["/layer1/layer1.1/conv1/Conv + /layer1/layer1.1/relu/Relu"]

    assert borrowed.like == "/layer1/layer1.0/conv1/Conv + /layer1/layer1.0/relu/Relu"
    assert borrowed.chosen.tactic == borrowed.tactic
    assert borrowed.seconds == 0


def test_blocks_without_a_name_stay_out_where_a_named_one_is_out_of_place():
    tuning, record = trt86.tuning("r18_fp16"), trt86.record("r18_fp16")
    shuffled = replace(record, layers=tuple(reversed(record.layers)))

    known = {item.layer for item in layer_tunings(tuning, shuffled) if item.combinations}
    assert known == {trial.layer for trial in tuning.final_trials if trial.layer and not trial.is_reformat}


def test_a_faster_tactic_in_other_formats_is_shown():
    by_name = {item.layer: item for item in _tunings("r18_fp16")}
    pool = by_name["/maxpool/MaxPool"]

    assert pool.faster_elsewhere is not None
    assert pool.faster_elsewhere.time_ms < pool.chosen.time_ms
    assert pool.faster_elsewhere.formats != pool.chosen.formats


def test_close_races_and_the_refused_cache_are_findings():
    found = {item.rule: item for item in tuning_findings(_tunings("r18_fp16"), trt86.tuning("r18_fp16"))}

    assert "timing-cache-refused" in found
    assert len(found["tactics-close"].nodes) == 10
    assert tuning_findings((), Tuning()) == ()
