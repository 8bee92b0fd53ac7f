"""Tiny ONNX graphs built in code. Each builder says what is special about its graph; weights are seeded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17


def tensor(name: str, shape: Sequence[int], *, seed: int = 0) -> onnx.TensorProto:
    """A float32 initializer of standard normal values."""
    return numpy_helper.from_array(np.random.default_rng(seed).standard_normal(shape, dtype=np.float32), name)


def value(name: str, shape: Sequence[int | str | None] | None, dtype: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    """A typed graph input or output."""
    return helper.make_tensor_value_info(name, dtype, shape)


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    initializers: Sequence[onnx.TensorProto] = (),
    *,
    opset: int = OPSET,
    domains: Sequence[str] = (),
    functions: Sequence[onnx.FunctionProto] = (),
) -> onnx.ModelProto:
    """A model of IR version 8 with one default opset and version 1 of further domains."""
    graph = helper.make_graph(list(nodes), "graph", list(inputs), list(outputs), list(initializers))
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8, functions=list(functions))


def mlp() -> onnx.ModelProto:
    """x (batch, 8) -> Gemm -> Relu -> Gemm -> y (batch, 4); the Relu has no name."""
    return model(
        [
            helper.make_node("Gemm", ["x", "w1", "b1"], ["h"], name="first"),
            helper.make_node("Relu", ["h"], ["a"]),
            helper.make_node("Gemm", ["a", "w2"], ["y"], name="second", transB=1),
        ],
        [value("x", ["batch", 8])],
        [value("y", ["batch", 4])],
        [tensor("w1", (8, 16)), tensor("b1", (16,), seed=1), tensor("w2", (4, 16), seed=2)],
    )


def conv_block() -> onnx.ModelProto:
    """image (batch, 3, 8, 8) -> Conv 3x3 -> BatchNormalization -> Relu -> y (batch, 4, 8, 8)."""
    statistics = [
        numpy_helper.from_array(np.full(4, fill, np.float32), name)
        for name, fill in (("scale", 1.5), ("shift", 0.5), ("mean", 0.1), ("variance", 2.0))
    ]
    return model(
        [
            helper.make_node("Conv", ["image", "w"], ["c"], name="conv", pads=[1, 1, 1, 1]),
            helper.make_node("BatchNormalization", ["c", "scale", "shift", "mean", "variance"], ["n"], name="norm"),
            helper.make_node("Relu", ["n"], ["y"], name="act"),
        ],
        [value("image", ["batch", 3, 8, 8])],
        [value("y", ["batch", 4, 8, 8])],
        [tensor("w", (4, 3, 3, 3)), *statistics],
    )


def branching() -> onnx.ModelProto:
    """An If whose branches read `h` and the initializer `w` from outside: y = h @ w, or y = h + h."""
    then = helper.make_graph([helper.make_node("MatMul", ["h", "w"], ["t"])], "then", [], [value("t", None)])
    other = helper.make_graph([helper.make_node("Add", ["h", "h"], ["e"])], "else", [], [value("e", None)])
    return model(
        [
            helper.make_node("Relu", ["x"], ["h"], name="before"),
            helper.make_node("If", ["condition"], ["y"], name="choice", then_branch=then, else_branch=other),
            helper.make_node("Neg", ["y"], ["z"], name="after"),
        ],
        [value("x", [2, 4]), value("condition", [], TensorProto.BOOL)],
        [value("z", [2, 4])],
        [tensor("w", (4, 4))],
    )


def calling_function() -> onnx.ModelProto:
    """y = local.Twice(local.Twice(x)), where Twice is a function of the model."""
    twice = helper.make_function(
        "local", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], [helper.make_opsetid("", OPSET)]
    )
    nodes = [
        helper.make_node("Twice", ["x"], ["h"], name="one", domain="local"),
        helper.make_node("Twice", ["h"], ["y"], name="two", domain="local"),
    ]
    return model(nodes, [value("x", [2])], [value("y", [2])], domains=["local"], functions=[twice])


def fixed_batch_reshape() -> onnx.ModelProto:
    """x (batch, 4) -> Reshape to (2, 2, 2): dynamic in name, but only batch 2 can work."""
    shape = numpy_helper.from_array(np.array([2, 2, 2]), "shape")
    return model(
        [helper.make_node("Reshape", ["x", "shape"], ["y"], name="fixed")],
        [value("x", ["batch", 4])],
        [value("y", [2, 2, 2])],
        [shape],
    )


def chain(length: int) -> onnx.ModelProto:
    """`length` Add and Relu nodes in a row, on (batch, 4), with initializers of one element."""
    nodes, current = [], "x"
    for index in range(length):
        following = "y" if index == length - 1 else f"t{index}"
        if index % 2:
            nodes.append(helper.make_node("Relu", [current], [following], name=f"/block.{index // 10}/act{index}"))
        else:
            nodes.append(
                helper.make_node("Add", [current, "one"], [following], name=f"/block.{index // 10}/add{index}")
            )
        current = following
    one = numpy_helper.from_array(np.ones(1, np.float32), "one")
    return model(nodes, [value("x", ["batch", 4])], [value("y", ["batch", 4])], [one])


def saved(proto: onnx.ModelProto, path: Path) -> Path:
    """The model in one file."""
    path.write_bytes(proto.SerializeToString())
    return path


def saved_with_data(proto: onnx.ModelProto, path: Path, *, location: str = "weights.bin") -> Path:
    """The model with every initializer in one external file beside it."""
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    data = path.parent / location
    data.parent.mkdir(parents=True, exist_ok=True)
    with data.open("wb") as file:
        for item in copy.graph.initializer:
            content = item.raw_data
            entries = {"location": location, "offset": str(file.tell()), "length": str(len(content))}
            file.write(content)
            item.ClearField("raw_data")
            item.data_location = TensorProto.EXTERNAL
            for key, text in entries.items():
                entry = item.external_data.add()
                entry.key, entry.value = key, text
    return saved(copy, path)


def recurrent(
    op: str = "GRU",
    batch: int | str | None = "batch",
    *,
    steps: int | str = 10,
    hidden: int = 4,
    batch_first: bool = True,
) -> onnx.ModelProto:
    """x (batch, steps, 8) -> Transpose -> GRU or LSTM -> y; without `batch_first` x is (steps, batch, 8).

    At a batch of exactly 1, TensorRT-RTX 1.7.1 compiles the GRU with ten steps and a hidden size of 4 without end.
    """
    gates = {"GRU": 3, "LSTM": 4}[op]
    nodes = [helper.make_node("Transpose", ["x"], ["t"], name="to_time", perm=[1, 0, 2])] if batch_first else []
    nodes.append(helper.make_node(op, ["t" if batch_first else "x", "w", "r"], ["y"], name="cell", hidden_size=hidden))
    return model(
        nodes,
        [value("x", [batch, steps, 8] if batch_first else [steps, batch, 8])],
        [value("y", [steps, 1, batch, hidden])],
        [tensor("w", (1, gates * hidden, 8)), tensor("r", (1, gates * hidden, hidden), seed=1)],
    )
