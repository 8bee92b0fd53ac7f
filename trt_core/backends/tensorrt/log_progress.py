"""Progress of a build of TensorRT 8.6, which has no progress monitor: read out of its log as it is written."""

from __future__ import annotations

import re

from trt_core.domain.jobs import Progress
from trt_core.protocols import Reporter

_LAYERS = re.compile(r"^(?:Original|After [^:]{1,80}): (?P<count>\d{1,9}) layers$")
# A phase, the line that begins it, and its share of one build at its beginning and end.
_PHASES = (
    ("Optimizing the graph", "Original: ", 0.02, 0.10),
    ("Timing tactics", "Applying generic optimizations", 0.10, 0.92),
    ("Generating the engine", "Formats and tactics selection completed", 0.92, 0.98),
    ("Writing the engine", "Engine generation completed", 0.98, 1.0),
)
# With implicit calibration a small engine is built, run over the data, and only then the one that was asked for.
_CALIBRATION_ENGINE = "Constructing calibration profile"
_CALIBRATING = "Starting Calibration"
_CALIBRATED = "Calibration completed"


class LogProgress:
    """Hears every record of a log. Shares of phases are our estimate; within tactic timing they count layers.

    The library cannot be stopped from here: what `check` raises is kept in `stopped_by`, and raised after the build
    unless the worker is ended before.
    """

    def __init__(self, reporter: Reporter) -> None:
        self.stopped_by: Exception | None = None
        self._reporter = reporter
        self._phase: tuple[str, str, float, float] | None = None
        self._layers = 0
        self._timed = 0
        self._fraction = 0.0
        self._span = (0.0, 1.0)

    def hear(self, text: str) -> None:
        """Take one record."""
        if self.stopped_by is not None:
            return
        counted = _LAYERS.match(text)
        if counted:
            self._layers = int(counted["count"])
        if text.startswith(_CALIBRATION_ENGINE):
            self._span = (0.0, 0.3)
        elif text.startswith(_CALIBRATED):
            self._span = (0.4, 1.0)
        begun = next((phase for phase in _PHASES if text.startswith(phase[1])), None)
        if text.startswith(_CALIBRATING):
            self._span, begun = (0.3, 0.4), ("Calibrating", _CALIBRATING, 0.0, 1.0)
        is_layer = text.startswith("=============== Computing costs for")
        if begun is None and not is_layer:
            return
        if begun is not None:
            self._phase, self._timed = begun, 0
        self._timed += is_layer
        try:
            self._reporter.check()
            self._reporter.progress(self._progress())
        except Exception as error:  # noqa: BLE001 - the library swallows it: raised again after the build
            self.stopped_by = error

    def _progress(self) -> Progress:
        name, _, begin, end = self._phase or ("Preparing", "", 0.0, 0.0)
        counts = name == "Timing tactics" and self._layers > 0
        share = min(self._timed / self._layers, 1.0) if counts else 0.0
        first, last = self._span
        self._fraction = max(self._fraction, first + (last - first) * (begin + (end - begin) * share))
        steps = (min(self._timed, self._layers), self._layers) if counts else (None, None)
        return Progress(phase=name, fraction=self._fraction, step=steps[0], steps=steps[1])
