"""A workbench over a fake TensorRT, with an engine in it: what tests of looks into engines share."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
from onnx import helper, numpy_helper

from tests import models
from trt_core.domain.engine_divergence import InsideSpec
from trt_core.domain.jobs import Job, JobState
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.profiles import OptimizationProfile, range_from_text
from trt_core.domain.requests import BuildSpec, QuantizeSpec
from trt_core.errors import TrtCoreError
from trt_core.jobs.sqlite_log import SqliteJobLog
from trt_core.settings import settings_from
from trt_core.testing import CollectingReporter, FakeObserver, FakeTensorRT
from trt_core.workbench import open_workbench


def scaled(name: str, shape: tuple[int, int], *, seed: int):
    """Weights that leave the size of what they multiply about the same."""
    values = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    return numpy_helper.from_array(values / np.float32(np.sqrt(shape[0])), name)


def tower(blocks: int = 6, *, prefix: str = "b"):
    """x (batch, 16) through residual blocks: every block's sum is a single tensor that parts the model."""
    nodes, weights, here = [], [], "x"
    for block in range(blocks):
        names = {part: f"{prefix}{block}_{part}" for part in ("up", "act", "down")}
        there = f"{prefix}{block}_sum"
        weights += [scaled(f"w{block}u", (16, 32), seed=2 * block), scaled(f"w{block}d", (32, 16), seed=2 * block + 1)]
        nodes += [
            helper.make_node("MatMul", [here, f"w{block}u"], [names["up"]], name=f"up{block}"),
            helper.make_node("Relu", [names["up"]], [names["act"]], name=f"act{block}"),
            helper.make_node("MatMul", [names["act"], f"w{block}d"], [names["down"]], name=f"down{block}"),
            helper.make_node("Add", [here, names["down"]], [there], name=f"sum{block}"),
        ]
        here = there
    weights.append(models.tensor("head", (16, 4), seed=99))
    nodes.append(helper.make_node("MatMul", [here, "head"], ["y"], name="head"))
    return models.model(nodes, [models.value("x", ["batch", 16])], [models.value("y", ["batch", 4])], weights)


class InProcess:
    """A launcher that does the work of a job at once, in this process, by the same workbench."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def launch(self, job: Job) -> int:
        log = SqliteJobLog(self._bench.work.settings.workspace / "jobs.sqlite")
        try:
            result = self._bench.work.perform(job, CollectingReporter())
        except TrtCoreError as error:
            changes = {"error": error.message, "remedy": error.remedy, "error_kind": type(error).__name__}
            log.move(job.id, JobState.FAILED, **changes)
        else:
            log.move(job.id, JobState.SUCCEEDED, result=result)
        return os.getpid()

    def is_alive(self, job: Job) -> bool:
        return True

    def kill(self, job: Job) -> None:
        raise AssertionError("nothing runs that could be ended")

    def exit_text(self, job: Job) -> str:
        return ""


class Bench:
    """A workbench over a fake TensorRT, and one engine built there."""

    def __init__(
        self, folder: Path, engines: FakeTensorRT, *, precision=Precision.FP16, prefix="b", **observer
    ) -> None:
        self.engines = engines
        self.observer = FakeObserver(engines, **observer)
        self.work = open_workbench(
            settings_from({}, workspace=folder / "workspace"),
            compilers={"tensorrt": engines},
            observers={"tensorrt": self.observer},
            launcher=InProcess(self),
        )
        upload = {"tower.onnx": io.BytesIO(tower(prefix=prefix).SerializeToString())}
        self.model = self.work.library.add_upload(upload)
        profile = OptimizationProfile(ranges=(range_from_text("x=1x16:4x16:8x16"),))
        wish = BuildSpec(
            variant=QuantizeSpec(model_id=self.model.id, recipe=Recipe(precision=precision)),
            backend="tensorrt",
            profiles=(profile,),
        )
        self.build = self.work.builds.perform(wish, CollectingReporter()).record
        engines.built.clear()

    def look(self, *, reporter=None, **wish):
        spec = InsideSpec(build_id=self.build.id, **{"samples": 8} | wish)
        return self.work.inside.perform(spec, reporter or CollectingReporter())
