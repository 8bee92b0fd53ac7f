"""Fakes that obey the same contract tests as the real things."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from trt_core.domain.capabilities import Capabilities
from trt_core.domain.jobs import Progress
from trt_core.domain.precision import Precision
from trt_core.domain.tensors import TensorSpec
from trt_core.errors import InvalidData, JobCancelled, NotFound
from trt_core.protocols import Array, Feeds
from trt_core.testing_engines import FakeObserver, FakeTensorRT, Plant

__all__ = [
    "CollectingReporter",
    "FakeModel",
    "FakeObserver",
    "FakeRunner",
    "FakeSession",
    "FakeTensorRT",
    "Plant",
]


@dataclass
class CollectingReporter:
    """Keeps what is reported; `cancel_after` makes the check of that number raise JobCancelled."""

    cancel_after: int | None = None
    reported: list[Progress] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    checks: int = 0

    def progress(self, progress: Progress) -> None:
        """Keep it."""
        self.reported.append(progress)

    def log(self, text: str) -> None:
        """Keep its lines."""
        self.lines.extend(text.splitlines())

    def check(self) -> None:
        """Count, and raise JobCancelled once the count reaches `cancel_after`."""
        self.checks += 1
        if self.cancel_after is not None and self.checks >= self.cancel_after:
            raise JobCancelled("The job was cancelled.")


@dataclass(frozen=True, kw_only=True)
class FakeModel:
    """A model as a function from feeds to every tensor by name; `outputs` are those handed back unasked."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[str, ...]
    tensors: tuple[str, ...]
    compute: Callable[[Feeds], Mapping[str, Array]]


class FakeSession:
    """A session over a FakeModel."""

    device = "no device"
    version = "fake 1"

    def __init__(self, model: FakeModel, extra_outputs: Sequence[str]) -> None:
        self._model = model
        self.inputs = model.inputs
        self.outputs = tuple(dict.fromkeys((*model.outputs, *extra_outputs)))

    def run(self, feeds: Feeds, outputs: Sequence[str] | None = None) -> list[Array]:
        """Compute the outputs that are asked for."""
        wanted = list(self.outputs if outputs is None else outputs)
        if unknown := sorted(set(wanted) - set(self.outputs)):
            raise NotFound(f"The session has no output {unknown[0]!r}.", remedy="Ask for it when the model is loaded.")
        names = {spec.name for spec in self.inputs}
        if odd := sorted(names ^ set(feeds)):
            raise InvalidData(f"Input {odd[0]!r} is missing or unknown.", remedy=f"Give {', '.join(sorted(names))}.")
        for spec in self.inputs:
            if feeds[spec.name].dtype.name != spec.dtype:
                raise InvalidData(f"Input {spec.name!r} wants {spec.dtype}.", remedy=f"Convert it to {spec.dtype}.")
        computed = self._model.compute(feeds)
        return [np.asarray(computed[name]) for name in wanted]


class FakeRunner:
    """Runs FakeModels, found by the file's name."""

    name = "fake"

    def __init__(self, models: Mapping[str, FakeModel]) -> None:
        self._models = dict(models)
        self.loaded: list[tuple[str, bool, int]] = []  # (file name, optimize, threads)

    def capabilities(self) -> Capabilities:
        """It runs, and nothing else."""
        return Capabilities(
            backend=self.name, title="Fake", version="fake 1", can_run=True, precisions=(Precision.FP32,)
        )

    def load(
        self, onnx_path: Path, *, extra_outputs: Sequence[str] = (), optimize: bool = True, threads: int = 0
    ) -> FakeSession:
        """A session over the model of that name; NotFound for an unknown file or tensor."""
        if onnx_path.name not in self._models:
            raise NotFound(f"There is no file {onnx_path.name!r}.", remedy="Give the path of an ONNX model.")
        model = self._models[onnx_path.name]
        if unknown := [name for name in extra_outputs if name not in model.tensors]:
            raise NotFound(f"The model has no tensor {unknown[0]!r}.", remedy="Name a tensor of its graph.")
        self.loaded.append((onnx_path.name, optimize, threads))
        return FakeSession(model, extra_outputs)
