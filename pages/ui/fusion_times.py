"""How long the layers of a build take, where it was measured in TensorRT with its layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from pages.ui import text
from pages.ui.once import once
from trt_core.analysis.fusion_times import HEAT, NOT_TIMED, layer_times
from trt_core.domain.artifacts import BuildRecord
from trt_core.domain.fusion import FusionMap
from trt_core.domain.latency import LatencyRun
from trt_core.workbench import Workbench

_RUNS_IT = "tensorrt"
# Light to dark in one hue of its own: the strong colours mean precisions.
HEAT_COLOURS = dict(
    zip((name for name, _ in HEAT), ("#F3E7D3", "#E8C48D", "#D9944A", "#B3611F", "#6E3410"), strict=True)
) | {NOT_TIMED: "#C9CDCF"}
SIZE, TIME = "Bytes written", "Time"


@dataclass(frozen=True, kw_only=True)
class LayerTimes:
    """Mean ms by layer index, and in words where they come from."""

    ms: Mapping[int, float]
    words: str


def times_of(bench: Workbench, build: BuildRecord, fusion: FusionMap) -> LayerTimes | None:
    """From the newest run of this very engine that timed its layers; None where there is none."""
    for head in bench.latency.heads(build.model_id):
        if head.subject_id == build.id and head.conditions.backend == _RUNS_IT:
            run = bench.latency.run(head.id)
            if run.layers:
                return _times(fusion, run, bench.latency.summary(run.id).p50_ms)
    return None


@once(8)
def _times(fusion: FusionMap, run: LatencyRun, p50_ms: float) -> LayerTimes | None:
    found = layer_times(fusion, run.layers)
    if not found:
        return None
    total = sum(mean for _, _, mean in run.layers)
    left = len(fusion.layers) - len(found)
    missing = f" Not timed: {text.counted(left, 'layer')} of the map." if left else ""
    words = (
        f"Means of a run with a profiler on {run.conditions.device}, batch {run.conditions.batch}: the layers sum to "
        f"{text.milliseconds(total)}, an inference without it takes {text.milliseconds(p50_ms)} (p50), because a "
        f"profiler keeps layers from overlapping. Read the shares.{missing}"
    )
    return LayerTimes(ms=found, words=words)


def choose_measure(times: LayerTimes) -> bool:
    """Whether time is shown in place of bytes and precisions."""
    shown = st.segmented_control(
        "Blocks and graph show", [TIME, SIZE], default=TIME, key="fusion.measure", required=True
    )
    if shown == TIME:
        st.caption(f":material/timer: {text.plain(times.words)}")
    return bool(shown == TIME)
