"""TensorRT behind the `EngineObserver` protocol: engines whose inner tensors can be read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from trt_core.backends.names import lookup
from trt_core.backends.silent import Silent
from trt_core.backends.tensorrt.build import build_engine
from trt_core.backends.tensorrt.debug_tensors import debug_listener
from trt_core.backends.tensorrt.device import this_gpu
from trt_core.backends.tensorrt.engines import load_engine
from trt_core.backends.tensorrt.kept_files import KeptFiles
from trt_core.backends.tensorrt.layer_profile import profile_layers
from trt_core.backends.tensorrt.marking import Refused, mark_tensors, markings
from trt_core.backends.tensorrt.native import BACKEND, library, load_plugins, version_of
from trt_core.backends.tensorrt.plugins import chosen_plugins, plugin_libraries
from trt_core.backends.tensorrt.probe import probe
from trt_core.backends.tensorrt.session import TrtSession
from trt_core.backends.tensorrt.timed_loop import time_inferences
from trt_core.domain.engine_divergence import Marking
from trt_core.domain.latency import LatencyRequest
from trt_core.errors import BackendError, NotFound
from trt_core.observing import MarkedOutput
from trt_core.protocols import Array, CompileInput, Feeds, Reporter

_WARMUP = 10  # beside the 200 ms that every measurement warms up for


class TrtObserver:
    """Builds marked engines for the GPU of this machine, from the same timings as plain ones, and runs both."""

    name = BACKEND

    def __init__(self, folder: Path | None = None, *, plugins: Sequence[Path] = ()) -> None:
        self._kept = KeptFiles(folder=folder) if folder is not None else None
        self._plugins = plugin_libraries(plugins)

    def why_not(self) -> str:
        """Why TensorRT does not run here; empty where it does."""
        found = probe()
        if found.can_build and found.can_run:
            return ""
        return found.why_not("run") or found.why_not("build") or "TensorRT does not run here."

    def markings(self) -> tuple[Marking, ...]:
        """Debug tensors first where the installed version has them."""
        return markings(library())

    def build(
        self,
        request: CompileInput,
        tensors: Sequence[str],
        marking: Marking,
        *,
        halves: Collection[str] = (),
        reporter: Reporter,
    ) -> MarkedOutput:
        """Build with marked tensors; see `TrtCompiler.build`."""
        said: list[tuple[tuple[str, ...], Refused]] = []

        is_weak = version_of(library())[0] < 10 or request.options.calibration == "implicit"
        low = {*halves, *_halves(request.onnx_path)} if marking is Marking.OUTPUTS and is_weak else set()

        def mark(network: Any) -> None:
            half = lookup(library(), "DataType.HALF")
            said.append(mark_tensors(network, tensors, marking, halves=low, half=half))

        plugins = chosen_plugins(request.options.plugins, self._plugins)
        output = build_engine(request, reporter=reporter, kept=self._kept, plugins=plugins, mark=mark)
        marked, refused = said[-1]
        return MarkedOutput(output=output, tensors=marked, refused=refused)

    def load(
        self, engine: Path, *, tensors: Sequence[str] = (), marking: Marking = Marking.OUTPUTS
    ) -> ObservedTrtSession:
        """A session over an engine's file; outputs of the network are outputs of the session whatever was marked."""
        load_plugins(self._plugins)
        loaded = load_engine(engine)
        listened = tuple(tensors) if marking is Marking.DEBUG else ()
        return ObservedTrtSession(loaded, device=this_gpu().name, version=library().__version__, listened=listened)


def _halves(path: Path) -> frozenset[str]:
    """Tensors that the file holds in FP16."""
    from trt_core.onnx_graph.load import load_model
    from trt_core.onnx_graph.read import read_graph

    held = read_graph(load_model(path, weights=False)).tensors
    return frozenset(name for name, spec in held.items() if spec.dtype == "float16")


class ObservedTrtSession(TrtSession):
    """A session that can be timed, and that hands out the debug tensors in `listened` after the engine's outputs."""

    def __init__(self, engine: Any, *, device: str, version: str, listened: Sequence[str] = ()) -> None:
        super().__init__(engine, device=device, version=version)
        self._own = self.outputs
        self._listener = None
        self.outputs = tuple(dict.fromkeys((*self._own, *listened)))
        if listened:
            self._listener = debug_listener(library())
            lookup(library(), "IExecutionContext.set_debug_listener")(self.context, self._listener)

    def run(self, feeds: Feeds, outputs: Sequence[str] | None = None) -> list[Array]:
        """Run once; see `TrtSession.run`."""
        if self._listener is None:
            return super().run(feeds, outputs)
        wanted = list(self.outputs if outputs is None else outputs)
        own = [name for name in wanted if name in self._own]
        self._listen(on=True)
        self._listener.arrays.clear()
        found = dict(zip(own, super().run(feeds, own), strict=True)) | self._listener.arrays
        if self._listener.failed is not None:
            raise BackendError("A debug tensor could not be copied.", remedy="Mark outputs instead.") from (
                self._listener.failed
            )
        if missing := [name for name in wanted if name not in found]:
            raise NotFound(f"The engine handed out no {missing[0]!r}.", remedy="Mark it as an output instead.")
        return [found[name] for name in wanted]

    def times_ms(self, feeds: Feeds, runs: int) -> tuple[float, ...]:
        """GPU time between two events around each inference, after 200 ms of warm-up; listeners are off."""
        if self._listener is not None:
            self._listen(on=False)
        self.bind(feeds)
        self.upload()
        request = LatencyRequest(warmup=_WARMUP, iterations=runs, profile_layers=False)
        return tuple(time_inferences([self], request, Silent()).compute)

    def layer_times_ms(self, feeds: Feeds) -> Mapping[str, float]:
        """Mean time of each layer over some inferences with a profiler; listeners are off."""
        if self._listener is not None:
            self._listen(on=False)
        self.bind(feeds)
        self.upload()
        rows, _ = profile_layers(self, {}, median_ms=0.0)
        return {name: taken_ms for name, _, taken_ms in rows}

    def _listen(self, *, on: bool) -> None:
        if not lookup(library(), "IExecutionContext.set_all_tensors_debug_state")(self.context, on):
            raise BackendError("TensorRT refused to switch its debug tensors.", remedy="Mark outputs instead.")
