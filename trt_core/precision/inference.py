"""Element types and shapes of a draft's tensors, without moving its weights."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trt_core.precision.draft import Draft

if TYPE_CHECKING:
    import onnx

# Shape inference reads the values of small constants only (targets of Reshape, axes, sizes).
SMALL_ELEMENTS = 1024


@dataclass(frozen=True, kw_only=True)
class TensorTypes:
    """What is known of tensors, by name: ONNX element types, and shapes where every dimension's kind is known."""

    elem_types: dict[str, int]
    shapes: dict[str, tuple[int | None, ...]]

    def is_float32(self, name: str) -> bool:
        """True when the tensor is known to be FLOAT."""
        return self.elem_types.get(name) == 1


def infer_types(draft: Draft) -> TensorTypes:
    """Run ONNX shape inference over the draft with large weights left out.

    What inference cannot reach (ops of unknown domains) is simply absent from the result.
    """
    import onnx

    skeleton = make_skeleton(draft)
    # A file with a wrong shape somewhere still has its own statements about types.
    with contextlib.suppress(onnx.shape_inference.InferenceError, RuntimeError, ValueError):
        skeleton = onnx.shape_inference.infer_shapes(skeleton, data_prop=True)
    graph = skeleton.graph
    elem_types = {name: weight.elem_type for name, weight in draft.weights.items()}
    shapes: dict[str, tuple[int | None, ...]] = {name: weight.dims for name, weight in draft.weights.items()}
    for value in (*graph.value_info, *graph.input, *graph.output):
        if not value.type.HasField("tensor_type"):
            continue
        tensor = value.type.tensor_type
        elem_types.setdefault(value.name, tensor.elem_type)
        if tensor.HasField("shape"):
            dims = tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim)
            shapes.setdefault(value.name, dims)
    return TensorTypes(elem_types=elem_types, shapes=shapes)


def make_skeleton(draft: Draft) -> onnx.ModelProto:
    """The draft as a model in which large weights are graph inputs of the same type and shape."""
    import onnx

    model = draft.emit_without_weights()
    for name, weight in draft.weights.items():
        if weight.size > SMALL_ELEMENTS:
            value = onnx.helper.make_tensor_value_info(name, weight.elem_type, list(weight.dims))
            model.graph.input.append(value)
        else:
            weight.write(model.graph.initializer.add(), name)
    return model
