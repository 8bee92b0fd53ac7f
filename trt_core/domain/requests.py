"""What a user asks for: the one form that pages, command line and worker share."""

from __future__ import annotations

from dataclasses import dataclass, field

from trt_core.domain.engine import BuilderOptions, Sm
from trt_core.domain.latency import LatencyRequest
from trt_core.domain.precision import CalibrationMethod, Precision, Recipe
from trt_core.domain.profiles import OptimizationProfile
from trt_core.errors import InvalidInput


@dataclass(frozen=True, kw_only=True)
class InspectSpec:
    """Layer support of a model; `prove` builds it to settle what the parser cannot."""

    model_id: str
    backend: str = "rtx"
    target: Sm | None = None
    prove: bool = False


@dataclass(frozen=True, kw_only=True)
class QuantizeSpec:
    """A variant of a model. `data_id` is calibration data where the recipe needs it."""

    model_id: str
    recipe: Recipe
    data_id: str = ""

    def __post_init__(self) -> None:
        if self.recipe.needs_data and not self.data_id:
            raise InvalidInput(
                f"{self.recipe.precision.value} quantizes activations and needs calibration data.",
                remedy="Give an .npz with one array per input, 500 samples or more.",
            )


@dataclass(frozen=True, kw_only=True)
class BuildSpec:
    """An engine of a variant of a model; `rebuild` makes another attempt although the store has one."""

    variant: QuantizeSpec
    backend: str = "rtx"
    target: Sm | None = None
    profiles: tuple[OptimizationProfile, ...] = ()
    options: BuilderOptions = field(default_factory=BuilderOptions)
    rebuild: bool = False


@dataclass(frozen=True, kw_only=True)
class BenchSpec:
    """A latency run of a model (as uploaded), a variant or a build."""

    subject_id: str
    request: LatencyRequest
    backend: str = "ort"
    batch: int = 1
    data_id: str = ""


@dataclass(frozen=True, kw_only=True)
class DivergeSpec:
    """FP32 against the precisions named, on the model's own data."""

    model_id: str
    against: tuple[Precision, ...]
    data_id: str = ""
    samples: int = 16
    mode: str = "cumulative"
    rest: Precision = Precision.FP16
    method: CalibrationMethod = CalibrationMethod.ENTROPY
    percentile: float = 99.99
    calibration_id: str = ""  # "": the same data
    backend: str = "ort"

    def __post_init__(self) -> None:
        if not self.against:
            raise InvalidInput("No precision to compare with.", remedy="Name at least one, such as fp16,int8.")
        if self.mode not in ("cumulative", "isolated", "both"):
            raise InvalidInput(f"Mode {self.mode!r}.", remedy="Use cumulative, isolated or both.")
        if self.samples < 1:
            raise InvalidInput(f"{self.samples} samples.", remedy="Ask for at least one.")
