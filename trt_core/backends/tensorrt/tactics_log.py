"""Auto-tuning as a verbose build log of TensorRT tells it: every tactic with its time, and the one that was taken.

Pure text. Lines may carry a severity in front (`V `, `[V] [TRT] `, `[date] [V] `). Every pattern is anchored and read
line by line, so the time is linear in the log.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from trt_core.domain.tactics import TacticTime, Trial, Tuning

_SEVERITY = re.compile(r"^(?:(?:\[[^\]]{1,40}\] ){1,4}|[VIWEF] )")
_BLOCK = re.compile(r"^=============== Computing (?P<what>reformatting costs|costs)(?: for ?(?P<layer>.*))?:? ?$")
_TRIAL = re.compile(
    r"^\*+ Autotuning (?P<what>format combination|Reformat): ?(?P<formats>.*?) \*+$"
)  # formats: `Float(1) -> Half(1)`
_RUNNER = re.compile(r"^-+ Timing Runner: (?P<layer>.*) \((?P<runner>\w+)(?:\[0x[0-9a-f]+\])?\)$")
_TIME = re.compile(
    r"^(?:Tactic Name: (?P<kernel>.*?) )?Tactic: (?P<tactic>0x[0-9a-f]{1,16}) Time: (?P<time>[\d.e+-]+|inf)$"
)
_FIRST = " A valid tactic is found. Rest of the tactics are skipped."
_PROFILED = re.compile(r" profiling completed in (?P<seconds>[\d.e+-]+) seconds")
_COUNTS = re.compile(r": (?P<available>\d{1,9}) available tactics, (?:\d{1,9} unparsable, )?(?P<pruned>\d{1,9}) pruned")
_CHOSE = re.compile(r"^>+ Chose Runner Type: (?P<runner>\w+) Tactic: (?P<tactic>0x[0-9a-f]{1,16})")
_FASTEST = re.compile(r"Fastest Tactic: (?P<tactic>0x[0-9a-f]{1,16}) Time: ")
_SELECTED = re.compile(r"^Formats and tactics selection completed in (?P<seconds>[\d.e+-]+) seconds")
_ENGINE = re.compile(r"^Engine generation completed in (?P<seconds>[\d.e+-]+) seconds")
_ENTRIES = re.compile(r"^(?P<what>Loaded|Serialized) (?P<count>\d{1,9}) timing cache entries")


def read_tuning(log: str | Iterable[str]) -> Tuning:
    """What auto-tuning did. A log without any of it, such as TensorRT-RTX's, gives an empty Tuning."""
    reader = _Reader()
    for line in log.split("\n") if isinstance(log, str) else log:
        reader.read(_SEVERITY.sub("", line.rstrip("\r\n"), count=1))
    return reader.tuning()


class _Reader:
    """Follows the log: blocks hold trials, trials hold runners, runners time tactics."""

    def __init__(self) -> None:
        self._trials: list[Trial] = []
        self._open: Trial | None = None
        self._times: list[TacticTime] = []
        self._block = -1
        self._layer = self._runner = ""
        self._selection: list[float] = []
        self._found = Tuning()

    def read(self, text: str) -> None:
        """Take one line."""
        if text.startswith("="):
            self._begin_block(text)
        elif text.startswith("*"):
            self._begin_trial(text)
        elif text.startswith("-"):
            self._begin_runner(text)
        elif text.startswith(("Tactic", ">")):
            self._note_tactic(text)
        elif "available tactics" in text or "profiling completed" in text:
            self._note_counts(text)
        else:
            self._note_build(text)

    def tuning(self) -> Tuning:
        """What was read."""
        self._close()
        builds = max((trial.build for trial in self._trials), default=-1) + 1
        return replace(self._found, trials=tuple(self._trials), builds=builds, selection_s=tuple(self._selection))

    def _close(self) -> None:
        if self._open is not None:
            self._trials.append(replace(self._open, times=tuple(self._times)))
        self._open, self._times = None, []

    def _begin_block(self, text: str) -> None:
        found = _BLOCK.match(text)
        if found is None:
            return
        self._close()
        self._block += 1
        self._layer = (found["layer"] or "").strip(" :")

    def _begin_trial(self, text: str) -> None:
        found = _TRIAL.match(text)
        if found is None:
            return
        self._close()
        self._open = Trial(
            build=len(self._selection),
            block=max(self._block, 0),
            is_reformat=found["what"] == "Reformat",
            formats=found["formats"],
            layer=self._layer,
        )

    def _begin_runner(self, text: str) -> None:
        found = _RUNNER.match(text)
        if found is not None and self._open is not None:
            self._runner = found["runner"]
            self._open = replace(self._open, layer=found["layer"], tried=self._open.tried + 1)

    def _note_tactic(self, text: str) -> None:
        if self._open is None:
            return
        if found := _TIME.match(text):
            self._times.append(
                TacticTime(
                    runner=self._runner,
                    tactic=found["tactic"],
                    time_ms=float(found["time"]),
                    kernel=found["kernel"] or "",
                )
            )
        elif found := _CHOSE.match(text):
            self._open = replace(self._open, chosen=found["tactic"], runner=found["runner"])
        elif text.endswith(_FIRST):
            self._open = replace(self._open, first_valid=True)

    def _note_counts(self, text: str) -> None:
        if self._open is None:
            return
        if found := _PROFILED.search(text):
            self._open = replace(self._open, seconds=self._open.seconds + float(found["seconds"]))
            fastest = _FASTEST.search(text)
            if fastest and self._open.is_reformat:  # a reformat has no line that says what was chosen
                self._open = replace(self._open, chosen=self._fastest(fastest["tactic"]), runner=self._runner)
        elif found := _COUNTS.search(text):
            self._open = replace(self._open, available=int(found["available"]), pruned=int(found["pruned"]))

    def _fastest(self, tactic: str) -> str:
        return min(self._times, key=lambda item: item.time_ms).tactic if self._times else tactic

    def _note_build(self, text: str) -> None:
        if found := _SELECTED.match(text):
            self._close()
            self._selection.append(float(found["seconds"]))
            self._block, self._layer = -1, ""
        elif found := _ENGINE.match(text):
            self._found = replace(self._found, engine_s=float(found["seconds"]))
        elif found := _ENTRIES.match(text):
            count = int(found["count"])
            if found["what"] == "Loaded":
                self._found = replace(self._found, cache_loaded=count)
            else:
                self._found = replace(self._found, cache_stored=count)
        elif "The timing cache will not be used" in text:
            self._found = replace(self._found, cache_refused=True)
