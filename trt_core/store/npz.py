"""Sample data: `.npz` files from outside, read as streams."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from trt_core.domain.findings import Finding, Severity
from trt_core.domain.tensors import TensorSpec
from trt_core.errors import InvalidData
from trt_core.onnx_graph.tensors import shown
from trt_core.store.npy import DTYPES, Array, Header, read_exactly, read_header, read_samples

_BLOCK = 4 << 20
_MAX_BYTES = 64 << 30  # what the arrays of one file may declare
_MAX_ARRAYS = 1000


@dataclass(frozen=True, kw_only=True)
class DataFacts:
    """What a data file holds; the first axis of every array counts samples."""

    samples: int
    arrays: tuple[TensorSpec, ...]
    size_bytes: int  # of the arrays, uncompressed
    findings: tuple[Finding, ...] = ()


def read_data(path: Path, inputs: Sequence[TensorSpec] | None, *, shown_as: str = "") -> DataFacts:
    """Check a `.npz` from end to end without holding more than a few megabytes of it.

    `shown_as` is the name that the user knows it by. With `inputs`, names, dtypes (exactly) and sample shapes must
    be the model's. Raises InvalidData: not a zip, damaged, arrays of objects or text, wrong names, dtypes or shapes,
    differing sample counts, no samples, NaN, more than 64 GiB declared or 1 GiB a sample. Infinities are a finding,
    because attention masks hold them.
    """
    with _opened(path, shown_as=shown_as) as archive:
        headers = {}
        for name, entry in _entries(archive).items():
            with _member(archive, entry) as stream:
                headers[name] = read_header(name, stream, entry)
        if inputs is not None:
            _check_against(headers, inputs)
        samples = _sample_count(headers)
        size = sum(header.size_bytes for header in headers.values())
        if size > _MAX_BYTES:
            raise InvalidData(
                f"The arrays declare {size:,} bytes; the limit is {_MAX_BYTES:,}.", remedy="Keep fewer samples."
            )
        infinite = [name for name, entry in _entries(archive).items() if _scan(archive, name, entry, headers[name])]
    arrays = tuple(TensorSpec(name=name, dtype=item.dtype.name, shape=item.shape) for name, item in headers.items())
    return DataFacts(samples=samples, arrays=arrays, size_bytes=size, findings=_findings(infinite))


def batches(path: Path, *, batch: int = 1, limit: int | None = None) -> Iterator[dict[str, Array]]:
    """Stream a checked `.npz`: dicts of arrays with up to `batch` samples each, `limit` samples in all.

    The last batch may be smaller. Every array is decompressed as it is read, so memory does not grow with the number of
    samples. Arrays are writable, in native byte order. Raises InvalidData where the file is damaged.
    """
    if batch < 1:
        raise ValueError(f"a batch has at least one sample, not {batch}")
    with _opened(path) as archive, ExitStack() as stack:
        streams: dict[str, tuple[IO[bytes], Header]] = {}
        for name, entry in _entries(archive).items():
            stream = stack.enter_context(_member(archive, entry))
            streams[name] = (stream, read_header(name, stream, entry))
        left = _sample_count({name: header for name, (_, header) in streams.items()})
        left = left if limit is None else min(left, limit)
        while left > 0:
            count = min(batch, left)
            yield {name: read_samples(name, stream, header, count) for name, (stream, header) in streams.items()}
            left -= count


def random_feeds(
    inputs: Sequence[TensorSpec], shapes: Mapping[str, tuple[int, ...]], *, seed: int = 0
) -> dict[str, Array]:
    """Seeded input where there are no data: standard normal floats, booleans, and integers 0 or 1.

    Small integers are valid indices into any table with two rows. `shapes` overrides a spec's shape, whose symbols are
    1 otherwise. Raises InvalidData for a dtype that cannot be drawn (text).
    """
    generator = np.random.default_rng(seed)
    return {spec.name: _drawn(generator, spec, shapes.get(spec.name)) for spec in inputs}


def _drawn(generator: np.random.Generator, spec: TensorSpec, shape: tuple[int, ...] | None) -> Array:
    if shape is None:
        shape = tuple(dim if isinstance(dim, int) else 1 for dim in spec.shape or ())
    if spec.is_floating:
        return generator.standard_normal(shape, dtype=np.float32).astype(_numpy_dtype(spec), copy=False)
    if spec.dtype not in DTYPES:
        raise InvalidData(
            f"Input {shown(spec.name)} has the dtype {spec.dtype}, which cannot be drawn at random.",
            remedy="Give data for it.",
        )
    return generator.integers(0, 2, size=shape).astype(spec.dtype)


def _numpy_dtype(spec: TensorSpec) -> Any:
    if spec.dtype in DTYPES:
        return np.dtype(spec.dtype)
    import ml_dtypes

    spelled = {"float8e4m3fn": "float8_e4m3fn", "float8e5m2": "float8_e5m2", "float4e2m1": "float4_e2m1fn"}
    return np.dtype(getattr(ml_dtypes, spelled.get(spec.dtype, spec.dtype)))


@contextmanager
def _opened(path: Path, *, shown_as: str = "") -> Iterator[zipfile.ZipFile]:
    """The archive; what zipfile and zlib raise becomes InvalidData."""
    name = shown(shown_as or path.name)
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise InvalidData(
            f"{name} is no complete .npz file: {error}.", remedy="Write it with numpy.savez or savez_compressed."
        ) from error
    except OSError as error:
        raise InvalidData(f"{name} cannot be read: {error.strerror}.", remedy="Check the file.") from error


def _entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    entries = archive.infolist()
    if len(entries) > _MAX_ARRAYS:
        raise InvalidData(f"The file holds {len(entries):,} entries.", remedy="Give one array for each model input.")
    found: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        name = entry.filename.removesuffix(".npy")
        if name == entry.filename or entry.flag_bits & 0x1:
            raise InvalidData(
                f"{shown(entry.filename)} is no plain .npy array.", remedy="Write the file with numpy.savez."
            )
        if name in found:
            raise InvalidData(f"The file holds the array {shown(name)} twice.", remedy="Write it with numpy.savez.")
        found[name] = entry
    if not found:
        raise InvalidData("The file holds no arrays.", remedy="Give one array for each model input.")
    return found


@contextmanager
def _member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[IO[bytes]]:
    with archive.open(entry) as stream:
        yield stream


def _check_against(headers: Mapping[str, Header], inputs: Sequence[TensorSpec]) -> None:
    expected = [spec.name for spec in inputs]
    if set(headers) != set(expected):
        raise InvalidData(
            f"The arrays are {_listed(list(headers))}; the model's inputs are {_listed(expected)}.",
            remedy="Give exactly one array for each input, under its name.",
        )
    seen: dict[str, tuple[int, str]] = {}
    for spec in inputs:
        _check_input(headers[spec.name], spec)
        for axis, dim in enumerate(spec.shape or ()):
            if axis and isinstance(dim, str):
                size = headers[spec.name].shape[axis]
                before, where = seen.setdefault(dim, (size, spec.name))
                if before != size:
                    raise InvalidData(
                        f"Symbol {shown(dim)} is {before} in {shown(where)} and {size} in {shown(spec.name)}.",
                        remedy="Give the same symbol the same size.",
                    )


def _check_input(header: Header, spec: TensorSpec) -> None:
    name, given = shown(spec.name), header.dtype.name
    if given != spec.dtype:
        raise InvalidData(
            f"Array {name} is {given}; the model's input is {spec.dtype}.",
            remedy=f"Save it as array.astype({spec.dtype!r})."
            if spec.dtype in DTYPES
            else "NumPy files cannot hold it.",
        )
    if spec.shape is None:
        return
    if not spec.shape:
        raise InvalidData(
            f"Input {name} is a scalar, which has no samples.", remedy="Export it with a batch dimension."
        )
    text = " × ".join(str(size) for size in header.shape)
    fits = len(spec.shape) == len(header.shape) and all(
        not isinstance(dim, int) or dim == size for dim, size in zip(spec.shape[1:], header.shape[1:], strict=True)
    )
    if not fits:
        raise InvalidData(
            f"Array {name} has the shape {text}; the model's input is {spec.shape_text()}.",
            remedy="The first axis counts samples, all others must be the model's.",
        )
    first = spec.shape[0]
    if isinstance(first, int) and first > 1 and header.shape[0] % first:
        raise InvalidData(
            f"Array {name} holds {header.shape[0]} samples; the model takes {first} at a time.",
            remedy=f"Give a multiple of {first} samples.",
        )


def _sample_count(headers: Mapping[str, Header]) -> int:
    counts = {name: header.shape[0] for name, header in headers.items()}
    if len(set(counts.values())) > 1:
        text = ", ".join(f"{shown(name)} {count}" for name, count in list(counts.items())[:5])
        raise InvalidData(
            f"The arrays hold different numbers of samples: {text}.",
            remedy="The first axis of each counts the same samples.",
        )
    count = next(iter(counts.values()))
    if not count:
        raise InvalidData("The arrays hold no samples.", remedy="Give at least one sample.")
    return count


def _scan(archive: zipfile.ZipFile, name: str, entry: zipfile.ZipInfo, header: Header) -> bool:
    """Read an array to its end (which checks its CRC); True when it holds infinities, InvalidData for NaN."""
    infinite = False
    with _member(archive, entry) as stream:
        read_header(name, stream, entry)
        left = header.size_bytes
        while left:
            values = np.frombuffer(read_exactly(name, stream, min(_BLOCK, left)), dtype=header.dtype)
            if values.dtype.kind == "f" and not np.isfinite(values).all():
                if np.isnan(values).any():
                    position = header.size_bytes - left + int(np.isnan(values).argmax()) * header.dtype.itemsize
                    raise InvalidData(
                        f"Array {shown(name)} holds NaN, first in sample {position // max(1, header.sample_bytes)}.",
                        remedy="Remove or repair these samples.",
                    )
                infinite = True
            left -= values.nbytes
    return infinite


def _findings(infinite: Sequence[str]) -> tuple[Finding, ...]:
    return tuple(
        Finding(
            rule="data-holds-infinity",
            severity=Severity.WARNING,
            message=f"Array {shown(name)} holds infinities.",
            remedy="Right for a mask; anywhere else they spoil the samples that hold them, and every error figure.",
        )
        for name in infinite
    )


def _listed(names: Sequence[str]) -> str:
    text = ", ".join(shown(name) for name in names[:6])
    return f"{text} and {len(names) - 6} more" if len(names) > 6 else text
