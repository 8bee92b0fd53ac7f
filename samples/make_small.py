"""Derive the three awkward samples from the trained ones: `python -m samples.make_small`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from samples.training.graph import write

FOLDER = Path(__file__).resolve().parent


def unsupported_op(cnn: onnx.ModelProto) -> onnx.ModelProto:
    """The convolutional network with an operator of a foreign domain between its second and third stage."""
    where = next(index for index, node in enumerate(cnn.graph.node) if node.name.startswith("/stage3/"))
    source = cnn.graph.node[where].input[0]
    gated = "/stage2/gate/ChannelGate_output_0"
    for node in list(cnn.graph.node)[where:]:
        node.input[:] = [gated if name == source else name for name in node.input]
    gate = helper.make_node(
        "ChannelGate", [source], [gated], name="/stage2/gate/ChannelGate", domain="com.example", ratio=0.25
    )
    cnn.graph.node.insert(where, gate)
    # No library can infer the shape behind an operator it does not know.
    cnn.graph.value_info.append(helper.make_tensor_value_info(gated, TensorProto.FLOAT, ["batch", 32, 8, 8]))
    cnn.opset_import.append(helper.make_opsetid("com.example", 1))
    cnn.graph.name = "unsupported_op"
    return cnn


def data_dependent_if(cnn: onnx.ModelProto) -> onnx.ModelProto:
    """The convolutional network behind a choice: bright batches are smoothed, dark ones are amplified."""
    ready = "/enhance/If_output_0"
    for node in cnn.graph.node:
        node.input[:] = [ready if name == "image" else name for name in node.input]
    threshold, gain = "enhance.threshold", "enhance.gain"
    cnn.graph.initializer.append(numpy_helper.from_array(np.array(0.245, np.float32), threshold))
    cnn.graph.initializer.append(numpy_helper.from_array(np.array(1.25, np.float32), gain))
    smooth = helper.make_node(
        "AveragePool", ["image"], ["smoothed"], name="/enhance/smooth/AveragePool", kernel_shape=[3, 3], pads=[1] * 4
    )
    amplify = helper.make_node("Mul", ["image", gain], ["amplified"], name="/enhance/amplify/Mul")
    mean, bright = "/enhance/ReduceMean_output_0", "/enhance/Greater_output_0"
    # Half of the test images are brighter than 0.245 on average.
    chosen = [
        helper.make_node("ReduceMean", ["image"], [mean], name="/enhance/ReduceMean", keepdims=0),
        helper.make_node("Greater", [mean, threshold], [bright], name="/enhance/Greater"),
        helper.make_node(
            "If",
            [bright],
            [ready],
            name="/enhance/If",
            then_branch=_branch(smooth, "smooth"),
            else_branch=_branch(amplify, "amplify"),
        ),
    ]
    for node in reversed(chosen):
        cnn.graph.node.insert(0, node)
    cnn.graph.name = "data_dependent_if"
    return cnn


def write_with_external_data(model: onnx.ModelProto, path: Path) -> None:
    """Write `model` to `path` and its weights to a `.data` file beside it."""
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    location = f"{path.name}.data"
    # ONNX appends to a data file that is already there.
    (path.parent / location).unlink(missing_ok=True)
    onnx.save(model, path, save_as_external_data=True, location=location, size_threshold=256)


def _branch(node: onnx.NodeProto, name: str) -> onnx.GraphProto:
    output = helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, ["batch", 1, 16, 16])
    return helper.make_graph([node], name, [], [output])


def main() -> None:
    """Write the three samples."""
    trained = FOLDER / "digits_cnn" / "model.onnx"
    write(unsupported_op(onnx.load(trained)), FOLDER / "unsupported_op" / "model.onnx")
    write(data_dependent_if(onnx.load(trained)), FOLDER / "data_dependent_if" / "model.onnx")
    transformer = onnx.load(FOLDER / "digits_transformer" / "model.onnx")
    write_with_external_data(transformer, FOLDER / "external_data" / "model.onnx")


if __name__ == "__main__":
    main()
