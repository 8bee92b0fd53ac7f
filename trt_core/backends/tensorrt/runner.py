"""TensorRT behind the `Runner` protocol: engines are loaded, ONNX files are built first."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from trt_core.backends.silent import Silent
from trt_core.backends.tensorrt.build import build_engine
from trt_core.backends.tensorrt.device import this_gpu
from trt_core.backends.tensorrt.engines import load_engine
from trt_core.backends.tensorrt.marking import mark_outputs
from trt_core.backends.tensorrt.native import library, load_plugins
from trt_core.backends.tensorrt.plugins import plugin_libraries
from trt_core.backends.tensorrt.probe import probe
from trt_core.backends.tensorrt.session import TrtSession
from trt_core.domain.capabilities import Capabilities
from trt_core.domain.engine import BuilderOptions
from trt_core.domain.precision import Precision
from trt_core.domain.profiles import OptimizationProfile, static_profile
from trt_core.protocols import CompileInput


class TrtRunner:
    """Runs engines, and ONNX files through an engine built for `profiles` (every symbol 1 where there is none).

    With `extra_outputs` an engine is another one than without: what the compiler fuses may differ.
    """

    name = "tensorrt"

    def __init__(
        self,
        *,
        profiles: Sequence[OptimizationProfile] = (),
        rest: Precision = Precision.FP32,
        tf32: bool = False,
        plugins: Sequence[Path] = (),
    ) -> None:
        self._plugins = plugin_libraries(plugins)
        self._profiles = tuple(profiles)
        self._rest = rest
        self._tf32 = tf32

    def capabilities(self) -> Capabilities:
        """What the installed package can do on the first GPU."""
        return probe()

    def load(
        self, onnx_path: Path, *, extra_outputs: Sequence[str] = (), optimize: bool = True, threads: int = 0
    ) -> TrtSession:
        """A session over an `.engine` that this program built, or over an engine built now from an ONNX file.

        `optimize` False builds at optimization level 0; `threads` means nothing here. Raises what building and loading
        raise.
        """
        del threads
        if onnx_path.suffix == ".engine":
            return self.session(onnx_path)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.engine"
            path.write_bytes(self._built(onnx_path, extra_outputs, optimize=optimize))
            return self.session(path)

    def session(self, engine_path: Path) -> TrtSession:
        """A session over an engine's file."""
        gpu = this_gpu()
        load_plugins(self._plugins)
        return TrtSession(load_engine(engine_path), device=gpu.name, version=library().__version__)

    def _built(self, onnx_path: Path, extra_outputs: Sequence[str], *, optimize: bool) -> memoryview:
        request = CompileInput(
            onnx_path=onnx_path,
            target=None,
            profiles=self._profiles or _usual(onnx_path),
            options=BuilderOptions(tf32=self._tf32, optimization_level=None if optimize else 0),
            rest=self._rest,
        )
        mark = partial(mark_outputs, names=tuple(extra_outputs)) if extra_outputs else None
        return build_engine(request, reporter=Silent(), plugins=self._plugins, mark=mark).engine


def _usual(onnx_path: Path) -> tuple[OptimizationProfile, ...]:
    from trt_core.onnx_graph.load import load_model
    from trt_core.onnx_graph.read import read_graph

    inputs = read_graph(load_model(onnx_path, weights=False)).inputs
    return () if all(item.is_static for item in inputs) else (static_profile(inputs),)
