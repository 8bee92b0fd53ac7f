"""Calibration caches: brought in, looked at, given to a build, taken along."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

from tests import models
from tests.analysis.trt86 import FOLDER
from tests.deploy.tools import checked
from tests.fake_tensorrt import CalibratingFake
from trt_core.domain.deployment import DESTINATIONS, DeployWish
from trt_core.domain.engine import BuilderOptions
from trt_core.domain.precision import CalibrationMethod, Precision, Recipe
from trt_core.domain.requests import BuildSpec, QuantizeSpec
from trt_core.errors import InvalidData, NotFound, UnsupportedRequest
from trt_core.services.deploy import write_bundle
from trt_core.settings import settings_from
from trt_core.testing import CollectingReporter
from trt_core.workbench import open_workbench

CACHE = "TRT-8503-EntropyCalibration2\nx: 3c010a14\nh: 3d010a14\n(Unnamed Layer* 3) [Constant]_output: 0\n"


@pytest.fixture
def compiler():
    return CalibratingFake()


@pytest.fixture
def bench(tmp_path, compiler):
    return open_workbench(settings_from(workspace=tmp_path / "workspace"), compilers={"tensorrt": compiler})


@pytest.fixture
def model(bench):
    return bench.library.add_upload({"mlp.onnx": io.BytesIO(models.mlp().SerializeToString())})


def brought(bench, model, text: str = CACHE, name: str = "mlp.calib"):
    return bench.caches.add(io.BytesIO(text.encode()), name=name, model_id=model.id)


def implicit(model, data_id: str, **recipe) -> BuildSpec:
    return BuildSpec(
        variant=QuantizeSpec(model_id=model.id, recipe=Recipe(precision=Precision.INT8, **recipe), data_id=data_id),
        backend="tensorrt",
        options=BuilderOptions(calibration="implicit"),
    )


def samples(bench, model):
    content = io.BytesIO()
    np.savez(content, x=np.ones((8, 8), np.float32))
    content.seek(0)
    return bench.library.add_data(content, name="calibration.npz", model_id=model.id)


def test_a_cache_comes_in_with_what_it_says(bench, model):
    record = brought(bench, model)

    assert (record.version, record.method) == ("8.5.3", CalibrationMethod.ENTROPY)
    assert (record.tensors, record.without_scale, record.known) == (3, 1, 2)
    view = bench.caches.view(record.id)
    assert [item.tensor for item in view.cache.ranges] == ["x", "h"]
    assert view.cache.ranges[0].high == pytest.approx(1.0, rel=1e-3)
    assert bench.caches.text(record.id) == CACHE
    assert brought(bench, model).id == record.id
    assert [item.id for item in bench.caches.caches(model.id)] == [record.id]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no calibration cache"),
        (b"\xff\xfe\x00", "no text"),
        (b"TRT-8600-EntropyCalibration2\nx\x00: 3c010a14", "zero bytes"),
        (b"TRT-8600-EntropyCalibration2\nx 3c010a14", "Line 2"),
        (b"TRT-8600-EntropyCalibration2\nx: 3c010a14ff", "Line 2"),
        (b"TRT-8600-EntropyCalibration2\nx: 3c010a14\nx: 3c010a15", "second time"),
        (b"TRT-8600-EntropyCalibration2\nx: 7fc00000", "scale nan"),
        (b"TRT-8600-EntropyCalibration2\nx: bf800000", "scale -1.0"),
        (b"TRT-8600-EntropyCalibration2\nx: 0", "no scale"),
        (b"TRT-8600-LegacyCalibration\nx: 3c010a14", "LegacyCalibration"),
        (b"TRT-8600-EntropyCalibration2\nother: 3c010a14", "has none of them"),
        (b"TRT-8600-EntropyCalibration2\n" + b"x" * (16 << 20), "larger than 16 MiB"),
    ],
)
def test_a_hostile_cache_is_refused_with_the_reason(bench, model, content, said):
    with pytest.raises(InvalidData, match=said):
        bench.caches.add(io.BytesIO(content), name="evil", model_id=model.id)
    assert bench.caches.caches() == []


def test_a_cache_with_names_of_its_own_says_how_many_the_file_has(bench, model):
    record = brought(bench, model, "TRT-8600-MinMaxCalibration\nx: 3c010a14\n(Unnamed Layer* 1): 3c010a14\n")

    assert record.method is CalibrationMethod.MINMAX
    assert [item.rule for item in record.findings] == ["calibration-cache-partly-known"]


def test_a_build_takes_its_scales_from_the_cache_and_runs_no_data(bench, model, compiler):
    record = brought(bench, model)

    built = bench.builds.perform(implicit(model, record.id), CollectingReporter())

    (asked,) = compiler.asked
    assert asked.calibration.cache == CACHE
    assert list(asked.calibration.batches(8)) == []
    assert [item.tensor for item in built.record.ranges] == ["x", "h"]
    # The library turns the cache of another version away: the same scales go in under its own header.
    assert bench.caches.text(built.record.id) == CACHE.replace("TRT-8503", "TRT-8600")
    assert bench.builds.perform(implicit(model, record.id), CollectingReporter()).cached


def test_the_caches_method_decides_whatever_the_form_said(bench, model):
    minmax = brought(bench, model, "TRT-8600-MinMaxCalibration\nx: 3c010a14\n")
    spec = bench.builds.resolved(implicit(model, minmax.id, method=CalibrationMethod.PERCENTILE, percentile=99.0))

    assert spec.variant.recipe.method is CalibrationMethod.MINMAX
    assert bench.builds.id_of(spec) == bench.builds.id_of(bench.builds.resolved(implicit(model, minmax.id)))


def test_other_scales_are_another_engine(bench, model):
    one, other = brought(bench, model), brought(bench, model, CACHE.replace("3d01", "3e01"))
    ids = {bench.builds.id_of(bench.builds.resolved(implicit(model, item.id))) for item in (one, other)}

    assert len(ids) == 2


def test_qdq_pairs_are_not_made_of_a_cache(bench, model):
    record = brought(bench, model)
    explicit = BuildSpec(variant=implicit(model, record.id).variant, backend="tensorrt")

    with pytest.raises(UnsupportedRequest, match="serves implicit calibration"):
        bench.builds.check(explicit)
    with pytest.raises(UnsupportedRequest, match="serves implicit calibration"):
        bench.variants.submit(explicit.variant)


def test_the_cache_of_a_calibrated_build_is_brought_to_the_next_build(bench, model, compiler):
    first = bench.builds.perform(implicit(model, samples(bench, model).id), CollectingReporter()).record
    record = bench.caches.add_text(bench.caches.text(first.id), name=first.id, model_id=model.id)

    bench.builds.perform(implicit(model, record.id), CollectingReporter())

    assert compiler.asked[1].calibration.cache == bench.caches.text(first.id)
    assert bench.engines.study(first.id).calibration_cache == bench.caches.text(first.id)


def test_a_further_attempt_finds_the_cache_again(bench, model):
    record = brought(bench, model)
    built = bench.builds.perform(implicit(model, record.id), CollectingReporter()).record

    assert bench.builds.wish_of(built.id).variant.data_id == record.id


def test_what_was_not_calibrated_by_tensorrt_has_no_cache(bench, model):
    spec = BuildSpec(
        variant=QuantizeSpec(model_id=model.id, recipe=Recipe(precision=Precision.FP32)), backend="tensorrt"
    )
    built = bench.builds.perform(spec, CollectingReporter()).record

    assert not bench.caches.has(built.id)
    with pytest.raises(NotFound, match="not calibrated by TensorRT"):
        bench.caches.text(built.id)


def test_a_project_takes_its_caches_along(bench, model, tmp_path):
    record = brought(bench, model)
    other = open_workbench(settings_from(workspace=tmp_path / "other"))

    bench.registry.export(model.id, tmp_path / "project.zip")
    other.registry.bring_in(tmp_path / "project.zip")

    assert other.caches.record(record.id) == record
    assert other.caches.text(record.id) == CACHE


def test_a_recorded_cache_belongs_to_the_engine_that_was_calibrated(tmp_path):
    bench = open_workbench(settings_from(workspace=tmp_path))
    found = {item.name: item.id for item in bench.recordings.add_folder(FOLDER)}

    assert bench.caches.text(found["r18_int8_calib"]) == (FOLDER / "r18.calib").read_text()
    assert [name for name, item in found.items() if bench.caches.has(item)] == ["enc_int8_calib", "r18_int8_calib"]


def test_a_recording_without_a_cache_keeps_the_id_that_it_had(tmp_path):
    bench = open_workbench(settings_from(workspace=tmp_path))
    layers = {"Layers": [{"Name": "conv", "LayerType": "CaskConvolution", "Inputs": [], "Outputs": []}], "Bindings": []}

    (recording,) = bench.recordings.add_files({"net.json": io.BytesIO(json.dumps(layers).encode())})

    assert recording.id == "r-5e0b0e57e909"


def test_a_broken_cache_among_recordings_is_named(tmp_path):
    bench = open_workbench(settings_from(workspace=tmp_path))

    with pytest.raises(InvalidData, match=r"'net\.calib': Line 2"):
        bench.recordings.add_files({"net.calib": io.BytesIO(b"TRT-8600-EntropyCalibration2\nbroken")})


def test_a_bundle_carries_the_cache_and_builds_anew_from_it(bench, model, tmp_path):
    built = bench.builds.perform(implicit(model, samples(bench, model).id, rest=Precision.FP32), CollectingReporter())

    bundle = bench.deploy.bundle(DeployWish(build_id=built.record.id, to="commands", triton="23.12", gpu="H100"))

    files = {item.path: item for item in bundle.files}
    assert files["source/calibration.cache"].source.read_text() == bench.caches.text(built.record.id)
    script = files["build_plan.sh"].content.decode()
    assert '--calib="$calibration"' in script
    assert "--calib=source" not in script
    assert "--int8" in script
    assert "--calibration-cache source/calibration.cache" in files["commands/enginescope.sh"].content.decode()
    assert "--calib=source/calibration.cache" in files["commands/trtexec_8.6.sh"].content.decode()
    assert "commands/trtexec_11.x.sh" not in files
    assert "rebuild-with-calibration-cache" in [item.rule for item in bundle.findings]


def test_every_destination_of_a_calibrated_engine_is_whole(bench, model, tmp_path):
    built = bench.builds.perform(implicit(model, samples(bench, model).id), CollectingReporter())

    for to in DESTINATIONS:
        bundle = bench.deploy.bundle(DeployWish(build_id=built.record.id, to=to, triton="23.12", gpu="H100"))
        write_bundle(bundle, tmp_path / to)
        assert (tmp_path / to / "source/calibration.cache").is_file(), to
        checked("shellcheck", *(tmp_path / to).rglob("*.sh"))
    assert "source/calibration.cache" in (tmp_path / "kubernetes/upload_source.sh").read_text()


def test_an_engine_whose_version_no_image_has_belongs_to_the_newest_of_its_major_version(bench, model):
    built = bench.builds.perform(implicit(model, samples(bench, model).id), CollectingReporter()).record

    bundle = bench.deploy.bundle(DeployWish(build_id=built.id))

    assert bundle.target.tensorrt.startswith("8.6.")  # 11 has no implicit calibration: nothing could be built there
