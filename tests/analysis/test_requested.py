from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

from tests.analysis.trt86 import study
from trt_core.analysis.engine_layers import has_matrix_work, layer_rows
from trt_core.analysis.requested import requested_findings
from trt_core.backends.tensorrt_rtx.records import engine_record_from_log
from trt_core.domain.precision import Precision
from trt_core.domain.recordings import EngineStudy

RTX = Path(__file__).parents[1] / "data" / "rtx"


def _rtx(name: str, asked: Precision) -> EngineStudy:
    log = gzip.decompress((RTX / f"{name}.log.gz").read_bytes()).decode()
    return EngineStudy(id="b", title=name, project="", stamp="", record=engine_record_from_log(log), asked=asked)


def test_a_kernel_that_only_follows_a_product_is_not_counted_among_the_matrix_work():
    rows = layer_rows(_rtx("cnn_int8", Precision.INT8))

    able = [row for row in rows if has_matrix_work(row)]

    assert [row.kind for row in able] == ["correlation", "correlation", "correlation", "gemm"]
    assert {row.precision for row in able} == {Precision.INT8}


def test_a_network_whose_products_all_run_in_int8_has_nothing_to_answer_for():
    assert requested_findings(_rtx("cnn_int8", Precision.INT8)) == ()


def test_the_products_of_attention_in_one_generated_kernel_are_matrix_work():
    rows = layer_rows(_rtx("encoder_fp16", Precision.FP16))

    assert any("_gemm_mha" in row.name for row in rows if has_matrix_work(row))


def test_a_compiled_block_whose_name_tells_nothing_may_hold_matrix_work():
    blocks = [row for row in layer_rows(study("enc_int8_calib")) if "ForeignNode" in row.name and has_matrix_work(row)]

    assert len(blocks) == 1


def test_calibration_that_does_not_reach_into_a_block_blocks_and_qdq_pairs_in_one_leave_it_open():
    calibrated = study("enc_int8_calib")
    explicit = replace(calibrated, calibration_cache="", said=())

    (sure,), (open_,) = requested_findings(calibrated), requested_findings(explicit)

    assert sure.rule == "precision-not-reached"
    assert open_.rule == "precision-not-recorded"
    assert "calibration" not in open_.message
    assert "only the precision at the border" in open_.message
