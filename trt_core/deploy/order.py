"""What every generator is given: the passport, the place, the names and the wish, decided once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trt_core.domain.deployment import DeployWish
from trt_core.domain.engine import BuilderOptions
from trt_core.domain.latency import LatencySummary
from trt_core.domain.passport import LoadAnswer, Passport, Target
from trt_core.domain.requests import BuildSpec


@dataclass(frozen=True, kw_only=True)
class Order:
    """One deployment. `plan` is the engine that goes along, None where it would not load there."""

    passport: Passport
    target: Target
    wish: DeployWish
    answer: LoadAnswer
    name: str  # Triton's model name
    label: str  # the same for Kubernetes
    tag: str
    spec: BuildSpec
    plan: Path | None = None
    variant: Path | None = None  # the ONNX that is built
    variant_data: Path | None = None  # its external data
    recorded: bytes = b""  # .npz of one input and its reference output
    recorded_names: bytes = b""
    implicit: bool = False  # the engine's INT8 ranges were calibrated by TensorRT, not written into the ONNX
    calibration: Path | None = None  # the cache of that calibration
    sweep: tuple[tuple[int, float], ...] = ()  # (batch, inferences a second) measured on this engine
    measured: tuple[tuple[str, LatencySummary], ...] = ()  # (label, summary) of runs of this model

    @property
    def served_by(self) -> str:
        """The TensorRT that makes the served engine: its own where the plan goes along, else that of the target."""
        return self.passport.tensorrt if self.plan is not None else self.target.tensorrt

    @property
    def options(self) -> BuilderOptions:
        """The builder options of the build."""
        return self.spec.options
