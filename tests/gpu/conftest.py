"""What the GPU's tests share: one folder of caches, small networks, and a way from a network to a loaded engine."""

from __future__ import annotations

import ctypes
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests import models
from trt_core.domain.engine import BuilderOptions
from trt_core.domain.precision import Precision
from trt_core.domain.profiles import profile_from_texts
from trt_core.protocols import CompileInput, CompileOutput
from trt_core.testing import CollectingReporter

SAMPLES = Path(__file__).parents[2] / "samples"


@dataclass
class Workshop:
    """Builds, loads and runs on the GPU, and closes what it loaded."""

    folder: Path
    caches: Path
    sessions: list = field(default_factory=list)

    def compiler(self):
        from trt_core.backends.tensorrt.compiler import TrtCompiler

        return TrtCompiler(self.caches)

    def saved(self, proto: onnx.ModelProto) -> Path:
        return models.saved(proto, self.folder / f"model-{len(list(self.folder.iterdir()))}.onnx")

    def request(
        self, source, *ranges: str, more=(), level=1, rest=Precision.FP32, implicit=False, **others
    ) -> CompileInput:
        path = source if isinstance(source, Path) else self.saved(source)
        wanted = [item for item in (ranges, *more) if item]
        compile_fields = {name: others.pop(name) for name in ("keep", "calibration") if name in others}
        return CompileInput(
            onnx_path=path, target=None, profiles=tuple(profile_from_texts(item) for item in wanted), rest=rest,
            options=BuilderOptions(optimization_level=level, calibration="implicit" if implicit else "", **others), **compile_fields,
        )  # fmt: skip

    def built(self, source, *ranges: str, reporter=None, **others) -> CompileOutput:
        return self.compiler().build(self.request(source, *ranges, **others), reporter=reporter or CollectingReporter())

    def engine_file(self, output: CompileOutput) -> Path:
        path = self.folder / f"engine-{len(list(self.folder.iterdir()))}.engine"
        path.write_bytes(output.engine)
        return path

    def session(self, output: CompileOutput):
        from trt_core.backends.tensorrt.runner import TrtRunner

        session = TrtRunner().session(self.engine_file(output))
        self.sessions.append(session)
        return session


@pytest.fixture(scope="session")
def caches(tmp_path_factory) -> Path:
    """Caches of the whole run; timings of this GPU that were kept before speed it up."""
    folder = tmp_path_factory.mktemp("caches")
    given = os.environ.get("TRT_TIMING_CACHE")
    if given and Path(given).is_file():
        from trt_core.backends.tensorrt.device import this_gpu
        from trt_core.backends.tensorrt.kept_files import KeptFiles
        from trt_core.backends.tensorrt.native import library

        target = KeptFiles(folder=folder).timings(library().__version__, this_gpu())
        target.parent.mkdir(parents=True)
        shutil.copy(given, target)
    return folder


@pytest.fixture
def workshop(tmp_path, caches):
    shop = Workshop(folder=tmp_path, caches=caches)
    yield shop
    for session in shop.sessions:
        session.close()


@pytest.fixture(scope="session")
def digits() -> Path:
    return SAMPLES / "digits" / "calibration.npz"


@pytest.fixture
def figures(record_property):
    """Say a figure in the summary of the run, whatever becomes of the test."""
    return lambda text: record_property("figures", text)


def pytest_terminal_summary(terminalreporter) -> None:
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == "figures" and report.when == "call":
                    terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {value}")


def has_lean_runtime() -> bool:
    """True where the library that version-compatible engines hold is installed: not every wheel has it.

    The builder wants it by its full version, beside its own library or where the loader looks.
    """
    import tensorrt

    soname = f"libnvinfer_lean.so.{tensorrt.__version__}"
    try:
        ctypes.CDLL(soname)
    except OSError:
        return (Path(tensorrt.__file__).parent / soname).is_file()
    return True


def reference(path: Path, feeds) -> list[np.ndarray]:
    """What ONNX Runtime computes."""
    from trt_core.backends.onnxruntime.runner import OrtRunner

    return OrtRunner().load(path).run(feeds)


def relative_error(got, wanted) -> float:
    got, wanted = np.asarray(got, np.float64), np.asarray(wanted, np.float64)
    return float(np.linalg.norm(got - wanted) / np.linalg.norm(wanted))
