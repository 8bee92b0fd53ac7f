"""What TREx keeps beside an engine, in the form of its examples; the figures are made up."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest

from tests.backends.tensorrt.trex import trex_files
from trt_core.backends.tensorrt.recording_files import read_recordings, stem_of
from trt_core.backends.tensorrt.trex_files import Metadata, metadata_of
from trt_core.domain.precision import Precision
from trt_core.services.recorded_study import study_of

CUT = (("CUDA Graph", "Enabled"),)


def opened(files: dict[str, object]) -> dict[str, io.BytesIO]:
    return {name: io.BytesIO(json.dumps(value).encode()) for name, value in files.items()}


def test_a_trex_folder_says_device_precision_and_how_it_was_run():
    (raw,) = read_recordings(opened(trex_files()))
    found = study_of(raw)

    assert (found.title, found.project, found.asked, found.batch) == ("net_int8", "net", Precision.INT8, 4)
    assert found.device == "NVIDIA Z9"
    assert (found.run.cuda_graph, found.run.transfers, found.run.spin_wait, found.run.streams) == (True, False, True, 2)
    assert "Recorded on NVIDIA Z9, batch 4" in found.stamp
    assert "CUDA graph on, no copies, spin-wait, 2 streams (the options that trtexec printed)" in found.stamp
    assert "layer times from a separate profiled run" in found.stamp
    assert (found.total_ms, found.graph_ms) == (0.5, 0.5)  # what was timed are launches of a graph


def test_who_imports_knows_the_device_better():
    (raw,) = read_recordings(opened(trex_files()))
    assert study_of(raw, device="the GPU in the corner").device == "the GPU in the corner"


def test_a_name_that_says_its_precision_is_left_alone():
    (raw,) = read_recordings(opened(trex_files("net_int8.onnx")))
    assert raw.name == "net_int8"
    (raw,) = read_recordings(opened(trex_files("net.onnx", "FP32")))
    assert raw.name == "net_fp32"


def test_metadata_without_the_options_of_a_run_claim_none():
    (raw,) = read_recordings(opened(trex_files()))
    assert study_of(replace(raw, metadata=replace(raw.metadata, options=CUT))).run is None


@pytest.mark.parametrize(
    "value",
    [{"Layers": []}, [], [3], {"build_options": 7}, {"a": {"lat": [1.0]}}, [{"count": 1}], "text", None],
)
def test_other_files_are_no_metadata(value):
    assert metadata_of(value) is None


def test_hostile_metadata_are_cut():
    found = metadata_of({"device_information": {"Selected Device": "x" * 9_999, "y": {"z": []}}})
    assert found == Metadata(device="x" * 200)


def test_metadata_alone_are_no_engine():
    files = {name: value for name, value in trex_files().items() if "metadata" in name}
    assert read_recordings(opened(files), required=False) == ()


def test_an_engine_is_named_after_its_model():
    assert stem_of("a/net.onnx.engine.profile.metadata.json") == "net"
