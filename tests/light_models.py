"""The nine real topologies that ship with the onnx package, with weights drawn from a seeded generator.

The package stores them as opset 9 graphs whose weights are constants made by ConstantOfShape. Here each is brought to
opset 17 and every parameter is drawn at a scale that keeps activations of standard normal input near one.
`python -m tests.light_models FOLDER [NAME ...]` writes them to a folder.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper, version_converter

LIGHT_MODELS = (
    "bvlc_alexnet",
    "densenet121",
    "inception_v1",
    "inception_v2",
    "resnet50",
    "shufflenet",
    "squeezenet",
    "vgg19",
    "zfnet512",
)
OPSET = 17
Use = tuple[onnx.NodeProto, int]
Draw = Callable[[np.random.Generator, tuple[int, ...]], NDArray[Any]]


def light_model(name: str, seed: int = 0) -> onnx.ModelProto:
    """The light model `name` (one of `LIGHT_MODELS`) at opset 17, IR 8, with seeded weights; input float32 [1,3,224,224]."""
    if name not in LIGHT_MODELS:
        raise ValueError(f"{name!r} is no light model; there are {', '.join(LIGHT_MODELS)}")
    model = onnx.load(Path(onnx.__file__).parent / "backend" / "test" / "data" / "light" / f"light_{name}.onnx")
    model = _without_initializer_inputs(model)
    # Converting before the weights are drawn keeps the converter's copies of the model small.
    model = version_converter.convert_version(model, OPSET)
    model.ir_version = 8
    # Shapes recorded before the conversion may contradict what opset 17 infers.
    del model.graph.value_info[:]
    _draw_weights(model.graph, np.random.default_rng(seed))
    return model


def light_input(model: onnx.ModelProto, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """One standard normal sample for `model`, by input name."""
    (only,) = model.graph.input
    shape = [dim.dim_value for dim in only.type.tensor_type.shape.dim]
    return {only.name: np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)}


def _without_initializer_inputs(model: onnx.ModelProto) -> onnx.ModelProto:
    # IR version 3 lists every initializer as an input, which the converter and ONNX Runtime both stumble over.
    names = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in names]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.ir_version = 8
    return model


def _draw_weights(graph: onnx.GraphProto, rng: np.random.Generator) -> None:
    uses: dict[str, list[Use]] = defaultdict(list)
    for node in graph.node:
        for position, source in enumerate(node.input):
            uses[source].append((node, position))
    parameters = {t.name: tuple(t.dims) for t in graph.initializer if t.data_type == TensorProto.FLOAT}
    whole = {t.name: numpy_helper.to_array(t) for t in graph.initializer if t.data_type == TensorProto.INT64}
    filled = [node for node in graph.node if node.op_type == "ConstantOfShape"]
    parameters |= {node.output[0]: tuple(whole[node.input[0]].tolist()) for node in filled}
    computed = [node for node in graph.node if node.op_type != "ConstantOfShape"]
    read = {source for node in computed for source in node.input}
    kept = [t for t in graph.initializer if t.name in read and t.name not in parameters]
    normalized = {node.output[0] for node in computed if node.op_type == "BatchNormalization"}
    del graph.node[:], graph.initializer[:]
    graph.node.extend(computed)
    graph.initializer.extend(kept)
    for name, shape in sorted(parameters.items()):
        if name in read:
            # Filling the tensor in place spares two copies, half a gigabyte each for VGG-19.
            values = _draw(name, uses, normalized)(rng, shape).astype(np.float32, copy=False)
            graph.initializer.add(name=name, dims=shape, data_type=TensorProto.FLOAT, raw_data=values.tobytes())


def _draw(name: str, uses: dict[str, list[Use]], normalized: set[str]) -> Draw:
    node, position = uses[name][0]
    while node.op_type == "Unsqueeze":
        node, position = uses[node.output[0]][0]
    match node.op_type, position:
        case ("Conv", 1):
            # He's factor of two makes up for a ReLU before the convolution; depthwise separable blocks have none there.
            gain = 1.0 if node.input[0] in normalized else 2.0
            return lambda rng, shape: _he(rng, shape, gain)
        case ("Gemm", 1):
            return _he
        case ("BatchNormalization", 4):
            return lambda rng, shape: rng.uniform(0.7, 1.4, shape)
        case ("BatchNormalization", 1):
            # A branch that joins a residual sum is damped, else the sum doubles its variance block by block.
            joins = any(user.op_type == "Sum" for user, _ in uses[node.output[0]])
            return lambda rng, shape: rng.uniform(0.8, 1.2, shape) * (0.4 if joins else 1.0)
        case ("Mul", _):
            return lambda rng, shape: rng.uniform(0.8, 1.2, shape)
        case _:
            return lambda rng, shape: rng.normal(0.0, 0.05, shape)


def _he(rng: np.random.Generator, shape: tuple[int, ...], gain: float = 2.0) -> NDArray[np.float32]:
    # Output channels come first in Conv and in all of these models' Gemm nodes (transB = 1).
    weights = rng.standard_normal(shape, dtype=np.float32)
    weights *= np.float32(np.sqrt(gain / int(np.prod(shape[1:]))))
    return weights


def main() -> None:
    """Write the light models to a folder."""
    parser = argparse.ArgumentParser(
        description="Write the onnx package's light models, with seeded weights, to a folder."
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"which ones (default: all): {', '.join(LIGHT_MODELS)}"
    )
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    for name in chosen.names or LIGHT_MODELS:
        began = time.perf_counter()
        model = light_model(name)
        path = chosen.folder / f"{name}.onnx"
        onnx.save(model, path)
        sys.stdout.write(f"{path}: {path.stat().st_size / 1e6:.1f} MB in {time.perf_counter() - began:.1f} s\n")


if __name__ == "__main__":
    main()
