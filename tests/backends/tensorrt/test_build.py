"""A whole build over a library that builds nothing, but asks its calibrator and its configuration as the real one does."""

from __future__ import annotations

import numpy as np
import pytest

from tests import models
from tests.backends.tensorrt.library import Config, FakeBuilder, FakeMemory, install, library
from trt_core.backends.tensorrt import build, calibrator
from trt_core.backends.tensorrt.device import Gpu
from trt_core.backends.tensorrt.kept_files import KeptFiles
from trt_core.backends.tensorrt.typing_rules import FileTypes
from trt_core.domain.engine import BuilderOptions, EngineRecord, Sm
from trt_core.domain.precision import CalibrationMethod, KeepRule, Precision, TensorRange
from trt_core.domain.profiles import profile_from_texts
from trt_core.errors import BackendError, InvalidData, InvalidProfile, JobCancelled, StoreError
from trt_core.protocols import CalibrationInput, CompileInput
from trt_core.testing import CollectingReporter

GPU = Gpu(name="NVIDIA H200", sm=Sm(major=9, minor=0), driver="13.0", memory_bytes=1)
CACHE = "TRT-8600-EntropyCalibration2\nx: 3c010a14\n"


class Site:
    """Where it is built: `builder` is the library's, `kept` what earlier builds left."""

    def __init__(self, tmp_path, monkeypatch):
        self.trt = install(monkeypatch, library("8.6.0"))
        self.builder = FakeBuilder()
        self.kept = KeptFiles(folder=tmp_path / "kept")
        self.path = models.saved(models.mlp(), tmp_path / "mlp.onnx")
        self.memory: list[FakeMemory] = []
        self.types = FileTypes(precisions=frozenset())
        self.trt.Builder = lambda _logger: self.builder
        for name, value in {
            "library": lambda: self.trt,
            "logger": lambda: None,
            "this_gpu": lambda: GPU,
            "types_of": lambda _: self.types,
            "parse_network": lambda *_given, **_flags: self.builder.network,
            "deserialized": lambda *_: None,
            "inspect_engine": lambda *_, **__: EngineRecord(layers=()),
        }.items():
            monkeypatch.setattr(build, name, value)
        for name in ("PinnedBuffer", "DeviceBuffer"):
            monkeypatch.setattr(calibrator, name, self._allocate)
        monkeypatch.setattr(calibrator, "Stream", lambda: self._allocate(0))
        monkeypatch.setattr(calibrator, "copy_to_device", lambda target, source, *_: target.take(source))

    def _allocate(self, size_bytes):
        self.memory.append(FakeMemory(size_bytes))
        return self.memory[-1]

    @property
    def config(self):
        return self.builder.config

    def build(self, *, calibration=None, reporter=None, keep=(), rest=Precision.FP32, **options):
        request = CompileInput(
            onnx_path=self.path,
            target=None,
            profiles=(profile_from_texts(["x=1x8:2x8:4x8"]),),
            options=BuilderOptions(calibration="implicit" if calibration else "", **options),
            calibration=calibration,
            keep=tuple(keep),
            rest=rest,
        )
        return build.build_engine(request, reporter=reporter or CollectingReporter(), kept=self.kept)


@pytest.fixture
def site(tmp_path, monkeypatch):
    return Site(tmp_path, monkeypatch)


def data(samples=5, *, width=8, method=CalibrationMethod.ENTROPY, error=None, **more) -> CalibrationInput:
    def batches(size):
        for start in range(0, samples, size):
            yield {"x": np.full((min(size, samples - start), width), start, np.float32)}
        if error is not None:
            raise error

    return CalibrationInput(batches=batches, data_sha256="d", method=method, **more)


@pytest.mark.parametrize(
    ("method", "base"),
    [(CalibrationMethod.ENTROPY, "IInt8EntropyCalibrator2"), (CalibrationMethod.MINMAX, "IInt8MinMaxCalibrator")],
)
def test_polygraphy_s_calibrator_hands_over_full_batches_in_gpu_memory(site, method, base):
    reporter = CollectingReporter()
    output = site.build(calibration=data(method=method), reporter=reporter)

    assert isinstance(site.config.int8_calibrator, getattr(site.trt, base))
    assert site.config.int8_calibrator.is_polygraphy_calibrator
    assert site.config.int8_calibrator.is_bound
    assert site.builder.batch_size == 2
    written = {memory.address: memory for memory in site.memory}
    assert [len(addresses) for addresses in site.builder.batches] == [1, 1]  # the fifth sample fills no batch
    assert written[site.builder.batches[0][0]].taken == [0.0, 2.0]
    assert site.config.calibration_profile is site.config.profiles[0]
    assert output.calibration_cache == CACHE
    assert [item.tensor for item in output.ranges] == ["x"]
    assert [item.step for item in reporter.reported if item.phase == "Calibrating"] == [1, 2]
    assert all(memory.closed for memory in site.memory)


def test_a_kept_calibration_is_used_again_without_data(site):
    site.build(calibration=data())
    again = site.build(calibration=data(error=AssertionError("read")))

    assert (site.builder.batches, again.calibration_cache) == ([], CACHE)


def test_ranges_of_our_own_reach_the_library_as_a_cache(site):
    own = TensorRange(tensor="x", low=-6.35, high=6.35, scale=0.05)
    output = site.build(calibration=data(method=CalibrationMethod.PERCENTILE, ranges=(own,)))

    assert site.builder.batches == []
    assert site.builder.read.startswith(b"TRT-8600-EntropyCalibration2\nx: ")
    assert [(item.tensor, round(item.scale, 6)) for item in output.ranges] == [("x", 0.05)]


@pytest.mark.parametrize(
    ("calibration", "error", "sentence"),
    [
        (data(error=StoreError("The disk is gone.")), StoreError, "The disk is gone"),
        (data(width=9), InvalidData, r"Input 'x' has the shape \(2, 9\)"),
        (data(samples=1), InvalidData, "do not fill one batch of 2"),
    ],
)
def test_what_goes_wrong_inside_the_library_s_call_is_raised_after_it(site, calibration, error, sentence):
    with pytest.raises(error, match=sentence):
        site.build(calibration=calibration)
    assert all(memory.closed for memory in site.memory)


@pytest.mark.parametrize("checks", [3, 4])
def test_calibration_stops_when_it_is_told_to(site, checks):
    with pytest.raises(JobCancelled):
        site.build(calibration=data(), reporter=CollectingReporter(cancel_after=checks))
    assert len(site.builder.batches) == checks - 3


def test_polygraphy_s_words_go_into_the_log_and_nowhere_else(site, capfd):
    reporter = CollectingReporter()
    with pytest.raises(InvalidData):
        site.build(calibration=data(samples=1), reporter=reporter)
    output = site.build()
    assert capfd.readouterr() == ("", "")
    assert "POLYGRAPHY" not in output.log


def test_what_polygraphy_raises_is_a_backend_error_with_the_log(site, monkeypatch):
    monkeypatch.setattr(build, "create_config", lambda *_, **__: refuse())

    def refuse():
        from polygraphy.logger import G_LOGGER

        G_LOGGER.critical("fp16 is not available")

    with pytest.raises(BackendError, match="Polygraphy could not describe the build: fp16 is not available") as failure:
        site.build()
    assert "[POLYGRAPHY]" in failure.value.details


def test_a_profile_that_the_library_does_not_take_is_refused(site, monkeypatch):
    monkeypatch.setattr(Config, "add_optimization_profile", lambda *_: -1)
    with pytest.raises(InvalidProfile, match=r"TensorRT refused the optimization profile x \(1, 8\)"):
        site.build()


def test_a_weakly_typed_library_is_told_the_precisions_and_how_far_layers_are_bound(site):
    site.types = FileTypes(precisions=frozenset({Precision.FP16}), fp32_nodes=frozenset({"mm"}))
    site.build()
    assert site.config.flags == {"FP16", "PREFER_PRECISION_CONSTRAINTS"}
    assert site.builder.network.layer.precision.name == "FLOAT"

    site.build(keep=[KeepRule(node="mm", precision=Precision.FP16)])
    assert site.config.flags == {"FP16", "OBEY_PRECISION_CONSTRAINTS"}
    assert site.builder.network.layer.precision.name == "HALF"

    site.types = FileTypes(precisions=frozenset())
    site.build(calibration=data(), rest=Precision.FP16)
    assert site.config.flags == {"INT8", "FP16"}


def test_timings_are_read_grown_and_kept(site):
    path = site.kept.timings("8.6.0", GPU)
    site.build()
    assert path.read_bytes() == b"+grown"
    site.build()
    assert path.read_bytes() == b"+grown+grown"
    site.build(timing_cache="off")
    assert path.read_bytes() == b"+grown+grown"
    path.write_bytes(b"other GPU's")
    site.build()
    assert path.read_bytes() == b"+grown"


@pytest.mark.parametrize(("brought", "rules"), [(b"more", []), (b"other GPU's", ["timing-cache-not-taken"])])
def test_timings_from_elsewhere_are_added_or_said_to_be_left_out(site, brought, rules):
    site.kept.brought("abc").parent.mkdir(parents=True)
    site.kept.brought("abc").write_bytes(brought)
    output = site.build(timing_cache="abc")

    assert (b"more" in site.kept.timings("8.6.0", GPU).read_bytes()) is (not rules)
    assert [item.rule for item in output.findings if item.rule.startswith("timing-cache")] == rules
