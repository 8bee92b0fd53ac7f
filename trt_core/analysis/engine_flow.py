"""Who hands data to whom inside an engine, read from the tensors at the layers' borders."""

from __future__ import annotations

import re
from collections import defaultdict, deque
from functools import cached_property

from trt_core.domain.engine import EngineLayer, EngineRecord

_GENERATED = re.compile(r"^__myl_(?P<ops>[A-Za-z]+)_myl\d+_\d+$")
_TOKEN = re.compile(r"[A-Z][a-z0-9]*")
_SUFFIX = re.compile(r"^(\.\d+)?(_\d+)*_myl\d+$")


def kernel_ops(layer: EngineLayer) -> tuple[str, ...]:
    """The op abbreviations in a generated kernel's name: `__myl_FcMulAddRelu_myl0_34` gives Fc, Mul, Add, Relu."""
    found = _GENERATED.match(layer.name)
    return tuple(_TOKEN.findall(found["ops"])) if found else ()


def carries(engine_tensor: str, tensor: str) -> bool:
    """True when an engine's tensor is an ONNX tensor by name: `r77`, `r77.1_myl0` and `r77.1_3_myl0` carry `r77`."""
    if not tensor or not engine_tensor.startswith(tensor):
        return False
    rest = engine_tensor[len(tensor) :]
    return not rest or _SUFFIX.match(rest) is not None


class EngineFlow:
    """The data flow between the layers of one engine."""

    def __init__(self, record: EngineRecord) -> None:
        self.layers = {layer.index: layer for layer in record.layers}
        self._readers: dict[str, list[int]] = defaultdict(list)
        self._writers: dict[str, list[int]] = defaultdict(list)
        for layer in record.working_layers:
            for tensor in layer.inputs:
                self._readers[tensor.name].append(layer.index)
            for tensor in layer.outputs:
                self._writers[tensor.name].append(layer.index)
        self._reached: dict[int, dict[int, tuple[int, ...]]] = {}

    @cached_property
    def successors(self) -> dict[int, tuple[int, ...]]:
        """Layers that read what a layer writes, by layer index."""
        return {
            index: tuple(
                dict.fromkeys(reader for tensor in layer.outputs for reader in self._readers.get(tensor.name, ()))
            )
            for index, layer in self.layers.items()
        }

    def writers_of(self, tensor: str) -> tuple[int, ...]:
        """Layers that write an engine tensor which carries that ONNX tensor."""
        return tuple(
            sorted({index for name, found in self._writers.items() if carries(name, tensor) for index in found})
        )

    def readers_of(self, tensor: str) -> tuple[int, ...]:
        """Layers that read an engine tensor which carries that ONNX tensor."""
        return tuple(
            sorted({index for name, found in self._readers.items() if carries(name, tensor) for index in found})
        )

    def hands_to(self, writer: int, reader: int) -> tuple[int, ...] | None:
        """Layers without source names on the way from one layer to another; None when data do not flow so directly.

        Empty: the reader reads what the writer writes, or both are the same layer.
        """
        if writer == reader:
            return ()
        if writer not in self._reached:
            self._reached[writer] = self._nearest(writer)
        return self._reached[writer].get(reader)

    def _nearest(self, writer: int) -> dict[int, tuple[int, ...]]:
        reached: dict[int, tuple[int, ...]] = {}
        waiting: deque[tuple[int, tuple[int, ...]]] = deque([(writer, ())])
        seen = {writer}
        while waiting:
            index, way = waiting.popleft()
            for after in self.successors.get(index, ()):
                if after in seen:
                    continue
                seen.add(after)
                reached[after] = way
                if not self.layers[after].source_names:
                    waiting.append((after, (*way, after)))
        return reached
