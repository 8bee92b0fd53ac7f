from __future__ import annotations

import io
import json
import time
from pathlib import Path

import pytest

from tests.analysis.trt86 import FOLDER, recorded, study
from tests.backends.tensorrt.trex import trex_files
from trt_core.domain.artifacts import ArtifactKind
from trt_core.domain.codec import from_plain
from trt_core.domain.precision import Precision
from trt_core.domain.recordings import IntakeSpec
from trt_core.errors import InvalidData, JobCancelled, NotFound, UnreadableRecording
from trt_core.services.recorded_study import named
from trt_core.settings import settings_from
from trt_core.testing import CollectingReporter
from trt_core.workbench import open_workbench


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    bench = open_workbench(settings_from(workspace=tmp_path_factory.mktemp("workspace")))
    bench.recordings.add_folder(FOLDER, device="NVIDIA H200", version="8.6.0")
    return bench


def test_a_folder_of_recordings_opens_as_projects(bench):
    found = {item.name: item for item in bench.recordings.recordings()}

    assert {item.project for item in found.values()} == {"r18", "r50", "enc", "bert", "vit"}
    calibrated = found["r50_int8_calib"]
    assert (calibrated.asked, calibrated.layer_count, calibrated.batch) == (Precision.INT8, 106, 8)
    assert round(calibrated.p50_ms, 3) == 0.688
    assert calibrated.sample_count == 500
    assert found["r18_fp16"].timing_count == 1062


def test_the_same_folder_again_adds_nothing(bench):
    before = {item.id for item in bench.recordings.recordings()}
    again = bench.recordings.add_folder(FOLDER, device="NVIDIA H200", version="8.6.0")
    assert {item.id for item in again} == before


def test_a_study_comes_back_as_it_was_kept(bench):
    entry = next(item for item in bench.engines.entries() if item.title == "r18_fp16")
    study = bench.engines.study(entry.id)

    assert entry.is_recording
    assert study.id == entry.id
    assert len(study.times_ms) == len(study.facts) == len(study.record.layers) == 60
    assert study.tuning.timing_count == 1062
    assert "NVIDIA H200" in study.stamp


def test_a_build_that_failed_is_kept_with_what_the_builder_said(bench):
    failed = next(item for item in bench.recordings.recordings() if item.name == "enc_int8_qdq")
    assert failed.layer_count == 0
    assert any("Assertion" in line for line in bench.recordings.study(failed.id).said)


def test_links_in_a_folder_are_not_followed(bench, tmp_path: Path):
    (tmp_path / "x.json").symlink_to(FOLDER / "results.json.gz")
    with pytest.raises(InvalidData, match="None of the files"):
        bench.recordings.add_folder(tmp_path)


def written(folder: Path, precision: str) -> None:
    folder.mkdir(parents=True)
    for name, value in trex_files(precision=precision).items():
        (folder / name).write_text(json.dumps(value), encoding="utf-8")


def test_folders_in_a_folder_are_looked_into_and_tell_engines_of_one_name_apart(bench, tmp_path: Path):
    for folder, precision in (("A100/fp16", "FP32+FP16"), ("A100/qat", "FP32+FP16+INT8"), ("L4/fp16", "FP32+FP16")):
        written(tmp_path / folder, precision)
    written(tmp_path / ".hidden", "FP32")
    (tmp_path / "other").symlink_to(tmp_path / "A100")
    (tmp_path / "package.json").write_text("{}")

    found = bench.recordings.add_folder(tmp_path)
    assert [item.name for item in found] == ["net_fp16 (A100/fp16)", "net_int8", "net_fp16 (L4/fp16)"]
    assert {item.project for item in found} == {"net"}
    for item in found:
        bench.recordings.delete(item.id)


def test_a_damaged_file_in_one_of_several_folders_is_not_passed_over(bench, tmp_path: Path):
    written(tmp_path / "good", "FP32")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "net.graph.json.gz").write_bytes(b"\x1f\x8b damaged")
    with pytest.raises(UnreadableRecording, match="cannot be unpacked"):
        bench.recordings.add_folder(tmp_path)


def test_only_an_engines_id_opens_an_engine(bench):
    for wrong in ("m-000000000000", "../../x", "r-00000000000g"):
        with pytest.raises(NotFound):
            bench.engines.study(wrong)
    assert ArtifactKind.RECORDING.value == "r"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("r18_int8_calib", ("r18", Precision.INT8)),
        ("my-net.FP16", ("my-net", Precision.FP16)),
        ("engine", ("engine", Precision.UNKNOWN)),
        ("fp16", ("fp16", Precision.UNKNOWN)),
        ("r18_fp16 (2)", ("r18", Precision.FP16)),
        ("net_int80", ("net_int80", Precision.UNKNOWN)),
    ],
)
def test_project_and_precision_come_from_a_recordings_name(name, expected):
    assert named(name) == expected


def test_files_that_were_handed_over_are_read_by_a_job_and_then_let_go(tmp_path):
    bench = open_workbench(settings_from(workspace=tmp_path))
    files = {f"../{name}": file for name, file in recorded("r18_fp16").items()}  # names are labels, never paths
    job = bench.intake.submit_files(list(files.items()), device="NVIDIA H200", version="8.6.0")
    assert bench.recordings.recordings() == []

    done = bench.jobs.wait(job.id, on_look=lambda _: None)
    (made,) = bench.recordings.recordings()
    assert done.result == {"engine": made.id, "against": ""}
    assert (made.name, made.timing_count, made.device) == ("r18_fp16", 1062, "NVIDIA H200")
    assert bench.latency._context.store.ids(ArtifactKind.INTAKE) == []


def test_two_engines_in_files_of_one_name_are_both_kept(tmp_path):
    """Two folders handed over at once: each file of the second one has a name that was there before."""
    bench = open_workbench(settings_from(workspace=tmp_path))
    both = [
        (f"net_fp16.{name.split('.', 1)[1]}", file)
        for engine in ("r18_fp16", "enc_fp16")
        for name, file in recorded(engine).items()
        if name.startswith(engine)
    ]
    job = bench.intake.submit_files(both)
    bench.jobs.wait(job.id, on_look=lambda _: None)

    first, second = bench.recordings.recordings()
    assert (first.name, second.name) == ("net_fp16", "net_fp16 (2)")
    assert first.project == second.project == "net"
    for made, engine in ((first, "r18_fp16"), (second, "enc_fp16")):  # layers and log of one folder stay together
        kept, alone = bench.recordings.study(made.id), study(engine)
        assert kept.record.layers == alone.record.layers
        assert kept.tuning == alone.tuning


def test_files_in_which_no_engine_is_found_fail_the_job_with_the_reason(tmp_path):
    bench = open_workbench(settings_from(workspace=tmp_path))
    job = bench.intake.submit_files([("notes.json", io.BytesIO(b"{}"))])
    with pytest.raises(UnreadableRecording, match="None of the files"):
        bench.jobs.wait(job.id, on_look=lambda _: None)
    assert bench.latency._context.store.ids(ArtifactKind.INTAKE) == []


def spec_of(job) -> IntakeSpec:
    return from_plain(IntakeSpec, job.request["spec"])


def test_the_same_files_handed_over_twice_are_read_by_both_jobs(tmp_path, monkeypatch):
    bench = open_workbench(settings_from(workspace=tmp_path))
    monkeypatch.setattr(bench.intake._context.queue, "tend", lambda: None)  # others run: both wait
    specs = [spec_of(bench.intake.submit_files(list(recorded("r18_fp16").items()))) for _ in range(2)]

    (first,), (second,) = (bench.intake.perform(spec, CollectingReporter()) for spec in specs)

    assert first.id == second.id


def test_files_of_a_job_that_never_began_are_let_go_with_a_later_hand_over(tmp_path, monkeypatch):
    bench = open_workbench(settings_from(workspace=tmp_path))
    store, now = bench.intake._context.store, time.time()
    monkeypatch.setattr(bench.intake._context.queue, "tend", lambda: None)
    gone, waiting = (bench.intake.submit_files(list(recorded("r18_fp16").items())) for _ in range(2))
    bench.jobs.cancel(gone.id)
    object.__setattr__(bench.intake._context, "clock", lambda: now + 3600)

    third = bench.intake.submit_files(list(recorded("r18_fp16").items()))

    assert set(store.ids(ArtifactKind.INTAKE)) == {spec_of(waiting).intake_id, spec_of(third).intake_id}


def test_an_intake_can_be_cancelled_between_two_engines(tmp_path):
    bench = open_workbench(settings_from(workspace=tmp_path))
    reporter = CollectingReporter(cancel_after=3)
    with pytest.raises(JobCancelled):
        bench.intake.perform(IntakeSpec(), reporter)
    assert len(bench.recordings.recordings()) == 1
    assert reporter.reported[-1].phase == "Take in bert_fp16"


@pytest.mark.parametrize(("files", "said"), [({}, "No file"), ({"x": io.BytesIO(b"1" * (2 << 20))}, "more than 1 MiB")])
def test_too_much_or_nothing_is_refused_before_a_job_begins(tmp_path, files, said):
    bench = open_workbench(settings_from({"ENGINESCOPE_UPLOAD_MB": "1"}, workspace=tmp_path))
    with pytest.raises(InvalidData, match=said):
        bench.intake.submit_files(list(files.items()))
    assert bench.jobs.jobs() == []
