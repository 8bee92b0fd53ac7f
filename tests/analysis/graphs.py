"""Tiny graphs and records, written by hand, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Sequence

from trt_core.domain.engine import EngineLayer, EngineRecord, EngineTensor
from trt_core.domain.graph import Graph, Node
from trt_core.domain.precision import Precision
from trt_core.domain.tensors import TensorSpec

Row = tuple[str, str, Sequence[str], Sequence[str]]  # name, op, inputs, outputs


def graph_of(
    *rows: Row,
    inputs: Sequence[str] = ("x",),
    outputs: Sequence[str] = ("y",),
    initializers: Sequence[str] = (),
    shapes: dict[str, tuple[int | str, ...]] | None = None,
    dtypes: dict[str, str] | None = None,
    attributes: dict[str, tuple[tuple[str, str], ...]] | None = None,
) -> Graph:
    names = {*inputs, *outputs, *initializers, *(name for row in rows for name in (*row[2], *row[3]))}
    tensors = {
        name: TensorSpec(
            name=name, dtype=(dtypes or {}).get(name, "float32"), shape=(shapes or {}).get(name, (1, 8, 4, 4))
        )
        for name in names
        if name
    }
    nodes = tuple(
        Node(
            index=index,
            name=name,
            op_type=op,
            inputs=tuple(ins),
            outputs=tuple(outs),
            attributes=(attributes or {}).get(name, ()),
        )
        for index, (name, op, ins, outs) in enumerate(rows)
    )
    return Graph(
        nodes=nodes,
        inputs=tuple(tensors[name] for name in inputs),
        outputs=tuple(tensors[name] for name in outputs),
        tensors=tensors,
        initializers=frozenset(initializers),
    )


def record_of(*layers: EngineLayer) -> EngineRecord:
    return EngineRecord(layers=layers)


def layer(
    index: int,
    sources: Sequence[str],
    reads: Sequence[str],
    writes: Sequence[str],
    *,
    name: str = "",
    kind: str = "kgen",
    kernel: str = "",
    precision: Precision = Precision.FP32,
    dtype: str = "float",
) -> EngineLayer:
    return EngineLayer(
        index=index,
        name=name or f"layer{index}",
        kind=kind,
        kernel=kernel,
        precision=precision,
        source_names=tuple(sources),
        inputs=tuple(EngineTensor(name=tensor, dtype=dtype, shape=(1, 8, 4, 4)) for tensor in reads),
        outputs=tuple(EngineTensor(name=tensor, dtype=dtype, shape=(1, 8, 4, 4)) for tensor in writes),
    )
