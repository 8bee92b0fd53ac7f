"""Inputs and outputs of an engine, its profiles, and which of them fits given arrays."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trt_core.backends.names import lookup
from trt_core.domain.profiles import Shape
from trt_core.domain.tensors import TensorSpec
from trt_core.errors import InvalidData, InvalidProfile
from trt_core.protocols import Array, Feeds

Ranges = Mapping[str, tuple[Shape, Shape, Shape]]  # input: smallest, usual and largest shape
_NUMPY = {
    "FLOAT": "float32", "HALF": "float16", "BF16": "bfloat16", "INT8": "int8", "UINT8": "uint8", "INT32": "int32",
    "INT64": "int64", "BOOL": "bool", "FP8": "float8_e4m3fn",
}  # fmt: skip
_SPELLED = {"float8_e4m3fn": "float8e4m3fn"}


@dataclass(frozen=True, kw_only=True)
class Border:
    """The tensors at an engine's border. `host` holds inputs whose values TensorRT reads on the host (shape tensors).

    `profiles` gives, for each optimization profile, the range of every input with a dynamic shape, and that of the
    values of every input in `host`.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    host: frozenset[str]
    profiles: tuple[Ranges, ...]


def border_of(engine: Any, context: Any, trt: Any) -> Border:
    """Read it from an engine and a fresh context: 8.6 knows fixed shapes beside data-dependent ones only there."""
    is_input = lookup(trt, "TensorIOMode.INPUT")
    on_host = lookup(trt, "TensorLocation.HOST")
    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    inputs = [name for name in names if engine.get_tensor_mode(name) == is_input]
    # An input whose shape is fixed has no range in 8.6: asking for one gives a shape without a rank.
    ranged = [name for name in inputs if any(size < 0 for size in context.get_tensor_shape(name))]
    host = frozenset(name for name in inputs if engine.get_tensor_location(name) == on_host)
    profiles = tuple(
        {
            name: tuple(tuple(shape) for shape in engine.get_tensor_profile_shape(name, index))
            for name in ranged
            if name not in host
        }
        | {name: _value_ends(engine, name, index) for name in host}
        for index in range(engine.num_optimization_profiles)
    )
    return Border(
        inputs=tuple(_spec(engine, context, name) for name in inputs),
        outputs=tuple(_spec(engine, context, name) for name in names if name not in inputs),
        host=host,
        profiles=profiles,
    )


def _value_ends(engine: Any, name: str, index: int) -> tuple[Shape, Shape, Shape]:
    """The smallest, usual and largest values of a shape tensor in a profile."""
    if hasattr(engine, "get_tensor_profile_values"):
        ends = engine.get_tensor_profile_values(index, name)
    else:
        with warnings.catch_warnings():  # 8.6 has nothing else, and calls it deprecated
            warnings.simplefilter("ignore", DeprecationWarning)
            ends = engine.get_profile_shape_input(index, name)
    low, usual, high = (tuple(int(value) for value in end) for end in ends)
    return low, usual, high


def asked_of(name: str, array: Array, border: Border) -> Shape:
    """What a profile must hold for an array: its shape, or the values of a shape tensor.

    Of those, 8.6 tells the ends of as many as the tensor has dimensions: the first one. Others are the library's to
    refuse.
    """
    if name not in border.host:
        return array.shape
    known = len(border.profiles[0][name][0])
    return tuple(int(value) for value in array.reshape(-1)[:known])


def _spec(engine: Any, context: Any, name: str) -> TensorSpec:
    word = numpy_name(engine.get_tensor_dtype(name))
    shape = tuple(int(size) if size >= 0 else None for size in context.get_tensor_shape(name))
    return TensorSpec(name=name, dtype=_SPELLED.get(word, word), shape=shape)


def numpy_name(dtype: Any) -> str:
    """The name that NumPy (with ml_dtypes) has for a dtype of TensorRT."""
    return _NUMPY.get(dtype.name, dtype.name.lower())


def numpy_dtype(spec: TensorSpec) -> np.dtype[Any]:
    """The array dtype of a tensor."""
    import ml_dtypes  # noqa: F401 - teaches NumPy bfloat16 and FP8

    return np.dtype({"float8e4m3fn": "float8_e4m3fn"}.get(spec.dtype, spec.dtype))


def prepared(feeds: Feeds, inputs: Sequence[TensorSpec]) -> dict[str, Array]:
    """The arrays as the engine takes them: contiguous, 64-bit integers and floats narrowed where nothing is lost.

    InvalidData names an input that is missing, unknown, of another rank, size or dtype.
    """
    known = {spec.name for spec in inputs}
    if odd := sorted(set(feeds) - known):
        raise InvalidData(f"The engine has no input {odd[0]!r}.", remedy=f"Give {', '.join(sorted(known))}.")
    ready = {}
    for spec in inputs:
        if spec.name not in feeds:
            raise InvalidData(f"Input {spec.name!r} is missing.", remedy=f"Give {', '.join(sorted(known))}.")
        array = _narrowed(np.asarray(feeds[spec.name]), spec)
        dims = spec.shape or ()
        fits = len(dims) == array.ndim and all(dim in (None, size) for dim, size in zip(dims, array.shape, strict=True))
        if not fits:
            raise InvalidData(
                f"Input {spec.name!r} has the shape {array.shape}; the engine wants {spec.shape_text()}.",
                remedy="Give an array of that shape.",
            )
        ready[spec.name] = np.ascontiguousarray(array)
    return ready


def _narrowed(array: Array, spec: TensorSpec) -> Array:
    wanted = numpy_dtype(spec)
    if array.dtype == wanted:
        return array
    if array.dtype == np.int64 and wanted == np.int32:
        narrow = array.astype(np.int32)
        if np.array_equal(narrow, array):
            return narrow
        raise InvalidData(
            f"Input {spec.name!r} holds values beyond 32 bits.", remedy="This TensorRT takes integers of 32 bits."
        )
    if array.dtype == np.float64 and wanted == np.float32:
        return array.astype(np.float32)
    raise InvalidData(
        f"Input {spec.name!r} is {array.dtype.name}; the engine wants {spec.dtype}.",
        remedy=f"Convert it to {spec.dtype}.",
    )


def fitting_profile(shapes: Mapping[str, Shape], profiles: Sequence[Ranges]) -> int:
    """The first profile whose ranges hold all shapes; InvalidProfile says what they allow.

    Asked before anything reaches the GPU: the library itself would only log and refuse.
    """
    if not any(profiles):
        return 0
    for index, ranges in enumerate(profiles):
        if all(_inside(shapes[name], ends) for name, ends in ranges.items()):
            return index
    reasons = []
    for index, ranges in enumerate(profiles):
        name, (low, _, high) = next((name, ends) for name, ends in ranges.items() if not _inside(shapes[name], ends))
        reasons.append(f"profile {index} takes {name!r} from {low} to {high}, not {tuple(shapes[name])}")
    raise InvalidProfile(
        f"No optimization profile holds these shapes: {'; '.join(reasons)}.",
        remedy="Use shapes inside a profile, or build with a wider one.",
    )


def _inside(shape: Shape, ends: tuple[Shape, Shape, Shape]) -> bool:
    low, _, high = ends
    return len(shape) == len(low) and all(
        least <= size <= most for least, size, most in zip(low, shape, high, strict=True)
    )
