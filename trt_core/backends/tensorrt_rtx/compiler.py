"""TensorRT-RTX behind the `Compiler` protocol."""

from __future__ import annotations

from pathlib import Path

from trt_core.backends.support import Asked, ask_parser
from trt_core.backends.tensorrt_rtx.build import build_engine
from trt_core.backends.tensorrt_rtx.native import TITLE, library, native_calls
from trt_core.backends.tensorrt_rtx.probe import probe
from trt_core.backends.tensorrt_rtx.targets import BACKEND, DEFAULT_TARGET, check_target, resolve_target, stamp_of
from trt_core.domain.capabilities import Capabilities
from trt_core.domain.engine import Sm
from trt_core.domain.graph import Graph
from trt_core.domain.support import SupportReport
from trt_core.protocols import CompileInput, CompileOutput, Reporter


class RtxCompiler:
    """Parses and compiles ahead of time on the CPU, for one of TensorRT-RTX's own targets."""

    name = BACKEND
    default_target: Sm | None = DEFAULT_TARGET

    def version(self) -> str:
        """The version of the installed wheel, read from its metadata."""
        import importlib.metadata

        try:
            return importlib.metadata.version("tensorrt_rtx_cu13_bindings")
        except importlib.metadata.PackageNotFoundError:
            return ""

    def stamp(self, target: Sm | None) -> str:
        """Whose plan an engine's record is."""
        return stamp_of(self.version(), target or DEFAULT_TARGET)

    def check_target(self, target: Sm | None) -> None:
        """Refuse an architecture that the library does not compile for."""
        check_target(target or DEFAULT_TARGET, self.capabilities().targets)

    def capabilities(self) -> Capabilities:
        """What the installed wheels can do, asked once in a process of its own."""
        return probe()

    def support(self, onnx_path: Path, graph: Graph, *, target: Sm | None, reporter: Reporter) -> SupportReport:
        """Ask the parser about every node of a file; refused parts are taken out until the rest is settled.

        Raises UnsupportedRequest for an unknown target, DependencyMissing, JobCancelled, and BackendError when the
        library raises.
        """
        trt = library()
        aimed = str(resolve_target(target, trt))
        asked = Asked(trt=trt, backend=BACKEND, title=TITLE, target=aimed, calls=native_calls)
        return ask_parser(onnx_path, graph, asked=asked, reporter=reporter)

    def build(self, request: CompileInput, *, reporter: Reporter) -> CompileOutput:
        """Compile one file for one target (SM 8.6 when none is named).

        Raises ParseFailed and BuildFailed with the cause in one sentence and the log's tail in `details`;
        InvalidProfile, UnsupportedRequest, DependencyMissing; JobCancelled between two steps of the library.
        """
        return build_engine(request, reporter=reporter)
