"""Engines that run over data: whether one runs on this machine, and a session that stands for the model's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

from trt_core.backends.tensorrt.native import BACKEND, PIP_LINE
from trt_core.domain.artifacts import BuildRecord
from trt_core.errors import GpuUnavailable, TrtCoreError
from trt_core.protocols import Array, Feeds, Session
from trt_core.services.builds import Builds
from trt_core.services.context import Context
from trt_core.services.host import build_host
from trt_core.services.origin import check_origin

_TWIN = "Leave --backend out, or use --backend ort: then the numerics twin of its variant is run."


class EngineRuns:
    """Engines of TensorRT that were built on a machine such as this one."""

    def __init__(self, context: Context, builds: Builds) -> None:
        self._context = context
        self._builds = builds

    def refusal(self, build_id: str) -> TrtCoreError | None:
        """The error with the reason why an engine does not run here; None where it does.

        GpuUnavailable without a GPU, for an ahead-of-time plan, and for an engine of another GPU or version;
        UnsupportedRequest for one from elsewhere.
        """
        build = self._builds.build(build_id)
        if build.request.backend != BACKEND:
            return GpuUnavailable(
                f"{build.id} is a plan of {build.request.backend} compiled ahead of time for {build.target}: nothing "
                "runs it here.",
                remedy=_TWIN,
            )
        if reason := self.why_not():
            return GpuUnavailable(reason, remedy=_TWIN)
        if odd := self._other_machine(build):
            return GpuUnavailable(odd, remedy="Build it anew here. " + _TWIN)
        try:
            check_origin(self._context.settings, build.id)
        except TrtCoreError as error:
            return error
        return None

    def why_not(self) -> str:
        """Why no engine runs on this machine; empty where engines do."""
        observer = self._context.observers.get(BACKEND)
        if observer is None:
            return (
                "Running an engine needs an NVIDIA GPU and TensorRT, and this machine has not got both. "
                f"On a GPU host install TensorRT with: {PIP_LINE}."
            )
        return observer.why_not()

    def _other_machine(self, build: BuildRecord) -> str:
        """What parts this machine from the one that built the engine; empty where nothing does."""
        options, version = build.request.options, self._context.compiler(BACKEND).version()
        if not options.version_compatible and _numbers(build.backend_version) != _numbers(version):
            return f"{build.id} is an engine of TensorRT {build.backend_version}, and this machine has {version}."
        here, there = dict(build_host()).get("gpu", ""), dict(build.host).get("gpu", "")
        if here and there and here != there and not options.hardware_compatibility:
            return f"{build.id} was built on {there}, and this machine has {here}."
        return ""

    @contextmanager
    def session(self, build_id: str, outputs: Sequence[str]) -> Iterator[Session]:
        """The engine, loaded, with the model's outputs in the model's order; its memory is given back afterwards."""
        observer = self._context.observers[BACKEND]
        with closing(observer.load(self._builds.engine_path(build_id))) as engine:
            yield _AsModel(engine, outputs)


def _numbers(version: str) -> list[str]:
    return version.split(".")[:3]


class _AsModel(Session):
    """An engine behind the model's border: TensorRT may hand outputs out in another order than the file."""

    def __init__(self, engine: Session, outputs: Sequence[str]) -> None:
        self._engine = engine
        self.inputs, self.outputs = engine.inputs, tuple(outputs)
        self.device, self.version = engine.device, engine.version

    def run(self, feeds: Feeds, outputs: Sequence[str] | None = None) -> list[Array]:
        """Run once; the model's outputs where none are named."""
        return self._engine.run(feeds, self.outputs if outputs is None else outputs)
