"""Calibration caches of TensorRT 8.6 and 10: text in, tensor ranges out, and back.

The first line is `TRT-<version>-<algorithm>`; every other one `<tensor>: <hexadecimal>`, the big-endian IEEE 754
float32 of the tensor's scale without leading zeros, where `0` stands for no scale. The largest magnitude is 127 times
the scale.
Names hold colons, blanks and brackets of their own: a line is split at its last `: `.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from trt_core.domain.precision import CalibrationMethod, TensorRange
from trt_core.errors import InvalidData

_HEADER = re.compile(r"^TRT-(?P<version>\d{4,6})-(?P<algorithm>\w{1,40})$")
_HEX = re.compile(r"^[0-9a-fA-F]{1,8}$")
_LARGEST = 127.0
_GIVE = "Give the file that a calibrator, or trtexec --calib, wrote."
MOST_BYTES = 16 << 20  # of one cache; the largest networks have some ten thousand tensors of a hundred bytes
_MOST_NAME = 4_000
USABLE = {"EntropyCalibration2": CalibrationMethod.ENTROPY, "MinMaxCalibration": CalibrationMethod.MINMAX}


@dataclass(frozen=True, kw_only=True)
class CalibrationCache:
    """A cache. `ranges` are symmetric, in the file's order; `without_scale` names tensors that have none."""

    version: str  # as the header writes it: 8600 for 8.6.0, 101401 for 10.14.1
    algorithm: str
    ranges: tuple[TensorRange, ...]
    without_scale: tuple[str, ...] = ()


def read_cache(text: str) -> CalibrationCache:
    """Decode a cache.

    InvalidData for a text that is none, names a tensor twice, or holds a scale that is negative or not finite.
    """
    first, _, rest = text.partition("\n")
    header = _HEADER.match(first.strip())
    if not header:
        raise InvalidData(
            "The text is no calibration cache.", remedy="Its first line reads TRT-8600-EntropyCalibration2."
        )
    ranges: list[TensorRange] = []
    without: list[str] = []
    known: set[str] = set()
    for number, line in enumerate(rest.split("\n"), start=2):
        if not line.strip():
            continue
        name, split, code = line.rpartition(": ")
        if not split or not name or len(name) > _MOST_NAME or not _HEX.match(code.strip()):
            raise InvalidData(f"Line {number} of the calibration cache cannot be read.", remedy="Calibrate again.")
        if name in known:
            raise InvalidData(f"Line {number} names {name[:120]!r} a second time.", remedy="Calibrate again.")
        known.add(name)
        scale = struct.unpack(">f", bytes.fromhex(code.strip().zfill(8)))[0]
        if not math.isfinite(scale) or scale < 0:
            raise InvalidData(f"Tensor {name[:120]!r} has the scale {scale}.", remedy="Calibrate again.")
        if scale == 0.0:
            without.append(name)
        else:
            ranges.append(TensorRange(tensor=name, low=-_LARGEST * scale, high=_LARGEST * scale, scale=scale))
    return CalibrationCache(
        version=header["version"], algorithm=header["algorithm"], ranges=tuple(ranges), without_scale=tuple(without)
    )


def cache_text(content: bytes) -> str:
    """The text of a cache from elsewhere, as text alone: InvalidData for a file that is too large or no text."""
    if len(content) > MOST_BYTES:
        raise InvalidData(
            f"The calibration cache is larger than {MOST_BYTES >> 20} MiB.", remedy="Give the file that TensorRT wrote."
        )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidData("The file is no text, so that it is no calibration cache.", remedy=_GIVE) from error
    if "\0" in text:
        raise InvalidData("The file holds zero bytes, so that it is no calibration cache.", remedy=_GIVE)
    return text.replace("\r\n", "\n")


def usable_cache(text: str) -> CalibrationCache:
    """Decode a cache that a build can be given.

    InvalidData as of `read_cache`, for one without any scale, and for an algorithm whose calibrator is not used here.
    """
    cache = read_cache(text)
    if cache.algorithm not in USABLE:
        raise InvalidData(
            f"The cache is of {cache.algorithm}, which no build here reads.", remedy=f"Use {' or '.join(USABLE)}."
        )
    if not cache.ranges:
        raise InvalidData("The calibration cache holds no scale.", remedy="Calibrate again, with data.")
    return cache


def for_version(text: str, version: str) -> str:
    """The same scales under the header of another version, which the library would turn away otherwise."""
    first, _, rest = text.partition("\n")
    found = _HEADER.match(first.strip())
    return f"TRT-{cache_version(version)}-{found['algorithm']}\n{rest}" if found else text


def release_text(header: str) -> str:
    """The version that a header's number stands for: 8600 is 8.6.0, 101401 is 10.14.1."""
    number, step = int(header), 1_000 if len(header) < 5 else 10_000
    return f"{number // step}.{number % step // 100}.{number % 100}"


def write_cache(ranges: Iterable[TensorRange], *, version: str, algorithm: str) -> str:
    """A cache of these ranges, for the library's version and the algorithm that will read it."""
    lines = [f"TRT-{cache_version(version)}-{algorithm}"]
    for item in ranges:
        if "\n" in item.tensor:
            raise InvalidData("A tensor's name holds a line break.", remedy="Rename it, then calibrate again.")
        scale = max(abs(item.low), abs(item.high)) / _LARGEST
        lines.append(f"{item.tensor}: {struct.pack('>f', scale).hex().lstrip('0') or '0'}")
    return "\n".join([*lines, ""])


def cache_version(version: str) -> str:
    """The number in a cache's header: 8.6.0 is 8600, 10.14.1 is 101401."""
    major, minor, patch = (int(part) for part in (*version.split("."), "0", "0")[:3])
    return str(major * (1000 if major < 10 else 10_000) + minor * 100 + patch)
