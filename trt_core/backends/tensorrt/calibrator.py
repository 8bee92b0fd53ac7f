"""INT8 calibration inside TensorRT 8.6 and 10: batches out of the data file, ranges into a cache.

Written here rather than taken from Polygraphy: its calibrator loads CUDA's runtime by file name, which a machine with
cuda-python alone does not have, and reports neither progress nor which sample is at fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from trt_core.backends.names import lookup
from trt_core.backends.tensorrt.bindings import prepared
from trt_core.backends.tensorrt.calibration_cache import cache_version, for_version, read_cache, write_cache
from trt_core.backends.tensorrt.cuda import DeviceBuffer, PinnedBuffer, Stream, copy_to_device
from trt_core.domain.jobs import Progress
from trt_core.domain.precision import CalibrationMethod
from trt_core.domain.tensors import TensorSpec
from trt_core.errors import InvalidData
from trt_core.protocols import CalibrationInput, Feeds, Reporter

ALGORITHMS = {
    CalibrationMethod.ENTROPY: "EntropyCalibration2",
    CalibrationMethod.MINMAX: "MinMaxCalibration",
    CalibrationMethod.PERCENTILE: "EntropyCalibration2",  # its ranges are ours: only the header needs an algorithm
}


class CalibrationFeed:
    """Hands TensorRT one batch after the other in GPU memory; `inputs` have the shapes that calibration runs at.

    A last batch that is not full is left out. `failure` keeps what went wrong in a callback, because the library would
    lose it.
    """

    def __init__(self, request: CalibrationInput, inputs: Sequence[TensorSpec], reporter: Reporter) -> None:
        self.batch = next((int(item.shape[0] or 1) for item in inputs if item.shape), 1)
        self.batches = 0
        self.failure: Exception | None = None
        self._inputs = inputs
        self._reporter = reporter
        self._source: Iterator[Feeds] = iter(request.batches(self.batch))
        self._stream = Stream()
        self._held: dict[str, tuple[PinnedBuffer, DeviceBuffer]] = {}

    def next_addresses(self, names: Sequence[str]) -> list[int] | None:
        """Addresses of the next batch, in the order of `names`; None when the data are used up."""
        if self.failure is not None:
            return None
        try:
            self._reporter.check()
            feeds = next((item for item in self._source if self._is_full(item)), None)
            if feeds is None:
                return None
            arrays = prepared(feeds, self._inputs)
            self.batches += 1
            self._reporter.progress(Progress(phase="Calibrating", step=self.batches))
            addresses = [self._put(name, arrays[name]) for name in names]
            self._stream.synchronize()
        except Exception as error:  # noqa: BLE001 - raised again after the build, by whoever called it
            self.failure = error
            return None
        return addresses

    def _is_full(self, feeds: Feeds) -> bool:
        return all(array.shape[:1] == (self.batch,) for array in feeds.values())

    def _put(self, name: str, array: Any) -> int:
        if name not in self._held:
            self._held[name] = PinnedBuffer(array.nbytes), DeviceBuffer(array.nbytes)
        pinned, device = self._held[name]
        pinned.view(array.shape, array.dtype)[...] = array
        copy_to_device(device, pinned, array.nbytes, self._stream)
        return device.address

    def close(self) -> None:
        """Give the memory back."""
        for pinned, device in self._held.values():
            pinned.close()
            device.close()
        self._held = {}
        self._stream.close()

    def check(self) -> None:
        """Raise what a callback met, or InvalidData when there was no full batch at all."""
        if self.failure is not None:
            raise self.failure
        if not self.batches:
            raise InvalidData(
                f"The calibration data do not fill one batch of {self.batch}.",
                remedy="Give more samples, or a profile with a smaller usual batch.",
            )


def calibrator_for(trt: Any, request: CalibrationInput, feed: CalibrationFeed | None, known: str) -> Any:
    """The library's calibrator. `known` is a cache of an earlier calibration: with one, no data are run."""
    base = {
        CalibrationMethod.MINMAX: "IInt8MinMaxCalibrator",
    }.get(request.method, "IInt8EntropyCalibrator2")
    calibrator = _calibrator_class(trt, base)()
    calibrator.feed, calibrator.known = feed, known.encode()
    return calibrator


@cache
def _calibrator_class(trt: Any, base_name: str) -> Any:
    base = lookup(trt, base_name)

    class Calibrator(base):  # type: ignore[misc,valid-type,unused-ignore]
        feed: CalibrationFeed | None = None
        known = b""
        written = b""

        def __init__(self) -> None:
            base.__init__(self)

        def get_batch_size(self) -> int:
            return self.feed.batch if self.feed is not None else 1

        def get_batch(self, names: Sequence[str]) -> list[int] | None:
            return self.feed.next_addresses(names) if self.feed is not None else None

        def read_calibration_cache(self) -> bytes | None:
            return self.known or None

        def write_calibration_cache(self, cache: Any) -> None:
            self.written = bytes(cache)

    return Calibrator


def known_cache(request: CalibrationInput, version: str, stored: str) -> str:
    """A cache to start from: what was handed in, or what an earlier calibration of the same data left.

    A kept cache of another version or algorithm is not used: the library would reject it. One that was handed in is
    used under this version's header: a scale means the same in all of them.
    """
    algorithm = ALGORITHMS[request.method]
    if request.cache:
        return for_version(request.cache, version)
    if request.ranges:
        return write_cache(request.ranges, version=version, algorithm=algorithm)
    if not stored:
        return ""
    found = read_cache(stored)
    return stored if (found.version, found.algorithm) == (cache_version(version), algorithm) else ""
