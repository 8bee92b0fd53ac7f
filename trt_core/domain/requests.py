"""What a user asks for: the one form that pages, command line and worker share."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from trt_core.domain.artifacts import ArtifactKind
from trt_core.domain.engine import BuilderOptions, Sm
from trt_core.domain.latency import LatencyRequest
from trt_core.domain.precision import CalibrationMethod, Precision, Recipe
from trt_core.domain.profiles import OptimizationProfile
from trt_core.domain.triage import MAX_EVALUATIONS
from trt_core.domain.validation import DEFAULT_TOLERANCE, FLOOR_METRICS
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
    """A variant of a model. `data_id` is calibration data where the recipe needs it.

    For TensorRT's implicit calibration it may be a calibration cache instead: then no data are run.
    """

    model_id: str
    recipe: Recipe
    data_id: str = ""

    def __post_init__(self) -> None:
        if self.recipe.needs_data and not self.data_id:
            raise InvalidInput(
                f"{self.recipe.precision.value} quantizes activations and needs calibration data.",
                remedy="Give an .npz with one array per input, 500 samples or more.",
            )

    @property
    def has_cache(self) -> bool:
        """True where `data_id` names a calibration cache."""
        return self.data_id.startswith(ArtifactKind.CACHE.value)


@dataclass(frozen=True, kw_only=True)
class BuildSpec:
    """An engine of a variant of a model; `rebuild` makes another attempt although the store has one."""

    variant: QuantizeSpec
    backend: str = "rtx"
    target: Sm | None = None
    profiles: tuple[OptimizationProfile, ...] = ()
    options: BuilderOptions = field(default_factory=BuilderOptions)
    rebuild: bool = False

    def __post_init__(self) -> None:
        if self.options.tf32 and self.variant.recipe.precision is Precision.FP32:
            raise InvalidInput("FP32 with TF32 allowed is the precision TF32.", remedy="Ask for tf32 instead of fp32.")

    @property
    def is_implicit(self) -> bool:
        """True where the library calibrates INT8 by itself."""
        return self.options.calibration == "implicit" and self.variant.recipe.precision is Precision.INT8


@dataclass(frozen=True, kw_only=True)
class BenchSpec:
    """A latency run of a model (as uploaded), a variant or a build.

    `program` is the file name of an exported PyTorch program in the operator's folder, which is run in its place.
    """

    subject_id: str
    request: LatencyRequest
    backend: str = "ort"
    batch: int = 1
    data_id: str = ""
    program: str = ""


@dataclass(frozen=True, kw_only=True)
class DivergeSpec:
    """FP32 against the precisions named, on the model's own data.

    `candidate_id` is a file of the library that is in low precision already; it is compared instead of variants.
    """

    model_id: str
    against: tuple[Precision, ...] = ()
    candidate_id: str = ""
    data_id: str = ""
    samples: int = 16
    mode: str = "cumulative"
    rest: Precision = Precision.FP16
    method: CalibrationMethod = CalibrationMethod.ENTROPY
    percentile: float = 99.99
    calibration_id: str = ""  # "": the same data
    backend: str = "ort"

    def __post_init__(self) -> None:
        if not self.against and not self.candidate_id:
            raise InvalidInput("No precision to compare with.", remedy="Name at least one, such as fp16,int8.")
        if self.against and self.candidate_id:
            raise InvalidInput(
                "A file and precisions are compared in two runs.", remedy="Name precisions or a file, not both."
            )
        if self.mode not in ("cumulative", "isolated", "both"):
            raise InvalidInput(f"Mode {self.mode!r}.", remedy="Use cumulative, isolated or both.")
        if self.samples < 1:
            raise InvalidInput(f"{self.samples} samples.", remedy="Ask for at least one.")


@dataclass(frozen=True, kw_only=True)
class ValidateSpec:
    """A candidate against the model it was made of, on labelled samples.

    `subject_id` is a variant, a build, or a model that was brought in. `backend` says what runs a build: "tensorrt" the
    engine itself, "ort" the numerics twin of its variant, "" the engine where it runs on this machine, else the twin.
    `baseline_id` is a build whose engine stands for the model where engines are run. `tolerance` is a relative drop, a
    floor for sqnr (dB) and cosine.
    """

    model_id: str
    data_id: str
    subject_id: str
    labels_id: str = ""
    metric: str = "top1"
    tolerance: float = DEFAULT_TOLERANCE
    samples: int | None = None
    by_groups: bool = False  # the verdict counts the groups of the label file, not its samples
    backend: str = ""
    baseline_id: str = ""
    output: str = ""  # the output to be scored; "": the first that holds a value a class, for sqnr and cosine all

    def __post_init__(self) -> None:
        _check_metric(self.metric, self.tolerance, self.labels_id)
        if self.backend not in ("", "ort", "tensorrt"):
            raise InvalidInput(f"Backend {self.backend!r}.", remedy="Use ort or tensorrt, or leave it out.")
        if self.samples is not None and self.samples < 1:
            raise InvalidInput(f"{self.samples} samples.", remedy="Ask for at least one.")


@dataclass(frozen=True, kw_only=True)
class TriageSpec:
    """The search for the plan that stays within a tolerance with most work in low precision.

    `recipe` is the plain variant's, without rules. `ranking_samples` of the validation data rank the layers;
    `leave_one_out` is how many of the first-ranked are measured alone after the search. `by_groups` lets the verdict
    count the groups that the label file names; otherwise it counts samples, and the groups' bounds stand beside it.
    """

    model_id: str
    recipe: Recipe
    validation_id: str
    data_id: str = ""
    labels_id: str = ""
    metric: str = "top1"
    tolerance: float = DEFAULT_TOLERANCE
    max_evaluations: int = MAX_EVALUATIONS
    by_groups: bool = False
    samples: int | None = None
    ranking_samples: int = 32
    leave_one_out: int = 0
    with_lab: bool = False  # compare calibration methods, too
    output: str = ""  # the output to be scored, as ValidateSpec has it

    def __post_init__(self) -> None:
        _check_metric(self.metric, self.tolerance, self.labels_id)
        if self.recipe.keep:
            raise ValueError("the search makes the rules; its recipe has none")
        if self.recipe.precision in (Precision.FP32, Precision.TF32):
            raise InvalidInput(
                f"{self.recipe.precision.value} loses nothing here.", remedy="Use fp16, bf16, int8, fp8 or int4."
            )
        if self.recipe.needs_data and not self.data_id:
            raise InvalidInput(
                f"{self.recipe.precision.value} quantizes activations and needs calibration data.",
                remedy="Give an .npz with one array per input, 500 samples or more.",
            )
        if self.max_evaluations < 3 or self.ranking_samples < 1 or self.leave_one_out < 0:
            raise InvalidInput(
                f"{self.max_evaluations} evaluations, {self.ranking_samples} ranking samples.",
                remedy="Allow three evaluations or more, and at least one sample.",
            )


@dataclass(frozen=True, kw_only=True)
class SensitivitySpec:
    """Every layer's errors in several precisions, and what each of them costs as a whole.

    `ranking_samples` of the validation data give the layers' errors, all of them, or the first `samples`, the metric.
    `leave_one_out` units of each precision are measured alone. With `ask_backends` each backend says what it makes of
    each variant, with `with_builds` by building it for `target`.
    """

    model_id: str
    against: tuple[Precision, ...]
    validation_id: str
    data_id: str = ""
    labels_id: str = ""
    metric: str = "top1"
    tolerance: float = DEFAULT_TOLERANCE
    rest: Precision = Precision.FP16
    method: CalibrationMethod = CalibrationMethod.ENTROPY
    percentile: float = 99.99
    attention: bool = False
    by_groups: bool = False
    samples: int | None = None
    ranking_samples: int = 16
    leave_one_out: int = 10
    ask_backends: bool = True
    with_builds: bool = False
    target: Sm | None = None
    output: str = ""  # the output to be scored, as ValidateSpec has it

    def __post_init__(self) -> None:
        _check_metric(self.metric, self.tolerance, self.labels_id)
        if not self.against:
            raise InvalidInput("No precision to measure.", remedy="Name at least one, such as fp16,int8.")
        if {Precision.FP32, Precision.TF32} & set(self.against):
            raise InvalidInput("FP32 loses nothing here.", remedy="Measure fp16, bf16, int8, fp8 or int4.")
        if any(Recipe(precision=item).needs_data for item in self.against) and not self.data_id:
            raise InvalidInput(
                "INT8 and FP8 quantize activations and need calibration data.",
                remedy="Give an .npz with one array per input, 500 samples or more.",
            )
        if self.ranking_samples < 1 or self.leave_one_out < 0 or (self.samples is not None and self.samples < 1):
            raise InvalidInput(
                f"{self.ranking_samples} samples, {self.leave_one_out} layers alone.", remedy="Ask for one or more."
            )


def _check_metric(metric: str, tolerance: float, labels_id: str) -> None:
    if metric in FLOOR_METRICS:
        if not math.isfinite(tolerance) or (metric == "cosine" and tolerance > 1.0):
            raise InvalidInput(
                f"A floor of {tolerance:g} for {metric}.",
                remedy="Give dB for sqnr, such as 30, and up to 1 for cosine.",
            )
        return
    if not labels_id:
        raise InvalidInput(
            f"The metric {metric} needs labels.", remedy="Give them with --labels, or use sqnr or cosine."
        )
    check_tolerance(metric, tolerance)


def check_tolerance(metric: str, tolerance: float) -> None:
    """InvalidInput for a relative drop that is none; every number is a floor."""
    if metric in FLOOR_METRICS:
        return
    if not 0.0 <= tolerance < 1.0:
        raise InvalidInput(
            f"Tolerance {tolerance}.", remedy="Give a relative drop from 0 up to 1, such as 0.005 for 0.5 %."
        )
