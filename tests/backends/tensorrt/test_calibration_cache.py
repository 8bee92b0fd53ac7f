from __future__ import annotations

import pytest

from tests.backends.tensorrt import recorded
from trt_core.backends.tensorrt.calibration_cache import cache_version, read_cache, release_text, write_cache
from trt_core.backends.tensorrt.calibration_notes import cache_notes, scale_findings, tensors_without_scale
from trt_core.backends.tensorrt.calibrator import known_cache
from trt_core.domain.precision import CalibrationMethod, TensorRange
from trt_core.errors import InvalidData
from trt_core.protocols import CalibrationInput


def test_a_recorded_cache_gives_symmetric_ranges():
    cache = read_cache((recorded.FOLDER / "r18.calib").read_text())
    assert (cache.version, cache.algorithm) == ("8600", "EntropyCalibration2")
    first = cache.ranges[0]
    assert (first.tensor, first.scale) == ("x", pytest.approx(0.0368871, abs=1e-7))
    assert first.high == pytest.approx(127 * first.scale)
    assert first.low == -first.high
    assert "(Unnamed Layer* 0) [Constant]_output" in cache.without_scale


@pytest.mark.parametrize("name", ["r18", "enc"])
def test_what_is_written_is_read_as_it_was(name):
    cache = read_cache((recorded.FOLDER / f"{name}.calib").read_text())
    text = write_cache(cache.ranges, version="8.6.0", algorithm=cache.algorithm)
    assert read_cache(text).ranges == cache.ranges
    assert text.startswith("TRT-8600-EntropyCalibration2\n")


@pytest.mark.parametrize(("version", "number"), [("8.6.0", "8600"), ("10.14.1", "101401"), ("8.6.1.6", "8601")])
def test_a_version_is_written_as_the_library_does(version, number):
    assert cache_version(version) == number


@pytest.mark.parametrize("text", ["", "TRT-x", "TRT-8600-A\nx: zz", "TRT-8600-A\nx 3c01", "TRT-8600-A\nx: 7f800000"])
def test_a_text_that_is_no_cache_is_refused(text):
    with pytest.raises(InvalidData):
        read_cache(text)


def test_a_kept_cache_serves_only_its_own_version_and_algorithm():
    def asked(method, ranges=()):
        return CalibrationInput(batches=lambda _: iter(()), data_sha256="d", method=method, ranges=ranges)

    stored = (recorded.FOLDER / "r18.calib").read_text()
    assert known_cache(asked(CalibrationMethod.ENTROPY), "8.6.0", stored) == stored
    assert not known_cache(asked(CalibrationMethod.MINMAX), "8.6.0", stored)
    assert not known_cache(asked(CalibrationMethod.ENTROPY), "8.6.1", stored)
    own = (TensorRange(tensor="x", low=-1.0, high=2.0, scale=0.0),)
    assert read_cache(known_cache(asked(CalibrationMethod.PERCENTILE, own), "8.6.0", "")).ranges[0].high == (
        pytest.approx(2.0, rel=1e-6)
    )


def handed_in(text: str, method=CalibrationMethod.ENTROPY) -> CalibrationInput:
    return CalibrationInput(batches=lambda _: iter(()), data_sha256="d", method=method, cache=text)


def test_a_cache_that_was_handed_in_goes_before_a_kept_one_and_under_this_versions_header():
    given = (recorded.FOLDER / "r18.calib").read_text()

    known = known_cache(handed_in(given), "10.14.1", "TRT-101401-EntropyCalibration2\nx: 3c010a14\n")

    assert known == given.replace("TRT-8600-", "TRT-101401-")
    assert read_cache(known).ranges == read_cache(given).ranges
    assert read_cache(known).without_scale == read_cache(given).without_scale


def test_a_cache_of_another_version_is_a_note():
    given = (recorded.FOLDER / "r18.calib").read_text()

    assert cache_notes(given, "8.6.0") == ()
    assert cache_notes("", "8.6.0") == ()
    (note,) = cache_notes(given, "10.14.1")
    assert "TensorRT 8.6.0 wrote the calibration cache" in note.message


@pytest.mark.parametrize(("header", "release"), [("8600", "8.6.0"), ("8503", "8.5.3"), ("101401", "10.14.1")])
def test_a_header_is_read_as_a_release(header, release):
    assert release_text(header) == release
    assert cache_version(release) == header


def test_tensors_without_a_scale_are_counted_in_the_recorded_log():
    (finding,) = scale_findings(recorded.log("enc_int8_calib"))

    assert finding.message.startswith("16 tensors have no scale")
    assert "/Softmax_output_0" in " ".join(tensors_without_scale(recorded.log("enc_int8_calib")))
    assert scale_findings(recorded.log("r18_int8_calib")) == ()


@pytest.mark.parametrize(
    "text", ["TRT-8600-A\nx: 3c01\nx: 3c02", "TRT-8600-A\n: 3c01", f"TRT-8600-A\n{'n' * 5000}: 3c01"]
)
def test_names_that_no_library_writes_are_refused(text):
    with pytest.raises(InvalidData):
        read_cache(text)
