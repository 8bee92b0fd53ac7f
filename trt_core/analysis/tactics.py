"""Auto-tuning, layer by layer: candidates, the choice, how close the second was, and what it cost."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from trt_core.domain.engine import EngineLayer, EngineRecord, EngineTensor
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.tactics import Trial, TrialState, Tuning

_REFORMATS = frozenset({"reformat", "myelinreformat"})
_COPY = "Reformatting CopyNode"
_LOGGED = re.compile(r"^(?P<dtype>\w+)\((?P<strides>[\d,:]*)\)$")
_VECTOR = re.compile(r":(?P<width>\d+)")
_CHANNELS = re.compile(r"channel % (?P<width>\d+)")
_WIDE = {"two": 2, "four": 4, "eight": 8, "sixteen": 16, "thirty-two": 32}
CLOSE = 0.02  # a second within 2 % may win the next build


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A tactic in one combination of formats. `chosen` is what the engine runs; `fits` is true in its own formats."""

    kernel: str
    tactic: str
    runner: str
    formats: str
    time_ms: float
    chosen: bool = False
    fits: bool = False


@dataclass(frozen=True, kw_only=True)
class LayerTuning:
    """One engine layer in auto-tuning.

    `candidates` are those timed for it, the fastest first, over all formats. `like` names the layer of the same
    formats whose timings hold the tactic that this one runs, where this one was not timed itself: then `candidates`
    are that layer's. `combinations` were looked at, of which `reused` needed no timing. `seconds` is time spent timing.
    """

    layer: str
    index: int
    tactic: str
    candidates: tuple[Candidate, ...] = ()
    like: str = ""
    combinations: int = 0
    reused: int = 0
    impossible: int = 0
    first_valid: bool = False
    seconds: float = 0.0

    @property
    def chosen(self) -> Candidate | None:
        """What the engine runs, where the log has timed it."""
        return next((item for item in self.candidates if item.chosen), None)

    @property
    def runner_up(self) -> Candidate | None:
        """The fastest other tactic in the same combination of formats."""
        mine = self.chosen
        if mine is None:
            return None
        return next((item for item in self.candidates if item.formats == mine.formats and not item.chosen), None)

    @property
    def gap(self) -> float | None:
        """How much slower the second is than the chosen one, as a share: 0.02 is 2 %."""
        if self.chosen is None or self.runner_up is None or not self.chosen.time_ms:
            return None
        return self.runner_up.time_ms / self.chosen.time_ms - 1.0

    @property
    def faster_elsewhere(self) -> Candidate | None:
        """A faster tactic in other formats, which was not taken because of what its reformats would cost."""
        best = self.candidates[0] if self.candidates else None
        if best is None or self.chosen is None or best.fits or best.time_ms >= self.chosen.time_ms:
            return None
        return best


def layer_tunings(
    tuning: Tuning, record: EngineRecord, tactics: Sequence[str] | None = None
) -> tuple[LayerTuning, ...]:
    """Join what the log tuned with the engine's layers, in execution order; reformats and copies are left out.

    `tactics` are the ids of the engine's tactics by layer position, where the record has only kernel names. Blocks
    without a name in the log are those that were not timed: they take the layer in their position, if every named
    block stands where the engine has it; otherwise they stay out.
    """
    tuned = [(position, layer) for position, layer in enumerate(record.layers) if _is_tuned(layer)]
    by_layer = _trials_by_layer(tuning, [layer.name for _, layer in tuned])
    found = []
    for position, layer in tuned:
        tactic = tactics[position] if tactics is not None else layer.kernel
        found.append(_tuning_of(layer, tactic, by_layer.get(layer.name, [])))
    return tuple(_with_likeness(found, by_layer))


def _is_tuned(layer: EngineLayer) -> bool:
    return layer.kind.lower() not in _REFORMATS and not layer.name.startswith(_COPY)


def _trials_by_layer(tuning: Tuning, names: Sequence[str]) -> dict[str, list[Trial]]:
    blocks: dict[int, list[Trial]] = {}
    for trial in tuning.final_trials:
        if not trial.is_reformat:
            blocks.setdefault(trial.block, []).append(trial)
    said = [next((trial.layer for trial in block if trial.layer), "") for block in blocks.values()]
    in_order = len(said) == len(names) and all(a == b for a, b in zip(said, names, strict=True) if a)
    owners = names if in_order else said
    found: dict[str, list[Trial]] = {}
    for owner, block in zip(owners, blocks.values(), strict=True):
        if owner:
            found.setdefault(owner, []).extend(block)
    return found


def _tuning_of(layer: EngineLayer, tactic: str, trials: Sequence[Trial]) -> LayerTuning:
    states = [trial.state for trial in trials]
    return LayerTuning(
        layer=layer.name,
        index=layer.index,
        tactic=tactic,
        candidates=_candidates(layer, tactic, trials),
        combinations=len(trials),
        reused=states.count(TrialState.REUSED),
        impossible=states.count(TrialState.IMPOSSIBLE),
        first_valid=any(trial.first_valid for trial in trials),
        seconds=sum(trial.seconds for trial in trials),
    )


def _candidates(layer: EngineLayer, tactic: str, trials: Sequence[Trial]) -> tuple[Candidate, ...]:
    own = (_formats(layer.inputs), _formats(layer.outputs))
    found = [
        Candidate(
            kernel=item.kernel,
            tactic=item.tactic,
            runner=item.runner,
            formats=trial.formats,
            time_ms=item.time_ms,
            fits=_logged_formats(trial.formats) == own,
        )
        for trial in trials
        for item in trial.times
    ]
    found.sort(key=lambda item: item.time_ms)
    mine = next((place for place, item in enumerate(found) if item.fits and item.tactic == tactic), None)
    if mine is not None:
        found[mine] = replace(found[mine], chosen=True)
    return tuple(found)


def _with_likeness(tunings: Sequence[LayerTuning], by_layer: dict[str, list[Trial]]) -> list[LayerTuning]:
    """Give layers that were not timed the timings of a layer with the same formats that knows their tactic."""
    asked = {name: tuple(trial.formats for trial in trials) for name, trials in by_layer.items()}
    timed: dict[tuple[str, ...], list[LayerTuning]] = {}
    for item in tunings:
        if item.candidates and item.layer in asked:
            timed.setdefault(asked[item.layer], []).append(item)
    found = []
    for item in tunings:
        twins = [] if item.candidates else timed.get(asked.get(item.layer, ()), [])
        twin = next(
            (other for other in twins if any(c.fits and c.tactic == item.tactic for c in other.candidates)), None
        )
        found.append(item if twin is None else _like(item, twin))
    return found


def _like(item: LayerTuning, twin: LayerTuning) -> LayerTuning:
    marked = [replace(candidate, chosen=False) for candidate in twin.candidates]
    mine = next(place for place, c in enumerate(marked) if c.fits and c.tactic == item.tactic)
    marked[mine] = replace(marked[mine], chosen=True)
    return replace(item, candidates=tuple(marked), like=twin.layer)


def _formats(tensors: Sequence[EngineTensor]) -> tuple[str, int] | None:
    """(dtype, vector width) of the first tensor, which is what the log's strides also say."""
    if not tensors:
        return None
    text = tensors[0].format.lower()
    found = _CHANNELS.search(text)
    wide = next((width for word, width in _WIDE.items() if text.startswith(f"{word} wide")), 1)
    return tensors[0].dtype.lower(), int(found["width"]) if found else wide


def _logged_formats(text: str) -> tuple[tuple[str, int] | None, tuple[str, int] | None]:
    left, _, right = text.partition("->")
    return _logged(left), _logged(right)


def _logged(side: str) -> tuple[str, int] | None:
    first = side.strip().split("), ")[0].strip()
    found = _LOGGED.match(first if first.endswith(")") or not first else first + ")")
    if not found:
        return None
    vector = _VECTOR.search(found["strides"])
    return found["dtype"].lower(), int(vector["width"]) if vector else 1


def tuning_findings(tunings: Sequence[LayerTuning], tuning: Tuning) -> tuple[Finding, ...]:
    """What auto-tuning says about itself: close races, a refused timing cache, layers that took most of the time."""
    found = []
    close = [item for item in tunings if item.gap is not None and not item.like and item.gap < CLOSE]
    if close:
        found.append(
            Finding(
                rule="tactics-close",
                severity=Severity.NOTE,
                message=f"In {len(close)} layers the second tactic is within {CLOSE:.0%} of the chosen one: "
                "another build may take it.",
                remedy="Keep the timing cache with the engine, so that the same tactics are taken again.",
                nodes=tuple(item.layer for item in close),
            )
        )
    if tuning.cache_refused:
        found.append(
            Finding(
                rule="timing-cache-refused",
                severity=Severity.WARNING,
                message=f"The builder loaded {tuning.cache_loaded} timing cache entries and then said that it will "
                "not use the cache for its compiled blocks.",
                remedy="Make the cache on the same GPU and version, and hand it over whole.",
            )
        )
    spent = sum(trial.seconds for trial in tuning.trials)
    slow = max(tunings, key=lambda item: item.seconds, default=None)
    if slow is not None and spent and slow.seconds > 0.25 * spent:
        found.append(
            Finding(
                rule="tuning-time-in-one-layer",
                severity=Severity.NOTE,
                message=f"One layer took {slow.seconds:.3g} s of the {spent:.3g} s spent timing tactics.",
                remedy="A timing cache saves it, unless the block is compiled anew each time.",
                nodes=(slow.layer,),
            )
        )
    return tuple(found)
