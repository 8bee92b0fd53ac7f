"""What TensorRT's verbose build log says: passes, fusions by name in their order, the timing cache, layers.

Pure text. Lines may carry a severity in front (`[VERBOSE] ` or one letter). Each line is read on its own, and every
pattern is anchored: the time is linear in the log.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from trt_core.backends.layer_names import names_in
from trt_core.backends.layer_precision import precision_of_layer
from trt_core.domain.engine import EngineLayer, EngineTensor

_SEVERITY = re.compile(r"^(?:\[[A-Z_]{1,20}\] |[VIWEF] )")
_PASS = re.compile(r"^(?:Original|After (?P<name>[^:]{1,80})): (?P<count>\d{1,9}) layers$")
_FUSION = re.compile(
    r"^(?P<step>\w{1,80}(?:Fusion|Nodes|Initializers)): [Ff]using (?P<first>.+?) (?:with|into) (?P<second>.+)$"
)
_REMOVED = re.compile(r"^Removing (?P<name>\S.*)$")
_SWAPPED = re.compile(r"^(?:Swap the layer|Convert layer) type of (?P<name>\S.*?) from (?P<old>\w+) to (?P<new>\w+)$")
_MEMORY = re.compile(r"^Total (?P<what>Activation|Weights) Memory: (?P<count>\d{1,18})")
_ENTRIES = re.compile(r"^(?P<what>Loaded|Serialized) (?P<count>\d{1,9}) timing cache entries\.?$")
_SERVED = re.compile(r"^Deleting timing cache: \d{1,9} entries, served (?P<count>\d{1,9}) hits since creation")
_PROFILED = re.compile(r"\((?P<runner>\w+)\[0x[0-9a-f]+\]\) profiling completed in (?P<seconds>[\d.e+-]+) seconds")
_LAYER = re.compile(
    r"^Layer\((?P<kind>\w{1,60})\): (?P<name>.+?), Tactic: (?P<tactic>0x[0-9a-f]{1,16}), "
    r"(?P<inputs>.*?) ?-> (?P<outputs>.+)$"
)
_TENSOR = re.compile(r"(?P<name>.+?) \((?P<dtype>\w{1,12})\[(?P<dims>[-\d:,]*)\]\)(?:, |$)")
_COMPILED = "Myelin"  # its code is generated anew in every build


@dataclass(frozen=True, kw_only=True)
class TimingCacheUse:
    """How a build used its timing cache.

    `lookups` are combinations of layer and tensor format that were autotuned and have a tactic, `answered` those of
    them that were not timed, because the cache knew them (from a file, or from the same build). `timing_s` is the time
    of all tactics timed, `compiled_s` its share in blocks that are compiled anew each time and cannot be cached.
    `served` is the library's own count of tactics that its cache knew, where it says so.
    """

    loaded: int = 0
    stored: int = 0
    lookups: int = 0
    answered: int = 0
    timing_s: float = 0.0
    compiled_s: float = 0.0
    served: int | None = None

    @property
    def hit_rate(self) -> float | None:
        """Share of lookups that needed no timing; None where nothing was looked up."""
        return self.answered / self.lookups if self.lookups else None


@dataclass(frozen=True, kw_only=True)
class BuildLog:
    """The last network that a log builds. `fusions` are (step, first, second), in the order of the log.

    `layers` come from the log's own layer information, which lacks kernels; the inspector's record says more.
    """

    passes: tuple[tuple[str, int, int], ...] = ()
    fusions: tuple[tuple[str, str, str], ...] = ()
    activation_bytes: int | None = None
    weight_bytes: int | None = None
    cache: TimingCacheUse = TimingCacheUse()
    layers: tuple[EngineLayer, ...] = ()


def read_log(log: str) -> BuildLog:
    """Read a verbose log. With calibration a log holds two builds: passes and fusions are those of the last one."""
    counts: list[tuple[str, int]] = []
    fusions: list[tuple[str, str, str]] = []
    memory: dict[str, int] = {}
    layers: list[EngineLayer] = []
    timing = _Timing()
    for line in log.split("\n"):
        text = _SEVERITY.sub("", line, count=1)
        counted = _PASS.match(text)
        if counted:
            if counted["name"] is None:
                counts, fusions, layers = [], [], []
            counts.append((counted["name"] or "", int(counted["count"])))
        elif fused := _fusion(text):
            fusions.append(fused)
        elif found := _MEMORY.match(text):
            memory[found["what"]] = int(found["count"])
        elif text.startswith("Layer("):
            layer = _layer(text, len(layers))
            layers += [layer] if layer else []
        else:
            timing.note(text)
    return BuildLog(
        passes=tuple((name, before, after) for (_, before), (name, after) in pairwise(counts)),
        fusions=tuple(fusions),
        activation_bytes=memory.get("Activation"),
        weight_bytes=memory.get("Weights"),
        cache=timing.use(),
        layers=tuple(layers),
    )


def _fusion(text: str) -> tuple[str, str, str] | None:
    if found := _FUSION.match(text):
        return found["step"], found["first"], found["second"]
    if found := _REMOVED.match(text):
        return "Removing", found["name"], ""
    if found := _SWAPPED.match(text):
        return f"{found['old']} to {found['new']}", found["name"], ""
    return None


class _Timing:
    """Follows autotuning: a combination is decided when the next one begins."""

    def __init__(self) -> None:
        self._entries = {"Loaded": 0, "Serialized": 0}
        self._open = False
        self._served: int | None = None
        self._tried = self._timed = False
        self._lookups = self._answered = 0
        self._timing_s = self._compiled_s = 0.0

    def note(self, text: str) -> None:
        if text.startswith(("*************** Autotuning", "=============== Computing")):
            self._decide()
            self._open = text.startswith("*")
        elif text.startswith("--------------- Timing Runner:"):
            self._tried = True
        elif found := _PROFILED.search(text):
            self._timed = True
            seconds = float(found["seconds"])
            self._timing_s += seconds
            self._compiled_s += seconds if found["runner"] == _COMPILED else 0.0
        elif found := _SERVED.match(text):
            self._served = int(found["count"])
        elif found := _ENTRIES.match(text):
            self._entries[found["what"]] = int(found["count"])

    def _decide(self) -> None:
        # A combination that was tried and not timed has no tactic: neither an answer nor a miss.
        if self._open and (self._timed or not self._tried):
            self._lookups += 1
            self._answered += not self._timed
        self._open = self._tried = self._timed = False

    def use(self) -> TimingCacheUse:
        self._decide()
        return TimingCacheUse(
            loaded=self._entries["Loaded"],
            stored=self._entries["Serialized"],
            lookups=self._lookups,
            answered=self._answered,
            timing_s=self._timing_s,
            compiled_s=self._compiled_s,
            served=self._served,
        )


def _layer(text: str, index: int) -> EngineLayer | None:
    found = _LAYER.match(text)
    if not found:
        return None
    inputs, outputs = _tensors(found["inputs"]), _tensors(found["outputs"])
    names = () if found["kind"] == "Constant" else names_in(found["name"])
    return EngineLayer(
        index=index,
        name=found["name"],
        kind=found["kind"],
        kernel=found["tactic"],
        precision=precision_of_layer(name=found["name"], kind=found["kind"], kernel="", inputs=inputs, outputs=outputs),
        source_names=names,
        sources_inferred=bool(names),
        inputs=inputs,
        outputs=outputs,
    )


def _tensors(text: str) -> tuple[EngineTensor, ...]:
    return tuple(
        EngineTensor(
            name=found["name"],
            dtype=found["dtype"].lower(),
            shape=tuple(int(size.partition(":")[0]) for size in found["dims"].split(",") if size),
        )
        for found in _TENSOR.finditer(text)
    )
