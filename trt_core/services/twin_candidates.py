"""A numerics twin as what a comparison runs: whole, and each of its layers by itself."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trt_core.analysis.divergence import Candidate


@dataclass(frozen=True, kw_only=True)
class TwinCandidates:
    """Writes twins of one model into a folder; `known` are the model's tensors that nodes write."""

    model_path: Path
    known: Container[str]
    folder: Path

    def names(self, twin: Any) -> Mapping[str, str]:
        """The tensors that a twin has in common with the model."""
        return {name: name for node in twin.graph.node for name in node.output if name in self.known}

    def of(self, twin: Any, label: str, *, mode: str) -> Iterator[Candidate]:
        """What a mode asks for: cumulative, isolated or both."""
        from trt_core.onnx_graph.save import write_model

        if mode in ("cumulative", "both"):
            path = self.folder / f"{label}.onnx"
            write_model(twin, path)
            yield Candidate(label=label, path=path, tensors=self.names(twin))
        if mode in ("isolated", "both"):
            yield self.alone(twin, label)

    def alone(self, twin: Any, label: str) -> Candidate:
        """Every layer of a twin by itself, on exact inputs."""
        from trt_core.onnx_graph.load import load_model
        from trt_core.onnx_graph.save import write_model
        from trt_core.precision.shadow import make_detached_shadow, make_shadow

        original, names = load_model(self.model_path), self.names(twin)
        shadow = make_detached_shadow(original, twin, names) or make_shadow(original, twin, names)
        path = self.folder / f"{label}_isolated.onnx"
        write_model(shadow.model, path)
        return Candidate(label=label, path=path, tensors=shadow.tensors, isolated=True, inputs=shadow.inputs)
