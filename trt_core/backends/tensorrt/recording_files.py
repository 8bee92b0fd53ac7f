"""Files that tell of engines on other machines, told apart by what is in them.

Read are: an inspector's dump (`trtexec --exportLayerInfo`, TREx's `*.graph.json`), a layer profile (`--exportProfile`),
times of inferences (`--exportTimes`), TREx's `*.metadata.json`, a verbose build log, a calibration cache (`--calib`),
and a table of results that this project's own recordings use. Contents come from strangers: everything is checked by
type and size, and names are labels only.
"""

from __future__ import annotations

import gzip
import io
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from trt_core.backends.tensorrt.calibration_cache import cache_text, read_cache
from trt_core.backends.tensorrt.trex_files import Metadata, metadata_of
from trt_core.domain.precision import Precision
from trt_core.errors import InvalidData, UnreadableRecording

FILE_BYTES = 64 << 20  # of one file, unpacked
TOTAL_BYTES = 256 << 20
MOST_FILES = 400
MOST_SAMPLES = 2_000_000
_ENDING = re.compile(r"(?:\.(?:gz|json|log|txt|calib|cache))+$", re.IGNORECASE)
_ROLE = re.compile(
    r"[._-]?(?:layers|layer[_-]?info|graph|profile|timings?|times|build|engine|log|metadata|export)$",
    re.IGNORECASE,
)
_SAID = re.compile(r"^(?:[WE] |(?:\[[^\]]{1,40}\] )*\[[WE]\] (?:\[TRT\] )?)(?P<text>.+)$")


@dataclass(kw_only=True)
class Raw:
    """What the files of one engine hold. Times in ms."""

    name: str
    layers_json: str = ""
    log: str = ""
    profile: list[tuple[str, float]] = field(default_factory=list)
    samples_ms: list[float] = field(default_factory=list)
    enqueue_ms: list[float] = field(default_factory=list)
    h2d_ms: list[float] = field(default_factory=list)
    numbers: dict[str, float] = field(default_factory=dict)
    calibration: str = ""
    source: str = ""
    metadata: Metadata = field(default_factory=Metadata)


def read_recordings(files: Mapping[str, BinaryIO], *, required: bool = True) -> tuple[Raw, ...]:
    """Engines in the files, in the order of their names.

    Raises UnreadableRecording for too many or too large files, and for a set in which no engine is found although
    one is `required`. A file of another kind is left out.
    """
    if len(files) > MOST_FILES:
        raise UnreadableRecording(f"{len(files)} files; {MOST_FILES} are read at once.", remedy="Give fewer.")
    room = TOTAL_BYTES
    found: dict[str, Raw] = {}
    caches: dict[str, str] = {}
    told: dict[str, Metadata] = {}
    for name in sorted(files):
        content = _unpacked(name, files[name], min(FILE_BYTES, room))
        room -= len(content)
        if content.startswith(b"TRT-"):
            caches[stem_of(name)] = _cache_of(name, content)
        else:
            _take(name, content.decode("utf-8", "replace"), found, told)
    engines = _joined(found)
    _give_caches(caches, engines)
    _give_metadata(told, engines)
    if required and not engines:
        raise UnreadableRecording(
            "None of the files describes an engine.",
            remedy="Give trtexec's --exportLayerInfo, --exportProfile or --exportTimes, or a verbose build log.",
        )
    return tuple(engines)


def builder_words(log: str, *, most: int = 100) -> tuple[str, ...]:
    """The builder's own warnings and errors, each once."""
    lines = (_SAID.match(line[:500]) for line in log.split("\n"))
    return tuple(dict.fromkeys(found["text"] for found in lines if found))[:most]


def _unpacked(name: str, file: BinaryIO, limit: int) -> bytes:
    head = file.read(2)
    stream: Any = file
    rest = io.BytesIO(head + file.read(limit + 1)) if head != b"\x1f\x8b" else None
    if rest is None:
        file.seek(0)
        stream = gzip.GzipFile(fileobj=file)
    try:
        content: bytes = (rest or stream).read(limit + 1)
    except (OSError, EOFError, ValueError) as error:
        raise UnreadableRecording(f"{name[:80]!r} cannot be unpacked: {error}.", remedy="Copy it again.") from error
    if len(content) > limit:
        raise UnreadableRecording(
            f"{name[:80]!r} is larger than {limit >> 20} MiB.", remedy="Give a smaller recording."
        )
    return content


def _cache_of(name: str, content: bytes) -> str:
    try:
        text = cache_text(content)
        read_cache(text)
    except InvalidData as error:
        raise UnreadableRecording(f"{name[:80]!r}: {error.message}", remedy=error.remedy) from error
    return text


def _give_caches(caches: Mapping[str, str], engines: Sequence[Raw]) -> None:
    """A cache belongs to the engine of its name, else to the only one that its name begins and that was calibrated."""
    for stem, text in caches.items():
        named = [raw for raw in engines if raw.name == stem]
        likely = [raw for raw in engines if raw.name.startswith(stem) and "calib" in raw.name.lower()]
        for raw in named or (likely if len(likely) == 1 else engines if len(engines) == 1 else ()):
            raw.calibration = text


def _give_metadata(told: Mapping[str, Metadata], engines: Sequence[Raw]) -> None:
    """TREx names files after the model alone: the precision that the build allowed tells its engines apart."""
    for stem, metadata in told.items():
        for raw in [raw for raw in engines if raw.name == stem] or (engines if len(engines) == 1 else ()):
            raw.metadata = metadata
            if metadata.asked is not Precision.UNKNOWN and metadata.asked.value not in raw.name.lower():
                raw.name = f"{raw.name}_{metadata.asked.value}"


def _take(name: str, text: str, found: dict[str, Raw], told: dict[str, Metadata]) -> None:
    stem = stem_of(name)
    begin = text.lstrip()[:1]
    if begin not in ("{", "["):
        _take_log(stem, text, found)
        return
    try:
        value = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        _take_log(stem, text, found)  # a log may begin with a bracket, too
        return
    metadata = metadata_of(value)
    if metadata is not None:
        told[stem] = told.get(stem, Metadata()).merged(metadata)
    elif isinstance(value, list):
        _take_list(stem, value, found)
    elif any(str(key).lower() == "layers" for key in value):
        found.setdefault(stem, Raw(name=stem)).layers_json = text
    else:
        _take_results(value, found)


def _take_log(stem: str, text: str, found: dict[str, Raw]) -> None:
    if "Autotuning" in text or "Engine Layer Information" in text or "Registering layer" in text:
        found.setdefault(stem, Raw(name=stem)).log = text


def _take_list(stem: str, value: list[Any], found: dict[str, Raw]) -> None:
    items = [item for item in value[:MOST_SAMPLES] if isinstance(item, dict)]
    profile = [(str(item["name"])[:4000], _time(item)) for item in items if "name" in item and _time(item) is not None]
    times = [item for item in items if "computeMs" in item or "latencyMs" in item]
    if profile:
        raw = found.setdefault(stem, Raw(name=stem))
        raw.profile, raw.source = [(name, ms) for name, ms in profile if ms is not None], "trtexec"
    elif times:
        raw = found.setdefault(stem, Raw(name=stem))
        raw.samples_ms = _times(item.get("computeMs", item.get("latencyMs")) for item in times)
        spans = ((_number(item.get("startEnqMs")), _number(item.get("endEnqMs"))) for item in times)
        raw.enqueue_ms = [end - begin for begin, end in spans if begin is not None and end is not None]
        raw.h2d_ms = list(_numbers(item.get("h2dMs") for item in times))
        raw.source = "trtexec"


def _time(item: Mapping[str, Any]) -> float | None:
    """The layer's time in one inference; older dialects have only the mean, newer ones the median as well."""
    for key in ("averageMs", "medianMs"):
        value = _number(item.get(key))
        if value is not None:
            return value
    return None


def _take_results(value: Mapping[str, Any], found: dict[str, Raw]) -> None:
    """`{engine: {"lat": [ms], "profile": {layer: ms}, "p50": ms, ...}}`."""
    for name, entry in list(value.items())[:MOST_FILES]:
        if not isinstance(entry, dict) or not ("lat" in entry or "profile" in entry):
            continue
        raw = found.setdefault(str(name)[:200], Raw(name=str(name)[:200]))
        raw.source = "recording"
        samples, profile = entry.get("lat"), entry.get("profile")
        raw.samples_ms = _times(samples[:MOST_SAMPLES]) if isinstance(samples, list) else []
        if isinstance(profile, dict):
            pairs = ((str(layer)[:4000], _number(ms)) for layer, ms in profile.items())
            raw.profile = [(layer, ms) for layer, ms in pairs if ms is not None]
        raw.numbers = {str(key): number for key, item in entry.items() if (number := _number(item)) is not None}


def _times(values: Iterable[object]) -> list[float]:
    """Times of inferences in ms: nothing takes no time, and a ratio to it would have no meaning."""
    return [value for value in _numbers(values) if value > 0.0]


def _numbers(values: Iterable[object]) -> Iterable[float]:
    return (number for value in values if (number := _number(value)) is not None)


def _number(value: object) -> float | None:
    """A finite number of zero or more; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > 1e15:
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None


def stem_of(name: str) -> str:
    """The engine that a file's name stands for: `r18_fp16` of `out/r18_fp16.layers.json.gz`.

    TREx's `net.onnx.engine.profile.metadata.json` stands for `net`.
    """
    base = _ENDING.sub("", name.replace("\\", "/").rsplit("/", 1)[-1])
    for _ in range(3):
        base = _ROLE.sub("", base)
    return _ENDING.sub("", base).removesuffix(".onnx")[:200] or "engine"


def told_apart(names: Iterable[str]) -> list[str]:
    """The same names in their order, with a number at the stem of those that came before: `r18 (2).layers.json`.

    The second file of each name belongs to a second engine, as when two folders are handed over at once.
    """
    apart: dict[str, None] = {}
    numbers: dict[str, int] = {}
    for name in names:
        told = name
        while told in apart:
            numbers[name] = numbers.get(name, 1) + 1
            told = _numbered(name, numbers[name])
        apart[told] = None
    return list(apart)


def _numbered(name: str, number: int) -> str:
    stem = stem_of(name)
    base = name.replace("\\", "/").rpartition("/")[2]
    if not base.startswith(stem):
        return f"{stem} ({number}).{name}"
    return f"{name.removesuffix(base)}{stem} ({number}){base.removeprefix(stem)}"


def _joined(found: dict[str, Raw]) -> list[Raw]:
    """One engine a stem; files that share no stem but complete each other are one engine."""
    engines = [found[name] for name in sorted(found)]
    lists = [[raw for raw in engines if getattr(raw, part)] for part in ("layers_json", "profile", "samples_ms", "log")]
    if len(engines) < 2 or any(len(group) > 1 for group in lists):
        return [raw for raw in engines if raw.layers_json or raw.log or raw.profile or raw.samples_ms]
    first = next(group[0] for group in lists if group)
    for part, group in zip(("layers_json", "profile", "samples_ms", "log"), lists, strict=True):
        if group:
            setattr(first, part, getattr(group[0], part))
            first.enqueue_ms = first.enqueue_ms or group[0].enqueue_ms
            first.h2d_ms = first.h2d_ms or group[0].h2d_ms
            first.numbers = first.numbers or group[0].numbers
            first.source = first.source or group[0].source
    return [first]
