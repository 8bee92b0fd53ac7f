"""Inner tensors of a network that its engine is to hand out, as outputs or as debug tensors."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from trt_core.backends.names import lookup
from trt_core.backends.tensorrt.bindings import numpy_name
from trt_core.domain.engine_divergence import Marking
from trt_core.errors import NotFound, UnsupportedRequest

_NO_SUCH = "the network has no such tensor"
_LISTENING = (
    "INetworkDefinition.mark_debug",
    "IDebugListener",
    "IExecutionContext.set_debug_listener",
    "IExecutionContext.set_all_tensors_debug_state",
)

Refused = tuple[tuple[str, str], ...]


def markings(trt: Any) -> tuple[Marking, ...]:
    """Ways that a loaded library has, the least intrusive first."""
    try:
        for path in _LISTENING:
            lookup(trt, path)
    except UnsupportedRequest:
        return (Marking.OUTPUTS,)
    return (Marking.DEBUG, Marking.OUTPUTS)


def mark_tensors(
    network: Any, names: Sequence[str], marking: Marking, *, halves: Collection[str] = (), half: Any = None
) -> tuple[tuple[str, ...], Refused]:
    """Mark what can be marked: (names that the engine will hand out, the others with the reason of each).

    Shapes and integers are refused. What is an output of the network already needs no mark. This changes what the
    compiler may fuse: compare the engine with one without marks. Outputs named in `halves` get the dtype `half`: a
    weakly typed network hands everything out in FP32, and the compiler may then compute in FP32 what leads there.
    """
    outputs = {network.get_output(at).name for at in range(network.num_outputs)}
    tensors = _tensors(network, set(names))
    marked, refused = [], []
    for name in dict.fromkeys(names):
        reason = "" if name in outputs else _mark(network, tensors.get(name), marking)
        if reason:
            refused.append((name, reason))
        else:
            marked.append(name)
            if name in halves and name not in outputs:
                tensors[name].dtype = half
    return tuple(marked), tuple(refused)


def mark_outputs(network: Any, names: Sequence[str]) -> None:
    """Make inner tensors outputs as well; NotFound or UnsupportedRequest for one that cannot be."""
    _, refused = mark_tensors(network, names, Marking.OUTPUTS)
    for name, reason in refused:
        kind = NotFound if reason == _NO_SUCH else UnsupportedRequest
        raise kind(f"{name!r} cannot be an output: {reason}.", remedy="Name a tensor with data of the file's graph.")


def _tensors(network: Any, wanted: set[str]) -> dict[str, Any]:
    found = {}
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        for at in range(layer.num_outputs):
            tensor = layer.get_output(at)
            if tensor.name in wanted:
                found[tensor.name] = tensor
    return found


def _mark(network: Any, tensor: Any, marking: Marking) -> str:
    """Why the tensor was not marked; empty where it was."""
    if tensor is None:
        return _NO_SUCH
    if tensor.is_shape_tensor:
        return "it is a shape"
    if "float" not in numpy_name(tensor.dtype):
        return f"it holds {numpy_name(tensor.dtype)}"
    if marking is Marking.OUTPUTS:
        network.mark_output(tensor)
        return ""
    return "" if network.mark_debug(tensor) else "the library refused the mark"
