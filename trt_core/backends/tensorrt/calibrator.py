"""INT8 calibration inside TensorRT 8.6 and 10: batches out of the data file, ranges into a cache.

Polygraphy's calibrator stands between them. It gets addresses, never arrays: for those it loads CUDA's runtime by file
name, which a machine with cuda-python alone does not have.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from trt_core.backends.names import lookup
from trt_core.backends.polygraphy_gate import polygraphy
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

    def __iter__(self) -> Iterator[dict[str, int]]:
        """Each batch's addresses by input, until the data are used up or something went wrong."""
        try:
            for feeds in filter(self._is_full, self._source):
                self._reporter.check()
                arrays = prepared(feeds, self._inputs)
                self.batches += 1
                self._reporter.progress(Progress(phase="Calibrating", step=self.batches))
                addresses = {name: self._put(name, array) for name, array in arrays.items()}
                self._stream.synchronize()
                yield addresses
        except Exception as error:  # noqa: BLE001 - raised again after the build, by whoever called it
            self.failure = error

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


def calibrator_for(trt: Any, request: CalibrationInput, feed: CalibrationFeed | None, cache: Path) -> Any:
    """Polygraphy's calibrator. Where `cache` has text from an earlier calibration, no data are run."""
    base = "IInt8MinMaxCalibrator" if request.method is CalibrationMethod.MINMAX else "IInt8EntropyCalibrator2"
    return polygraphy().Calibrator(
        feed or (), cache=str(cache), BaseClass=lookup(trt, base), batch_size=feed.batch if feed else 1
    )


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
