"""trtexec's conditions: read where the log has them, else the defaults of its version, and said to be such."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest

from tests.analysis.trt86 import study
from trt_core.analysis.engine_compare import compare_engines
from trt_core.analysis.engine_why import why
from trt_core.backends.tensorrt.recording_files import read_recordings
from trt_core.backends.tensorrt.trtexec_run import run_conditions
from trt_core.services.recorded_study import study_of

HEADER = "&&&& RUNNING TensorRT.trtexec [TensorRT v{number}] {build}# trtexec --onnx=net.onnx {flags}\n[V] Autotuning\n"


@pytest.mark.parametrize(
    ("version", "graph", "copies"), [("8.6.1", False, True), ("10.3.0", False, True), ("11", True, False)]
)
def test_without_a_command_line_the_versions_defaults_stand_and_say_so(version, graph, copies):
    found = run_conditions("", version=version, is_trtexec=True)
    assert (found.cuda_graph, found.transfers, found.spin_wait) == (graph, copies, graph)
    assert found.separate_profile is graph
    assert "the defaults of trtexec" in found.sentence


@pytest.mark.parametrize(
    ("release", "flags", "expected"),
    [
        (("8601", ""), "--useCudaGraph", ("8.6.1", True, True)),
        (("100300", "[b23] "), "--noDataTransfers --infStreams=2", ("10.3.0", False, False)),
        (("110100", "[b7] "), "--noCudaGraph --includeDataTransfers", ("11.1.0", False, True)),
    ],
)
def test_the_command_line_in_a_log_is_what_counts(release, flags, expected):
    log = HEADER.format(number=release[0], build=release[1], flags=flags)
    found = run_conditions(log, version="", is_trtexec=False)
    assert (found.version, found.cuda_graph, found.transfers) == expected
    assert found.streams == (2 if "infStreams" in flags else 1)
    assert found.source == "the command line in its log"


def test_exported_copies_tell_more_than_a_default():
    found = run_conditions("", version="10.3", is_trtexec=True, h2d_ms=[0.0, 0.0])
    assert not found.transfers
    assert "as the exported times have them" in found.source


@pytest.mark.parametrize(("version", "is_trtexec"), [("", True), ("nonsense", True), ("10.3", False)])
def test_nothing_is_claimed_of_a_run_that_is_not_known(version, is_trtexec):
    assert run_conditions("", version=version, is_trtexec=is_trtexec) is None


def test_an_import_is_stamped_with_the_conditions_of_its_version():
    layers = {"Layers": [{"Name": "conv", "LayerType": "CaskConvolution", "Inputs": [], "Outputs": []}]}
    parts = {
        "layers": layers,
        "profile": [{"count": 1}, {"name": "conv", "averageMs": 1.0}],
        "times": [{"computeMs": 1.0, "latencyMs": 1.5, "h2dMs": 0.25}],
    }
    (raw,) = read_recordings({f"net.{k}.json": io.BytesIO(json.dumps(v).encode()) for k, v in parts.items()})
    assert raw.h2d_ms == [0.25]

    old, new = study_of(raw, version="10.3.0"), study_of(replace(raw, h2d_ms=[0.0]), version="11.1")
    assert "CUDA graph off, copies in the loop, blocking wait" in old.stamp
    assert "layer times from the same run, which profiling slows down" in old.stamp
    assert "CUDA graph on, no copies, spin-wait" in new.stamp
    assert "layer times from a separate profiled run" in new.stamp


def test_engines_that_were_run_under_other_conditions_are_compared_with_a_warning():
    ten, eleven = (run_conditions("", version=version, is_trtexec=True) for version in ("10.3", "11.0"))
    first, second = study("r50_fp16"), study("r50_int8_qdq")

    def rules(one, other):
        found = why(compare_engines(replace(first, run=one), replace(second, run=other)))
        return {item.rule: item for item in found}

    warned = rules(ten, eleven)["conditions-differ-trtexec"]
    assert "CUDA graph off against on" in warned.message
    assert "copies in the loop against left out" in warned.message
    assert "--noDataTransfers" in warned.remedy
    assert "conditions-differ-trtexec" not in rules(ten, ten)
    assert "conditions-differ-trtexec" not in rules(None, eleven)
