"""TensorRT behind the `Compiler` protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from trt_core.backends.support import Asked, ask_parser
from trt_core.backends.tensorrt.build import build_engine
from trt_core.backends.tensorrt.kept_files import KeptFiles
from trt_core.backends.tensorrt.native import BACKEND, TITLE, library, load_plugins, native_calls
from trt_core.backends.tensorrt.plugins import chosen_plugins, plugin_libraries
from trt_core.backends.tensorrt.probe import probe
from trt_core.domain.capabilities import Capabilities
from trt_core.domain.engine import Sm
from trt_core.domain.graph import Graph
from trt_core.domain.support import SupportReport
from trt_core.errors import UnsupportedRequest
from trt_core.protocols import CompileInput, CompileOutput, Reporter


class TrtCompiler:
    """Builds engines for the GPU of this machine.

    `folder` holds the caches of tactic timings and calibration; `plugins` are libraries that the operator named, or
    folders of them.
    """

    name = BACKEND
    default_target: Sm | None = None

    def __init__(self, folder: Path | None = None, *, plugins: Sequence[Path] = ()) -> None:
        self._kept = KeptFiles(folder=folder) if folder is not None else None
        self._plugins = plugin_libraries(plugins)

    def version(self) -> str:
        """The version of the installed package, read from its metadata."""
        import importlib.metadata

        for package in ("tensorrt", "tensorrt-cu13", "tensorrt-cu12"):
            try:
                return importlib.metadata.version(package)
            except importlib.metadata.PackageNotFoundError:
                continue
        return ""

    def stamp(self, target: Sm | None) -> str:
        """Whose engine a record is."""
        return f"{self.capabilities().title} ({target or ', '.join(map(str, self.capabilities().targets))})"

    def check_target(self, target: Sm | None) -> None:
        """Refuse another architecture than that of this machine's GPU."""
        known = self.capabilities().targets
        if target is not None and target not in known:
            raise UnsupportedRequest(
                f"TensorRT builds for the GPU of this machine ({', '.join(map(str, known)) or 'none'}), not {target}.",
                remedy="Leave the target out, or build on a machine with such a GPU.",
            )

    def capabilities(self) -> Capabilities:
        """What the installed package can do on the first GPU, asked once in a process of its own."""
        return replace(probe(), plugins=tuple(path.name for path in self._plugins))

    def support(self, onnx_path: Path, graph: Graph, *, target: Sm | None, reporter: Reporter) -> SupportReport:
        """Ask the parser about every node of a file; see `ask_parser`."""
        self.check_target(target)
        load_plugins(self._plugins)
        asked = Asked(trt=library(), backend=BACKEND, title=TITLE, target="this GPU", calls=native_calls)
        return ask_parser(onnx_path, graph, asked=asked, reporter=reporter)

    def build(self, request: CompileInput, *, reporter: Reporter) -> CompileOutput:
        """Build one file for this machine's GPU.

        Raises ParseFailed and BuildFailed with the cause in one sentence and the log's tail in `details`;
        InvalidProfile, InvalidData for calibration data that do not fit, UnsupportedRequest for what this version does
        not have, GpuUnavailable, DependencyMissing; JobCancelled between two steps of the library (TensorRT 8.6 cannot
        be stopped inside a build: the worker's end stops it).
        """
        self.check_target(request.target)
        plugins = chosen_plugins(request.options.plugins, self._plugins)
        return build_engine(request, reporter=reporter, kept=self._kept, plugins=plugins)
