"""Stored things and their ancestry."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum

from trt_core.domain.engine import BuildRequest
from trt_core.domain.findings import Finding
from trt_core.domain.precision import CalibrationMethod, Provenance, Recipe, TensorRange
from trt_core.domain.tensors import TensorSpec
from trt_core.errors import NotFound


class ArtifactKind(Enum):
    """What a stored thing is; the letter begins its id."""

    MODEL = "m"
    VARIANT = "v"
    BUILD = "b"
    LATENCY = "l"
    DIVERGENCE = "d"
    SUPPORT = "s"
    DATA = "n"
    CALIBRATION = "c"
    CACHE = "k"  # a calibration cache
    TRIAGE = "t"
    PLAN = "p"
    VALIDATION = "e"  # an evaluation
    RECORDING = "r"
    SWEEP = "w"
    INTAKE = "q"  # files handed over for a job to read
    REBUILD = "a"  # attempts at one request, compared
    SENSITIVITY = "y"  # s is taken
    INSIDE = "i"  # a look into an engine


_ID = re.compile(r"[mvbldsnctperwkiyaq]-[0-9a-f]{12}(-[0-9]{1,4})?")


def checked_id(text: str, kind: ArtifactKind | None = None) -> str:
    """The text if it is an artifact's id (of that kind); NotFound otherwise. Only checked ids become paths."""
    if not _ID.fullmatch(text) or (kind is not None and text[0] != kind.value):
        what = f"a {kind.name.lower()}" if kind else "an artifact"
        raise NotFound(f"{text[:80]!r} is not the id of {what}.", remedy="Copy it whole: a list of runs has it.")
    return text


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """The manifest of one stored folder: file names with their sha256, parents, and free plain values."""

    id: str
    kind: ArtifactKind
    created_at: float
    parents: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    size_bytes: int = 0

    def __post_init__(self) -> None:
        checked_id(self.id, self.kind)


@dataclass(frozen=True, kw_only=True)
class ModelRecord:
    """An uploaded ONNX model. `sha256` covers the file and its external data."""

    id: str
    sha256: str
    name: str
    created_at: float
    opset: int
    ir_version: int
    producer: str
    parameters: int
    size_bytes: int
    node_count: int
    macs: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    op_histogram: dict[str, int]
    filename: str = "model.onnx"
    sample: str = ""  # key in the samples' catalog
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DataRecord:
    """A stored `.npz`: one array per input, the first axis counts samples."""

    id: str
    sha256: str
    name: str
    created_at: float
    samples: int
    arrays: tuple[TensorSpec, ...]
    size_bytes: int
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CalibrationRecord:
    """Ranges of every activation that a precision can quantize: one calibration serves all mixed-precision plans."""

    id: str
    model_id: str
    data_id: str
    created_at: float
    method: CalibrationMethod
    percentile: float
    samples: int
    ranges: tuple[TensorRange, ...]
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CacheRecord:
    """A calibration cache of TensorRT 8.6 or 10 for a model, from elsewhere or of a build here.

    `known` of its `tensors` are tensors of the uploaded file; `without_scale` counts those that have no scale.
    """

    id: str
    model_id: str
    sha256: str
    name: str
    created_at: float
    version: str  # of the TensorRT that wrote it
    method: CalibrationMethod
    tensors: int
    without_scale: int
    known: int
    size_bytes: int
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, kw_only=True)
class VariantRecord:
    """A model in another precision, as ONNX: `model.onnx` is built, `twin.onnx` is run for numerics."""

    id: str
    model_id: str
    sha256: str
    created_at: float
    recipe: Recipe
    ranges: tuple[TensorRange, ...]
    quantized_nodes: tuple[str, ...]
    kept_nodes: tuple[str, ...]
    provenance: Provenance
    node_count: int
    findings: tuple[Finding, ...] = ()


PROOF = "proof for Support"
COMPARED = "part of a comparison of precisions"
SQUARED = "part of a four-way square"


@dataclass(frozen=True, kw_only=True)
class BuildRecord:
    """One attempt at one build request that succeeded; the engine's record and the fusion map are files beside it."""

    id: str
    model_id: str
    created_at: float
    request: BuildRequest
    recipe: Recipe
    attempt: int
    backend_version: str
    target: str
    seconds: float
    engine_bytes: int
    engine_sha256: str
    layer_count: int
    precisions: dict[str, int]  # working layers by the precision they really run in
    node_states: dict[str, int]  # original nodes by what became of them
    stages: tuple[tuple[str, float], ...] = ()  # (stage, seconds)
    host: tuple[tuple[str, str], ...] = ()  # of the machine that built it: os, gpu, driver, cuda, as far as known
    ranges: tuple[TensorRange, ...] = ()  # of implicit calibration
    findings: tuple[Finding, ...] = ()
    made_for: str = ""  # what it was built as a part of, where nobody asked for an engine: PROOF ...
