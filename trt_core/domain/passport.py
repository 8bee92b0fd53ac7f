"""What an engine is bound to, where it is to go, and whether it loads there."""

from __future__ import annotations

from dataclasses import dataclass

from trt_core.domain.engine import Sm
from trt_core.domain.precision import Precision
from trt_core.domain.profiles import OptimizationProfile
from trt_core.domain.tensors import TensorSpec


@dataclass(frozen=True, kw_only=True)
class PlanHeader:
    """What the first bytes of a serialized engine say; nothing in it is executed to learn this.

    `runtime` is `tensorrt` or `rtx`; `targets` are the architectures of an ahead-of-time plan, where the header has
    them; `declared_bytes` is the size that the header states.
    """

    runtime: str
    version: str  # major.minor.patch.build
    targets: tuple[Sm, ...] = ()
    declared_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Passport:
    """The facts of one engine. A text that is empty, or a tuple that is, was not recorded; `missing` names those."""

    build_id: str
    name: str  # the model's
    backend: str  # `rtx` or `tensorrt`
    tensorrt: str  # version of the library that built it
    targets: tuple[Sm, ...]
    gpu: str = ""
    driver: str = ""
    cuda: str = ""
    os: str = ""
    precision: Precision = Precision.UNKNOWN
    profiles: tuple[OptimizationProfile, ...] = ()
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    formats: tuple[tuple[str, str], ...] = ()  # (tensor, memory format as the engine states it)
    plugins: tuple[str, ...] = ()
    version_compatible: bool = False
    hardware_compatibility: str = ""
    model_sha256: str = ""
    engine_sha256: str = ""
    engine_bytes: int = 0
    header: PlanHeader | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the fields that nobody recorded."""
        fields = {"GPU": self.gpu, "driver": self.driver, "CUDA": self.cuda, "OS": self.os, "SM": self.targets}
        return tuple(name for name, value in fields.items() if not value)


@dataclass(frozen=True, kw_only=True)
class Target:
    """A place an engine is to run in; what is None or empty is not asked about."""

    name: str
    runtime: str = "tensorrt"  # the library that deserializes there: `tensorrt` or `rtx`
    tensorrt: str = ""
    sm: Sm | None = None
    gpu: str = ""
    cuda: str = ""
    driver: str = ""
    os: str = "linux"
    triton: str = ""  # release, such as 24.12
    image: str = ""


@dataclass(frozen=True, kw_only=True)
class LoadAnswer:
    """Whether it loads, by which rule; None where a fact that the rule needs is missing."""

    loads: bool | None
    rule: str  # kebab-case
    reason: str
    remedy: str = ""
    cost: str = ""  # what compatibility costs where it is what makes it load
