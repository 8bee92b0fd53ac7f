from __future__ import annotations

import pytest

from tests.backends.tensorrt import recorded
from trt_core.backends.tensorrt.calibration_cache import cache_version, read_cache, write_cache
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
