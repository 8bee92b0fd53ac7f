"""A TensorRT for machines without a GPU: fake engines that fuse, hand inner tensors out, and go wrong on purpose."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trt_core.domain.capabilities import Capabilities
from trt_core.domain.engine import EngineLayer, EngineRecord, EngineTensor, Sm
from trt_core.domain.engine_divergence import Marking
from trt_core.domain.graph import Graph, Node
from trt_core.domain.jobs import Progress
from trt_core.domain.precision import Precision
from trt_core.domain.support import SupportReport
from trt_core.errors import BuildFailed, UnsupportedRequest
from trt_core.observing import MarkedOutput
from trt_core.protocols import CompileInput, CompileOutput, Feeds, Reporter, Session


@dataclass(frozen=True, kw_only=True)
class Plant:
    """A fault of fake engines: `tensor` comes out `factor` times too large.

    `cured_by` are tensors with whose marking the fault goes away, as a fault of a fusion does that the mark splits.
    """

    tensor: str
    factor: float = 2.0
    cured_by: frozenset[str] = frozenset()


class FakeTensorRT:
    """TensorRT as a Compiler whose engines run in ONNX Runtime: it fuses, and goes wrong where a fault was planted.

    A node that only scales, adds or activates is fused with what it reads, unless the tensor between them is marked.
    `opaque` makes one layer of everything between marks, as 8.6 does of a transformer. `nervous` splits every fusion
    once anything is marked. `unbuildable` are tensors with which no engine can be built.
    """

    name = "tensorrt"
    default_target: Sm | None = None

    def __init__(
        self,
        plants: Sequence[Plant] = (),
        *,
        opaque: bool = False,
        nervous: bool = False,
        unbuildable: Sequence[str] = (),
    ) -> None:
        self._plants = tuple(plants)
        self._opaque, self._nervous = opaque, nervous
        self._unbuildable = frozenset(unbuildable)
        self.built: list[tuple[str, ...]] = []  # marked tensors of every engine, in the order of the builds

    def version(self) -> str:
        """A version of its own."""
        return "0.0.1"

    def stamp(self, target: Sm | None) -> str:
        """Nobody's plan."""
        del target
        return "a fake engine"

    def check_target(self, target: Sm | None) -> None:
        """There is no architecture to choose."""
        if target is not None:
            raise UnsupportedRequest(f"The fake builds for no {target}.", remedy="Leave the target out.")

    def capabilities(self) -> Capabilities:
        """It builds FP32, FP16 and INT8, and runs."""
        precisions = (Precision.FP32, Precision.FP16, Precision.INT8)
        return Capabilities(
            backend=self.name, title="Fake TensorRT", version="0.0.1", can_build=True, can_run=True,
            precisions=precisions,
        )  # fmt: skip

    def support(self, onnx_path: Path, graph: Graph, *, target: Sm | None, reporter: Reporter) -> SupportReport:
        """It parses nothing."""
        del graph, target, reporter
        raise UnsupportedRequest(f"The fake has no parser for {onnx_path.name}.", remedy="Ask another backend.")

    def build(self, request: CompileInput, *, reporter: Reporter) -> CompileOutput:
        """A plain engine: the file with its faults, and a record."""
        return self.marked(request, (), reporter).output

    def marked(self, request: CompileInput, tensors: Sequence[str], reporter: Reporter) -> MarkedOutput:
        """The same with marked tensors; BuildFailed for one of `unbuildable`."""
        from trt_core.onnx_graph.load import load_model
        from trt_core.onnx_graph.read import read_graph

        reporter.check()
        model = load_model(request.onnx_path)
        graph = read_graph(model)
        wanted = tuple(dict.fromkeys(tensors))
        held = tuple(name for name in wanted if name in graph.producer_of)
        if hopeless := sorted(self._unbuildable & set(held)):
            raise BuildFailed(f"No implementation for {hopeless[0]!r} as an output.", remedy="Mark another tensor.")
        self.built.append(held)
        reporter.progress(Progress(phase="Timing tactics", fraction=0.5))
        record = EngineRecord(layers=tuple(self._layers(graph, held)))
        _go_wrong(model, [plant for plant in self._plants if not plant.cured_by & set(held)])
        output = CompileOutput(
            engine=memoryview(model.SerializeToString()),
            record=record,
            log="",
            parse_seconds=0.0,
            build_seconds=0.0,
            backend_version=self.version(),
        )
        refused = tuple((name, "the network has no such tensor") for name in wanted if name not in held)
        return MarkedOutput(output=output, tensors=held, refused=refused)

    def _layers(self, graph: Graph, marked: Sequence[str]) -> Iterator[EngineLayer]:
        groups = _foreign(graph, marked) if self._opaque else _fused(graph, marked, self._nervous and bool(marked))
        for group in groups:
            inside = {node.index for node in group}
            names = tuple(node.name for node in group)
            foreign = f"{{ForeignNode[{names[0]}...{names[-1]}]}}"
            yield EngineLayer(
                index=group[0].index,
                name=foreign if self._opaque else " + ".join(names),
                kind="Myelin" if self._opaque else "CaskConvolution",
                precision=_precision(graph, group),
                source_names=() if self._opaque else names,
                outputs=tuple(
                    EngineTensor(
                        name=name, dtype=_DTYPES.get(graph.tensors[name].dtype, "") if name in graph.tensors else ""
                    )
                    for name in _leaving(graph, group, inside, marked)
                ),
            )
        for name in marked:
            yield EngineLayer(index=len(graph.nodes), name=f"{_COPY}{name}")


class FakeObserver:
    """An EngineObserver over fake engines.

    `slowdown` is the share that the copy of each marked tensor adds to the time, `drag` what the other layers of a
    marked engine take longer.
    """

    name = "tensorrt"

    def __init__(
        self,
        engines: FakeTensorRT,
        *,
        slowdown: float = 0.0,
        drag: float = 0.0,
        debug: bool = False,
        absent: str = "",
    ) -> None:
        self._engines, self._drag = engines, drag
        self._slowdown, self._debug, self._absent = slowdown, debug, absent
        self.halves: list[frozenset[str]] = []  # marked tensors that were asked for in FP16, for every engine

    def why_not(self) -> str:
        """What it was told to say."""
        return self._absent

    def markings(self) -> tuple[Marking, ...]:
        """Debug tensors first where it was made with them."""
        return (Marking.DEBUG, Marking.OUTPUTS) if self._debug else (Marking.OUTPUTS,)

    def build(
        self,
        request: CompileInput,
        tensors: Sequence[str],
        marking: Marking,
        *,
        halves: Collection[str] = (),
        reporter: Reporter,
    ) -> MarkedOutput:
        """A marked engine; both ways of marking are one here, and types are the file's."""
        self._able(marking)
        self.halves.append(frozenset(halves) & set(tensors))
        return self._engines.marked(request, tensors, reporter)

    def load(
        self, engine: Path, *, tensors: Sequence[str] = (), marking: Marking = Marking.OUTPUTS
    ) -> FakeEngineSession:
        """A session over an engine of the fake."""
        from trt_core.backends.onnxruntime.runner import OrtRunner

        self._able(marking)
        session = OrtRunner().load(engine, extra_outputs=tensors, optimize=False, threads=1)
        layers = {"everything else": 1.0 + (self._drag if tensors else 0.0)}
        layers |= {f"{_COPY}{name}": self._slowdown for name in tensors}
        return FakeEngineSession(session, layers)

    def _able(self, marking: Marking) -> None:
        if marking not in self.markings():
            raise UnsupportedRequest(f"The fake has no {marking.value}.", remedy="Mark outputs.")


class FakeEngineSession:
    """A session of a fake engine; its times are seeded around the sum of its layers'."""

    def __init__(self, session: Session, layers_ms: Mapping[str, float]) -> None:
        self.inputs, self.outputs = session.inputs, session.outputs
        self.device, self.version = "no device", "0.0.1"
        self.run = session.run
        self._layers_ms = dict(layers_ms)

    def times_ms(self, feeds: Feeds, runs: int) -> tuple[float, ...]:
        """Times that nothing was measured for."""
        del feeds
        noise = np.random.default_rng(runs).normal(1.0, 0.002, runs)
        return tuple(float(value) for value in noise * sum(self._layers_ms.values()))

    def layer_times_ms(self, feeds: Feeds) -> Mapping[str, float]:
        """What the times are made of."""
        del feeds
        return self._layers_ms

    def close(self) -> None:
        """Nothing is held."""


_COPY = "Reformatting CopyNode for Output Tensor 0 to "
_DTYPES = {"float16": "half", "float32": "float"}
_FUSED_INTO = frozenset({"Add", "Mul", "Relu", "Clip", "Sigmoid", "Tanh", "BatchNormalization"})


def _fused(graph: Graph, marked: Sequence[str], split: bool) -> list[list[Node]]:
    groups: list[list[Node]] = []
    of: dict[int, list[Node]] = {}
    for node in graph.nodes:
        before = [name for name in node.inputs if name in graph.producer_of and name not in marked]
        alone = [name for name in before if len(graph.consumers_of[name]) == 1]
        if node.op_type in _FUSED_INTO and alone and not split:
            of[node.index] = of[graph.producer_of[alone[-1]]]
        else:
            of[node.index] = []
            groups.append(of[node.index])
        of[node.index].append(node)
    return groups


def _foreign(graph: Graph, marked: Sequence[str]) -> list[list[Node]]:
    from trt_core.analysis.cuts import ancestors

    before = {name: ancestors(graph, name) for name in marked}
    groups: dict[tuple[str, ...], list[Node]] = {}
    for node in graph.nodes:
        groups.setdefault(tuple(name for name in marked if node.index in before[name]), []).append(node)
    return list(groups.values())


def _leaving(graph: Graph, group: Sequence[Node], inside: set[int], marked: Sequence[str]) -> Iterator[str]:
    ends = {spec.name for spec in graph.outputs} | set(marked)
    for node in group:
        for name in node.outputs:
            if name in ends or set(graph.consumers_of.get(name, ())) - inside:
                yield name


def _precision(graph: Graph, group: Sequence[Node]) -> Precision:
    dtypes = {graph.tensors[name].dtype for node in group for name in node.outputs if name in graph.tensors}
    return Precision.FP16 if "float16" in dtypes else Precision.FP32


def _go_wrong(model: Any, plants: Sequence[Plant]) -> None:
    """Scale what the faulty nodes write, before anybody reads it."""
    from onnx import helper, numpy_helper

    nodes = list(model.graph.node)
    for plant in plants:
        at = next(index for index, node in enumerate(nodes) if plant.tensor in node.output)
        right = f"{plant.tensor} as it should be"
        position = list(nodes[at].output).index(plant.tensor)
        nodes[at].output[position] = right
        factor = numpy_helper.from_array(np.asarray(plant.factor, np.float32), f"{plant.tensor} factor")
        model.graph.initializer.append(factor)
        scaled = f"{plant.tensor} scaled"
        nodes[at + 1 : at + 1] = [
            helper.make_node("CastLike", [factor.name, right], [scaled], name=scaled),
            helper.make_node("Mul", [right, scaled], [plant.tensor], name=f"{plant.tensor} fault"),
        ]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
