"""A compiler in TensorRT 8.6's place: it keeps what it was given, and answers with a plan of one layer."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from trt_core.backends.tensorrt.calibration_cache import read_cache, write_cache
from trt_core.backends.tensorrt.calibrator import known_cache
from trt_core.domain.capabilities import Capabilities
from trt_core.domain.engine import EngineLayer, EngineRecord, Sm
from trt_core.domain.graph import Graph
from trt_core.domain.precision import Precision, TensorRange
from trt_core.domain.support import SupportReport
from trt_core.protocols import CompileInput, CompileOutput, Reporter

HOPPER = Sm(major=9, minor=0)


@dataclass
class CalibratingFake:
    """Builds nothing; `asked` holds every request. Calibration gives each tensor `x` and `y` the range 1."""

    dla_cores: int = 0
    plugins: tuple[str, ...] = ("libfish.so", "libfowl.so")
    installed: str = "8.6.0"
    can_build: bool = True
    asked: list[CompileInput] = field(default_factory=list)
    name: str = "tensorrt"
    default_target: Sm | None = None

    def version(self) -> str:
        return self.installed

    def stamp(self, target: Sm | None) -> str:
        return f"TensorRT {self.installed} on an invented GPU ({target or HOPPER})"

    def check_target(self, target: Sm | None) -> None:
        pass

    def capabilities(self) -> Capabilities:
        if not self.can_build:
            return Capabilities(
                backend="tensorrt", title="TensorRT", missing=(("build", "No GPU."), ("run", "No GPU."))
            )
        return Capabilities(
            backend="tensorrt",
            title=f"TensorRT {self.installed} on an invented GPU",
            version=self.installed,
            can_parse=True,
            can_build=True,
            can_run=True,
            targets=(HOPPER,),
            precisions=(Precision.FP32, Precision.TF32, Precision.FP16, Precision.INT8),
            has_implicit_calibration=True,
            is_weakly_typed=True,
            has_timing_cache=True,
            has_optimization_level=True,
            has_version_compatibility=True,
            has_hardware_compatibility=True,
            has_sparsity=True,
            has_refit=True,
            memory_pools=("tactic_dram", "dla_local_dram") if self.dla_cores else ("tactic_dram",),
            tactic_sources=("EDGE_MASK_CONVOLUTIONS", "JIT_CONVOLUTIONS"),
            dla_cores=self.dla_cores,
            plugins=self.plugins,
        )

    def support(self, onnx_path: Path, graph: Graph, *, target: Sm | None, reporter: Reporter) -> SupportReport:
        raise NotImplementedError

    def build(self, request: CompileInput, *, reporter: Reporter) -> CompileOutput:
        del reporter
        self.asked.append(request)
        cache = ""
        if request.calibration is not None:
            list(request.calibration.batches(1))
            ranges = [TensorRange(tensor=name, low=-1.0, high=1.0, scale=1 / 127) for name in ("x", "y")]
            cache = known_cache(request.calibration, self.installed, "") or write_cache(
                ranges, version=self.installed, algorithm="EntropyCalibration2"
            )
        precision = Precision.INT8 if cache else Precision.FP32
        layer = EngineLayer(index=0, name="one", kind="CaskGemmConvolution", precision=precision)
        return CompileOutput(
            engine=memoryview(b"ftrt" + bytes(60)),
            record=EngineRecord(layers=(layer,)),
            log="V Engine Layer Information",
            parse_seconds=0.1,
            build_seconds=0.2,
            backend_version=self.installed,
            calibration_cache=cache,
            ranges=read_cache(cache).ranges if cache else (),
        )
