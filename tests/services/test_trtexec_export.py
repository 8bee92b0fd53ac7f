"""trtexec's JSON files: what is exported is read back as it was."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest

from tests.analysis.trt86 import FOLDER
from trt_core.backends.tensorrt.inspector import engine_record_from_json
from trt_core.backends.tensorrt.trtexec_files import layers_json, profile_json, times_json
from trt_core.cli.main import main
from trt_core.domain.engine import EngineLayer, EngineRecord, EngineTensor
from trt_core.domain.latency import LatencyConditions, LatencyRun
from trt_core.domain.precision import Precision
from trt_core.errors import InvalidInput, UnsupportedRequest
from trt_core.services.trtexec_export import DIALECTS, files_of_run, files_of_study, stem_for
from trt_core.settings import settings_from
from trt_core.workbench import open_workbench


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    bench = open_workbench(settings_from(workspace=tmp_path_factory.mktemp("workspace")))
    bench.recordings.add_folder(FOLDER, device="NVIDIA H200", version="8.6.0")
    return bench


def study_named(bench, name):
    return bench.recordings.study(next(item.id for item in bench.recordings.recordings() if item.name == name))


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", ["r18_int8_qdq", "r50_fp16", "r50_int8_calib", "enc_int8_calib", "vit_fp16"])
def test_a_recorded_engine_goes_out_and_comes_back(bench, tmp_path, name, dialect):
    before = study_named(bench, name)
    files = files_of_study(before, dialect)
    other = open_workbench(settings_from(workspace=tmp_path))

    (record,) = other.recordings.add_files({key: io.BytesIO(text.encode()) for key, text in files.items()})

    after = other.recordings.study(record.id)
    assert record.name == name
    assert after.record.layers == before.record.layers
    assert after.record.io_tensors == before.record.io_tensors
    assert after.times_ms == before.times_ms
    assert after.samples_ms == before.samples_ms
    assert after.enqueue_ms == pytest.approx(before.enqueue_ms)
    assert [fact.tactic for fact in after.facts] == [fact.tactic for fact in before.facts]
    assert [fact.has_dynamic_bias for fact in after.facts] == [fact.has_dynamic_bias for fact in before.facts]


def test_a_release_writes_dtypes_in_its_own_words():
    tensor = EngineTensor(name="x", dtype="half", shape=(1, 8), format="Row major linear")
    layer = EngineLayer(index=0, name="fc", kind="gemm", precision=Precision.FP16, inputs=(tensor,), outputs=(tensor,))
    record = EngineRecord(layers=(layer,), io_tensors=(tensor,))

    old, new = (json.loads(layers_json(record, dialect=dialect)) for dialect in ("8", "11"))

    assert old["Layers"][0]["Inputs"][0]["Format/Datatype"] == "Row major linear FP16"
    assert old["Bindings"] == ["x"]
    assert new["Layers"][0]["Inputs"][0]["Datatype"] == "Half"
    assert new["I/O Tensors"][0]["Name"] == "x"
    for whole in (old, new):
        assert engine_record_from_json(json.dumps(whole)).layers[0].inputs[0].dtype == "half"


def test_names_of_nodes_come_back_whatever_is_in_them():
    names = ("a + b", "/x/Conv|y", 'quote"', "ünï", "[ONNX Layer: z]")
    layer = EngineLayer(index=0, name="fused", kind="gemm", source_names=names)

    back = engine_record_from_json(layers_json(EngineRecord(layers=(layer,))))

    assert back.layers[0].source_names == names


def test_times_lie_end_to_end_and_what_was_not_measured_is_left_out():
    first, second = json.loads(times_json([2.0, 3.0], h2d_ms=0.5))

    assert (first["startH2dMs"], first["endH2dMs"]) == (0.0, 0.5)
    assert (first["startComputeMs"], first["endComputeMs"], first["computeMs"]) == (0.5, 2.5, 2.0)
    assert (first["latencyMs"], second["startH2dMs"]) == (2.5, 2.5)
    assert not {"startEnqMs", "d2hMs"} & set(first)


def test_a_profile_holds_shares_of_the_whole():
    count, first, second = json.loads(profile_json([("a", 1.0), ("b", 3.0)], runs=10))

    assert count == {"count": 10}
    assert first == {"name": "a", "timeMs": 10.0, "averageMs": 1.0, "percentage": 25.0}
    assert second["percentage"] == 75.0


def measured(backend: str) -> LatencyRun:
    conditions = LatencyConditions(
        device="a GPU", backend=backend, backend_version="8.6.0", method="", shapes=(), batch=1, threads=0, warmup=1
    )
    return LatencyRun(
        id="l-0123456789ab", subject_id="b-0123456789ab", model_id="m-0123456789ab", label="", created_at=0.0,
        conditions=conditions, samples_ms=(1.0, 1.5, 1.25), warmup_ms=(), wall_s=1.0, enqueue_ms=0.25, h2d_ms=0.1,
        d2h_ms=0.2, layers=(("conv", "CaskConvolution", 0.5), ("fc", "gemm", 0.25)),
    )  # fmt: skip


def test_a_run_goes_out_and_comes_back(tmp_path):
    files = files_of_run(measured("tensorrt"))
    bench = open_workbench(settings_from(workspace=tmp_path))

    (record,) = bench.recordings.add_files({key: io.BytesIO(text.encode()) for key, text in files.items()})

    study = bench.recordings.study(record.id)
    assert study.samples_ms == (1.0, 1.5, 1.25)
    assert study.enqueue_ms == pytest.approx(0.25)
    assert study.times_ms == (0.5, 0.25)


def test_samples_with_copies_are_latencies_and_no_compute_times(tmp_path):
    run = measured("tensorrt")
    run = replace(run, conditions=replace(run.conditions, includes_transfers=True))
    files = files_of_run(run)

    entries = json.loads(next(text for name, text in files.items() if name.endswith(".times.json")))

    assert [entry["latencyMs"] for entry in entries] == [1.0, 1.5, 1.25]
    assert not any("computeMs" in entry for entry in entries)
    bench = open_workbench(settings_from(workspace=tmp_path))
    (record,) = bench.recordings.add_files({key: io.BytesIO(text.encode()) for key, text in files.items()})
    assert bench.recordings.study(record.id).samples_ms == (1.0, 1.5, 1.25)


def test_a_run_of_another_library_is_no_gpu_time():
    with pytest.raises(UnsupportedRequest, match="times of a GPU"):
        files_of_run(measured("ort"))


def test_what_cannot_be_exported_says_so(bench):
    with pytest.raises(InvalidInput, match="no dialect '9'"):
        files_of_study(study_named(bench, "r18_fp16"), "9")
    with pytest.raises(UnsupportedRequest, match="no layers"):
        files_of_study(study_named(bench, "enc_int8_qdq"))


def test_a_title_becomes_a_file_name_and_nothing_more():
    assert stem_for("../../etc/passwd") == "etc_passwd"
    assert stem_for("FP16 SM 8.6 attempt 2") == "FP16_SM_8.6_attempt_2"
    assert stem_for("...") == "engine"


def test_the_command_line_writes_a_folder_that_it_reads_again(bench, tmp_path, capsys):
    workspace = str(bench.settings.workspace)
    arguments = ("export", "r18_fp16", "--as", "trtexec", "--dialect", "11", "-o", str(tmp_path), "--json")

    assert main([*arguments, "--workspace", workspace]) == 0

    written = json.loads(capsys.readouterr().out)["files"]
    assert sorted(path.rpartition("/")[2] for path in written) == [
        "r18_fp16.layers.json", "r18_fp16.profile.json", "r18_fp16.times.json"
    ]  # fmt: skip
    assert main(["import-recordings", str(tmp_path), "--workspace", str(tmp_path / "other"), "--quiet"]) == 0
    assert main([*arguments, "--workspace", workspace]) == 2
    assert "is there already" in capsys.readouterr().err
