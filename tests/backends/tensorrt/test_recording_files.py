from __future__ import annotations

import gzip
import io
import json

import pytest

from trt_core.backends.tensorrt import recording_files
from trt_core.backends.tensorrt.layer_facts import layer_facts
from trt_core.backends.tensorrt.recording_files import builder_words, read_recordings, stem_of, told_apart
from trt_core.errors import InvalidData

LAYERS = {"Layers": [{"Name": "conv", "LayerType": "CaskConvolution", "Inputs": [], "Outputs": []}], "Bindings": []}
PROFILE_10 = [{"count": 50}, {"name": "conv", "timeMs": 12.5, "averageMs": 0.25, "medianMs": 0.24, "percentage": 100}]
PROFILE_8 = [{"count": 50}, {"name": "conv", "timeMs": 12.5, "averageMs": 0.25, "percentage": 100}]
TIMES = [
    {
        "startEnqMs": 1.0,
        "endEnqMs": 1.5,
        "startComputeMs": 2.0,
        "endComputeMs": 4.0,
        "computeMs": 2.0,
        "latencyMs": 3.0,
    },
    {
        "startEnqMs": 5.0,
        "endEnqMs": 5.25,
        "startComputeMs": 6.0,
        "endComputeMs": 7.0,
        "computeMs": 1.0,
        "latencyMs": 2.0,
    },
]


def _file(value: object) -> io.BytesIO:
    return io.BytesIO(json.dumps(value).encode())


@pytest.mark.parametrize("profile", [PROFILE_8, PROFILE_10])
def test_trtexecs_three_exports_are_one_engine_whatever_they_are_called(profile):
    files = {"layers.json": _file(LAYERS), "profile.json": _file(profile), "times.json": _file(TIMES)}
    (raw,) = read_recordings(files)

    assert raw.profile == [("conv", 0.25)]
    assert raw.samples_ms == [2.0, 1.0]  # computeMs: what runs on the GPU
    assert raw.enqueue_ms == [0.5, 0.25]
    assert "CaskConvolution" in raw.layers_json


def test_files_of_several_engines_are_told_apart_by_their_names_as_trex_writes_them():
    files = {f"net.{part}": _file(LAYERS) for part in ("fp16.engine.graph.json", "int8.engine.graph.json")}
    files |= {"net.fp16.engine.profile.json": _file(PROFILE_10), "net.int8.engine.timing.json": _file(TIMES)}

    assert [(raw.name, bool(raw.profile), len(raw.samples_ms)) for raw in read_recordings(files)] == [
        ("net.fp16", True, 0),
        ("net.int8", False, 2),
    ]


def test_a_number_that_a_file_has_already_is_not_given_to_another():
    names = ["a.layers.json", "a (2).layers.json", "a.layers.json", "a.layers.json", "a (2).layers.json"]

    told = told_apart(names)

    assert told[:4] == ["a.layers.json", "a (2).layers.json", "a (3).layers.json", "a (4).layers.json"]
    assert len(set(told)) == len(names)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("r18_fp16.layers.json.gz", "r18_fp16"),
        ("a/b\\r18_fp16.log", "r18_fp16"),
        ("../../etc/passwd", "passwd"),
        (".json", "engine"),
    ],
)
def test_a_files_name_is_a_label_and_never_a_path(name, stem):
    assert stem_of(name) == stem


def test_raw_control_characters_in_an_export_are_read():
    text = json.dumps(LAYERS).replace("conv", "conv\x1f\x1e", 1)
    (raw,) = read_recordings({"x.json": io.BytesIO(text.encode())})
    assert raw.layers_json


def test_numbers_that_are_none_are_left_out():
    odd = [{"name": "a", "averageMs": value} for value in (True, "1", float("nan"), float("inf"), -1, 1e300, None)]
    with pytest.raises(InvalidData, match="None of the files describes an engine"):
        read_recordings({"p.json": _file(odd)})


def test_an_inference_that_took_no_time_is_left_out():
    times = [{"computeMs": 0.0}, *TIMES, {"computeMs": 0}]

    (raw,) = read_recordings({"a.times.json": _file(times)})
    (other,) = read_recordings({"results.json": _file({"a": {"lat": [0, 2.0, 1.0]}})})

    assert raw.samples_ms == other.samples_ms == [2.0, 1.0]


def test_a_packed_bomb_is_refused_at_its_limit(monkeypatch):
    monkeypatch.setattr(recording_files, "FILE_BYTES", 1 << 20)
    with pytest.raises(InvalidData, match="larger than 1 MiB"):
        read_recordings({"bomb.json.gz": io.BytesIO(gzip.compress(b" " * (8 << 20)))})


@pytest.mark.parametrize(
    "content", [b"[" * 200_000, b'{"Layers": ', b"\x1f\x8b broken", b"\x80\x04\x95pickle", b"", b"null"]
)
def test_broken_files_are_bad_input_and_never_a_crash(content):
    with pytest.raises(InvalidData):
        read_recordings({"x.json": io.BytesIO(content)})


def test_too_many_files_are_refused():
    with pytest.raises(InvalidData, match="401 files"):
        read_recordings({f"{number}.json": io.BytesIO() for number in range(401)})


def test_multiply_accumulates_follow_from_weights_and_positions():
    conv = {
        "Name": "conv",
        "LayerType": "CaskConvolution",
        "Inputs": [{"Name": "x", "Dimensions": [8, 3, 224, 224]}],
        "Outputs": [{"Name": "y", "Dimensions": [8, 64, 112, 112]}],
        "OutMaps": 64,
        "Weights": {"Type": "Half", "Count": 9408},
        "Bias": {"Type": "Half", "Count": 64},
    }
    (facts,) = layer_facts(json.dumps({"Layers": [conv]}))
    assert (facts.macs, facts.weight_bytes) == (9408 * 8 * 112 * 112, 2 * (9408 + 64))

    # A decoder's step back up: 64 maps of 112 x 112 become 32 of 224 x 224, by weights of 64 x 32 x 2 x 2.
    up = {
        "Name": "up",
        "LayerType": "CaskDeconvolutionV2",
        "ParameterType": "Deconvolution",
        "Inputs": [{"Name": "y", "Dimensions": [8, 64, 112, 112]}],
        "Outputs": [{"Name": "z", "Dimensions": [8, 32, 224, 224]}],
        "OutMaps": 32,
        "Weights": {"Type": "Half", "Count": 64 * 32 * 4},
    }
    assert layer_facts(json.dumps({"Layers": [up]}))[0].macs == 64 * 32 * 4 * 8 * 112 * 112

    for broken in ({"Count": -1}, {"Count": True}, {"Count": 1 << 60}, "many", None):
        assert layer_facts(json.dumps({"Layers": [conv | {"Weights": broken}]}))[0].macs is None


def test_the_builders_warnings_are_kept_once():
    assert builder_words("W a\nV b\nW a\n[11/21/2026-10:00:00] [E] [TRT] c\n") == ("a", "c")
