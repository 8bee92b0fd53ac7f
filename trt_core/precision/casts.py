"""Give tensors the element types of their nodes, with a Cast wherever two neighbours differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from trt_core.precision.attributes import attribute, set_attribute
from trt_core.precision.draft import Draft, DraftNode
from trt_core.precision.formats import ELEM_NAMES, FLOAT, to_elem_type
from trt_core.precision.inference import TensorTypes
from trt_core.precision.names import safe_name
from trt_core.precision.slots import low_slots
from trt_core.precision.weights import Weight, made

if TYPE_CHECKING:
    import onnx


def apply_float_types(draft: Draft, types: TensorTypes, converted: Mapping[tuple[str, int], Weight]) -> None:
    """Rewrite the draft for the element types that its nodes carry.

    Graph inputs and outputs, and what bodies of If, Loop and Scan read, stay as they are: a Cast stands at the border.
    Every other tensor keeps its name and takes its producer's type; initializers are converted themselves.
    """
    _Rewriter(draft, types, converted).run()


class _Rewriter:
    def __init__(self, draft: Draft, types: TensorTypes, converted: Mapping[tuple[str, int], Weight]) -> None:
        self.draft, self.types, self.converted = draft, types, converted
        self.pinned = draft.pinned_names()
        self.actual: dict[str, int] = {}
        self.versions: dict[tuple[str, int], str] = {}  # the name of a tensor in another element type
        self.casts: dict[str, DraftNode] = {}
        self.nodes: list[DraftNode] = []

    def run(self) -> None:
        self._name_weights()
        for node in self.draft.nodes:
            for position, name, elem_type in self._float_slots(node, node.proto.input, 0):
                node.proto.input[position] = self._as(name, elem_type, node)
            self.nodes.append(node)
            self._set_own_types(node)
            for position, name, elem_type in self._float_slots(node, node.proto.output, 1):
                self._produce(node, position, name, elem_type)
        self.draft.nodes = self.nodes
        for name, elem_type in self.actual.items():
            if elem_type != FLOAT and name in self.draft.value_info:
                info = type(self.draft.value_info[name])()
                info.CopyFrom(self.draft.value_info[name])
                info.type.tensor_type.elem_type = elem_type
                self.draft.value_info[name] = info

    def _float_slots(self, node: DraftNode, names: onnx.NodeProto, side: int) -> list[tuple[int, str, int]]:
        low = low_slots(node.proto, self.draft.opset, node.elem_type)[side] if node.is_standard else ()
        return [
            (position, name, node.elem_type if position < len(low) and low[position] else FLOAT)
            for position, name in enumerate(names)
            if name and self.types.is_float32(name)
        ]

    def _name_weights(self) -> None:
        """A weight that is wanted in one type only keeps its name; otherwise each further type gets one."""
        wanted: dict[str, set[int]] = {name: {FLOAT} for name in self.pinned if name in self.draft.weights}
        for node in self.draft.nodes:
            for _, name, elem_type in self._float_slots(node, node.proto.input, 0):
                if name in self.draft.weights:
                    wanted.setdefault(name, set()).add(elem_type)
        for name, elem_types in wanted.items():
            source = self.draft.weights[name]
            for elem_type in sorted(elem_types - {FLOAT}):
                values = self.converted.get((name, elem_type)) or made(
                    to_elem_type(source.load(), elem_type), elem_type
                )
                alone = len(elem_types) == 1
                version = name if alone else self.draft.fresh(f"{name}_{ELEM_NAMES[elem_type]}")
                self.draft.weights[version] = values
                self.versions[name, elem_type] = version

    def _as(self, name: str, elem_type: int, reader: DraftNode) -> str:
        """The tensor's name in that element type; makes the Cast at its first use."""
        if name in self.draft.weights:
            return self.versions.get((name, elem_type), name)
        if self.actual.get(name, FLOAT) == elem_type:
            return name
        version = self.versions.get((name, elem_type))
        if version is None:
            version = self.draft.fresh(f"{name}_{ELEM_NAMES[elem_type]}")
            self.versions[name, elem_type] = version
            self._cast(name, version, elem_type, reader)
        elif version in self.casts:
            cast = self.casts[version]
            cast.sources = tuple(dict.fromkeys(cast.sources + reader.sources))
        return version

    def _produce(self, node: DraftNode, position: int, name: str, elem_type: int) -> None:
        if elem_type == FLOAT or name not in self.pinned:
            self.actual[name] = elem_type
            return
        version = self.draft.fresh(f"{name}_{ELEM_NAMES[elem_type]}")
        node.proto.output[position] = version
        self.versions[name, elem_type] = version
        self.actual[name] = FLOAT
        self._cast(version, name, FLOAT, node)

    def _cast(self, source: str, target: str, elem_type: int, served: DraftNode) -> None:
        from onnx import helper

        name = self.draft.fresh(safe_name(f"{target}_Cast"))
        proto = helper.make_node("Cast", [source], [target], name=name, to=elem_type)
        cast = DraftNode(proto=proto, sources=served.sources, inserted=True, elem_type=elem_type)
        self.casts[target] = cast
        self.nodes.append(cast)

    def _set_own_types(self, node: DraftNode) -> None:
        """Some operators state the element type of their output in an attribute."""
        import onnx
        from onnx import numpy_helper

        proto = node.proto
        if node.elem_type == FLOAT or not node.is_standard:
            return
        if proto.op_type == "Cast" and self.types.is_float32(proto.output[0]):
            set_attribute(proto, "to", node.elem_type)
        elif proto.op_type in ("Constant", "ConstantOfShape") and self.types.is_float32(proto.output[0]):
            value = attribute(proto, "value", None)
            values = np.zeros(1, np.float32) if value is None else numpy_helper.to_array(value)
            tensor = onnx.TensorProto()
            made(to_elem_type(values, node.elem_type), node.elem_type).write(tensor, "value")
            set_attribute(proto, "value", tensor)
