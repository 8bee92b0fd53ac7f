"""Engines: what is asked for, and what the compiler says it made."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

from trt_core.domain.codec import to_plain
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.profiles import OptimizationProfile
from trt_core.errors import InvalidInput


@dataclass(frozen=True, kw_only=True, order=True)
class Sm:
    """A GPU architecture by compute capability."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"SM {self.major}.{self.minor}"

    @property
    def number(self) -> int:
        """The short form that tools use: 86 for SM 8.6, 120 for SM 12.0."""
        return self.major * 10 + self.minor


def sm_from_text(text: str) -> Sm:
    """Parse `86`, `8.6`, `sm86`, `SM 8.6` or `sm_120`."""
    digits = text.strip().lower().removeprefix("sm").strip(" _")
    if "." in digits:
        major, _, minor = digits.partition(".")
    else:
        major, minor = digits[:-1], digits[-1:]
    if not (major.isdecimal() and minor.isdecimal() and len(minor) == 1 and len(major) <= 2):
        raise InvalidInput(f"Target {text!r} is not a GPU architecture.", remedy="Write it as 86, 8.9 or sm120.")
    return Sm(major=int(major), minor=int(minor))


MOST_WORKSPACE_MB = 1 << 20  # a tebibyte: more than any GPU has
MOST_DLA_CORE = 15
MEMORY_POOLS = ("tactic_dram", "dla_managed_sram", "dla_local_dram", "dla_global_dram")  # beside the workspace


@dataclass(frozen=True, kw_only=True)
class BuilderOptions:
    """What the compiler is told beside the network; None leaves the library's default."""

    optimization_level: int | None = None
    workspace_mb: int | None = None
    tf32: bool = False  # layers that stay in FP32 may run in TF32
    version_compatible: bool = False
    hardware_compatibility: str = ""  # "", "ampere_plus" or "same_compute_capability"
    timing_cache: str = ""  # content hash of a stored timing cache; "off" times every tactic anew
    calibration: str = ""  # "implicit": TensorRT 8.6 and 10 choose INT8 layers themselves, from ranges they calibrate
    sparsity: bool = False  # tactics for weights with 2:4 zeros are tried, too
    refit: bool = False  # weights can be exchanged in the engine
    memory_pools_mb: tuple[tuple[str, int], ...] = ()  # limits beside the workspace's, named as in `MEMORY_POOLS`
    tactic_sources: tuple[str, ...] = ()  # as the library names them; empty leaves the choice to it
    dla_core: int | None = None  # layers that this core takes run there, all others on the GPU
    plugins: tuple[str, ...] = ()  # file names out of the server's configuration; empty loads all of them

    def __post_init__(self) -> None:
        if self.optimization_level is not None and not 0 <= self.optimization_level <= 5:
            raise InvalidInput(
                f"Optimization level {self.optimization_level} is outside 0..5.", remedy="Choose 0, 1, 2, 3, 4 or 5."
            )
        if self.workspace_mb is not None and not 0 < self.workspace_mb <= MOST_WORKSPACE_MB:
            raise InvalidInput(
                f"Workspace of {self.workspace_mb:,} MB.",
                remedy=f"Give a size above zero and up to {MOST_WORKSPACE_MB:,}, or none.",
            )
        if self.calibration not in ("", "implicit"):
            raise InvalidInput(f"Calibration {self.calibration!r}.", remedy='Use "implicit", or leave it empty.')
        self._check_pools()
        if self.dla_core is not None and not 0 <= self.dla_core <= MOST_DLA_CORE:
            raise InvalidInput(f"DLA core {self.dla_core}.", remedy=f"Give a number from 0 to {MOST_DLA_CORE}.")
        if odd := [name for name in self.tactic_sources if not name.isidentifier()]:
            raise InvalidInput(f"Tactic source {odd[0][:40]!r}.", remedy="Write it as CUBLAS or JIT_CONVOLUTIONS.")
        if odd := [name for name in self.plugins if not name or "/" in name or "\\" in name]:
            raise InvalidInput(
                f"Plugin library {odd[0][:80]!r}.", remedy="Give a file name of the server's configuration, no path."
            )

    def _check_pools(self) -> None:
        names = [name for name, _ in self.memory_pools_mb]
        if odd := [name for name in names if name not in MEMORY_POOLS or names.count(name) > 1]:
            raise InvalidInput(f"Memory pool {odd[0][:40]!r}.", remedy=f"Use each of {', '.join(MEMORY_POOLS)} once.")
        if wrong := [size for _, size in self.memory_pools_mb if not 0 < size <= MOST_WORKSPACE_MB]:
            raise InvalidInput(
                f"Memory pool of {wrong[0]:,} MB.", remedy=f"Give a size above zero and up to {MOST_WORKSPACE_MB:,}."
            )


@dataclass(frozen=True, kw_only=True)
class BuildRequest:
    """Everything that decides an engine, apart from chance: the same request has the same id."""

    variant_id: str
    backend: str
    target: Sm | None  # None: the GPU of this machine
    profiles: tuple[OptimizationProfile, ...] = ()
    options: BuilderOptions = field(default_factory=BuilderOptions)
    calibrated: Recipe | None = None  # what decides an engine's ranges where the library calibrates by itself

    @property
    def identity(self) -> dict[str, Any]:
        """Plain values that decide the id.

        An option that came after engines had been stored is left out while it is at its default: their ids stay what
        they were.
        """
        plain: dict[str, Any] = to_plain(self)
        options = plain["options"]
        for item in fields(BuilderOptions):
            if item.name not in _FIRST_OPTIONS and getattr(self.options, item.name) == item.default:
                del options[item.name]
        for profile in plain["profiles"]:
            if not profile["values"]:
                del profile["values"]
        if self.calibrated is not None:
            plain["calibrated"] = self.calibrated.identity
        options["extra"] = []  # a field of the first releases that nothing ever filled
        return plain


_FIRST_OPTIONS = (
    "optimization_level",
    "workspace_mb",
    "tf32",
    "version_compatible",
    "hardware_compatibility",
    "timing_cache",
    "calibration",
)


@dataclass(frozen=True, kw_only=True)
class EngineTensor:
    """A tensor at the border of an engine layer. `dtype` as the compiler spells it, lower case (`half`, `int8`)."""

    name: str
    dtype: str = ""
    shape: tuple[int, ...] = ()
    format: str = ""

    @property
    def precision(self) -> Precision:
        """The numeric mode that the dtype stands for."""
        return _PRECISION_OF.get(self.dtype.lower(), Precision.UNKNOWN)


_PRECISION_OF = {
    "float": Precision.FP32,
    "float32": Precision.FP32,
    "fp32": Precision.FP32,
    "half": Precision.FP16,
    "float16": Precision.FP16,
    "fp16": Precision.FP16,
    "bfloat16": Precision.BF16,
    "bf16": Precision.BF16,
    "int8": Precision.INT8,
    "fp8": Precision.FP8,
    "float8": Precision.FP8,
    "fp8e4m3": Precision.FP8,
    "fp8_e4m3": Precision.FP8,
    "float8e4m3fn": Precision.FP8,
    "int4": Precision.INT4,
}


@dataclass(frozen=True, kw_only=True)
class EngineLayer:
    """A fused unit of an engine, in execution order.

    `source_names` are the node names of the file that was built, as the compiler's record lists them (they are not yet
    mapped to the uploaded model); `sources_inferred` says that they were read out of the layer's own name. `kind` is
    the compiler's LayerType, `kernel` its tactic name; both may be empty.
    `precision` is what the layer computes in, read from its record, never from the request.
    """

    index: int
    name: str
    kind: str = ""
    kernel: str = ""
    precision: Precision = Precision.UNKNOWN
    source_names: tuple[str, ...] = ()
    sources_inferred: bool = False
    stream: int = 0
    inputs: tuple[EngineTensor, ...] = ()
    outputs: tuple[EngineTensor, ...] = ()
    constants: tuple[EngineTensor, ...] = ()

    @property
    def is_bookkeeping(self) -> bool:
        """True for synchronisation records (signal, wait, jumps) and constants, which compute nothing."""
        return self.kind.lower() in {"signal", "wait", "jmp", "cjmp", "trainstation", "constant"}


@dataclass(frozen=True, kw_only=True)
class EngineRecord:
    """What the compiler recorded of one build: layers, pass counters, memory.

    `passes` are (pass, engine layers before, after) in the order of the log, `fusions` (step, first, second) as the log
    names them, in its order.
    """

    layers: tuple[EngineLayer, ...]
    io_tensors: tuple[EngineTensor, ...] = ()
    passes: tuple[tuple[str, int, int], ...] = ()
    fusions: tuple[tuple[str, str, str], ...] = ()
    activation_bytes: int | None = None
    weight_bytes: int | None = None

    @cached_property
    def working_layers(self) -> tuple[EngineLayer, ...]:
        """The layers that compute or move data."""
        return tuple(layer for layer in self.layers if not layer.is_bookkeeping)

    @cached_property
    def precisions(self) -> dict[str, int]:
        """How many working layers really run in each precision: `{"fp16": 12, "int8": 40}`."""
        return dict(Counter(layer.precision.value for layer in self.working_layers).most_common())
