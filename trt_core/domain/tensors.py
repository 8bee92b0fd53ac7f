"""Tensors as the model's file describes them."""

from __future__ import annotations

from dataclasses import dataclass

# A static size, a symbol, or nothing known.
Dim = int | str | None

# Bits of one element, by the ONNX spelling of the dtype in lower case.
BITS: dict[str, int] = {
    "float32": 32,
    "float16": 16,
    "bfloat16": 16,
    "float64": 64,
    "float8e4m3fn": 8,
    "float8e5m2": 8,
    "float4e2m1": 4,
    "int8": 8,
    "uint8": 8,
    "int4": 4,
    "uint4": 4,
    "int16": 16,
    "uint16": 16,
    "int32": 32,
    "uint32": 32,
    "int64": 64,
    "uint64": 64,
    "bool": 8,
}
FLOATING = frozenset({"float32", "float16", "bfloat16", "float64", "float8e4m3fn", "float8e5m2", "float4e2m1"})


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """Name, dtype (lower-case ONNX spelling: `float32`, `float16`, `int8` ...) and shape, symbols kept."""

    name: str
    dtype: str
    shape: tuple[Dim, ...] | None  # None: the rank is not known

    @property
    def may_hold_classes(self) -> bool:
        """True where it may be [samples, classes] of floating values; further axes have size 1."""
        shape = self.shape or ()
        return self.dtype in FLOATING and len(shape) > 1 and shape[1] != 1 and all(dim == 1 for dim in shape[2:])

    @property
    def is_static(self) -> bool:
        """True when every dimension is a number."""
        return self.shape is not None and all(isinstance(dim, int) for dim in self.shape)

    @property
    def is_floating(self) -> bool:
        """True for every floating-point dtype."""
        return self.dtype in FLOATING

    @property
    def element_count(self) -> int | None:
        """Elements with every unknown or symbolic dimension taken as 1; None when the rank is not known."""
        if self.shape is None:
            return None
        count = 1
        for dim in self.shape:
            count *= dim if isinstance(dim, int) else 1
        return count

    @property
    def size_bytes(self) -> int | None:
        """Bytes with every symbolic dimension taken as 1; None when rank or dtype are not known."""
        count, bits = self.element_count, BITS.get(self.dtype)
        return None if count is None or bits is None else (count * bits + 7) // 8

    def shape_text(self) -> str:
        """`batch × 3 × 224 × 224`; `scalar` for no dimension, `unknown rank` where nothing is known."""
        if self.shape is None:
            return "unknown rank"
        if not self.shape:
            return "scalar"
        return " × ".join("?" if dim is None else str(dim) for dim in self.shape)


def passed_through(inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> tuple[str, ...]:
    """Names of outputs that are inputs as well: legal in ONNX, but no engine can call two of its tensors the same."""
    given = {spec.name for spec in inputs}
    return tuple(dict.fromkeys(spec.name for spec in outputs if spec.name in given))
