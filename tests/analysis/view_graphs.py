"""Graphs as plain values, for the views: no model file is needed to draw one."""

from __future__ import annotations

from collections.abc import Sequence

from trt_core.domain.graph import Graph, Node
from trt_core.domain.tensors import TensorSpec


class Sketch:
    """Collects nodes; each `add` returns the name of the tensor it makes."""

    def __init__(self):
        self.nodes = []
        self.tensors = {}

    def add(self, op, *inputs, name="", shape=(1, 64, 56, 56), macs=None):
        index = len(self.nodes)
        out = f"t{index}"
        self.nodes.append(
            Node(index=index, name=name or f"node_of_{out}", op_type=op, inputs=inputs, outputs=(out,), macs=macs)
        )
        self.tensors[out] = TensorSpec(name=out, dtype="float32", shape=shape)
        return out

    def graph(self, outputs: Sequence[str], initializers: Sequence[str] = ("w",)) -> Graph:
        source = TensorSpec(name="x", dtype="float32", shape=("batch", 64, 56, 56))
        return Graph(
            nodes=tuple(self.nodes),
            inputs=(source,),
            outputs=tuple(self.tensors[name] for name in outputs),
            tensors={"x": source} | self.tensors,
            initializers=frozenset(initializers),
        )


def residual_chain(blocks: int) -> Graph:
    """Unnamed bottlenecks in a row, ten nodes each: Conv BN Relu, Conv BN Relu, Conv BN, Add, Relu."""
    sketch, last = Sketch(), "x"
    for _ in range(blocks):
        skip = last
        for step in range(3):
            last = sketch.add("BatchNormalization", sketch.add("Conv", last, "w", macs=10 + step), "w")
            last = sketch.add("Relu", last) if step < 2 else last
        last = sketch.add("Relu", sketch.add("Add", last, skip))
    return sketch.graph([last])


def scoped_encoder(layers: int = 3) -> Graph:
    """`/encoder/layer0/attention/…`: scopes three deep, one activation module shared by every layer."""
    sketch, last = Sketch(), "x"
    for layer in range(layers):
        at = f"/encoder/layer{layer}"
        query = sketch.add("MatMul", last, "w", name=f"{at}/attention/query/MatMul", macs=100)
        key = sketch.add("MatMul", last, "w", name=f"{at}/attention/key/MatMul", macs=100)
        scores = sketch.add("Softmax", sketch.add("MatMul", query, key, name=f"{at}/attention/MatMul", macs=50))
        mixed = sketch.add("Add", scores, last, name=f"{at}/Add")
        wide = sketch.add("Gemm", mixed, "w", name=f"{at}/ffn/up/Gemm", macs=400)
        bent = sketch.add("Gelu", wide, name=f"/encoder/shared/Gelu_{layer}")
        last = sketch.add("Gemm", bent, "w", name=f"{at}/ffn/down/Gemm", macs=400)
    return sketch.graph([last])


def wide_layer(branches: int = 300) -> Graph:
    """Branches side by side, joined at the end: an opened part of them is wider than any window."""
    sketch = Sketch()
    parts = [sketch.add("Conv", "x", "w", name=f"/wide/branch{number}") for number in range(branches)]
    return sketch.graph([sketch.add("Concat", *parts, name="/wide/joined")])


def hostile() -> Graph:
    """Names that would do harm if they were ever read as HTML or Markdown, or turned the line around."""
    sketch, last = Sketch(), "x"
    for name in (
        "/<img src=x onerror=alert(1)>/![](http://example.invalid/x.png)",
        "/" + "n" * 5000 + "/end",
        "/\u202eright-to-left\u202c/\u0645\u0631\u062d\u0628\u0627",
        "/$\\frac{1}{0}$/**bold**\x00\x07",
    ):
        last = sketch.add("Relu", sketch.add("Conv", last, "w", name=f"{name}/Conv"), name=f"{name}/Relu")
    return sketch.graph([last])
