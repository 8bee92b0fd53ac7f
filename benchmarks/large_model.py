"""A model of 5,000 nodes with named scopes, and a workspace in which every page has something of it to show."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from trt_core.domain.precision import Recipe
    from trt_core.domain.requests import TriageSpec
    from trt_core.workbench import Workbench

NODES = 5_000
_WIDTH, _HEADS, _TOKENS = 32, 4, 16
_QKV = ("query", "key", "value")
# Every page of the dashboard, in the order of its menu.
PAGES = (
    *("models", "support", "build", "fusion", "latency", "sweeps", "engines", "divergence", "triage"),
    *("registry", "deploy", "jobs", "system"),
)


class _Writer:
    """Nodes and weights of a transformer encoder, written in topological order."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._draw = np.random.default_rng(0)

    def weight(self, name: str, values: np.ndarray) -> str:
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def node(self, op: str, name: str, *inputs: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(op, list(inputs), [f"{name}_out"], name=name, **attributes))
        return f"{name}_out"

    def linear(self, scope: str, source: str, width: int, to: int) -> str:
        weight = self._draw.standard_normal((width, to)).astype(np.float32) / np.sqrt(width).astype(np.float32)
        product = self.node("MatMul", f"{scope}/MatMul", source, self.weight(f"{scope}.weight", weight))
        return self.node("Add", f"{scope}/Add", product, self.weight(f"{scope}.bias", np.zeros(to, np.float32)))

    def norm(self, scope: str, source: str) -> str:
        scale = self.weight(f"{scope}.scale", np.ones(_WIDTH, np.float32))
        bias = self.weight(f"{scope}.bias", np.zeros(_WIDTH, np.float32))
        return self.node("LayerNormalization", f"{scope}/LayerNormalization", source, scale, bias, axis=-1)

    def block(self, scope: str, source: str) -> str:
        """Attention and a perceptron: 33 nodes."""
        mixed = self.node("Add", f"{scope}/Add", source, self.attention(f"{scope}/attn", source))
        inner = self.linear(f"{scope}/mlp/up", self.norm(f"{scope}/norm2", mixed), _WIDTH, 2 * _WIDTH)
        gelu = f"{scope}/mlp/act"
        error = self.node("Erf", f"{gelu}/Erf", self.node("Div", f"{gelu}/Div", inner, "sqrt2"))
        half = self.node("Mul", f"{gelu}/Mul", inner, self.node("Add", f"{gelu}/Add", error, "one"))
        down = self.linear(f"{scope}/mlp/down", self.node("Mul", f"{gelu}/Mul_1", half, "half"), 2 * _WIDTH, _WIDTH)
        return self.node("Add", f"{scope}/Add_1", mixed, down)

    def attention(self, scope: str, source: str) -> str:
        normed = self.norm(f"{scope}/norm", source)
        parts = []
        for name in _QKV:
            flat = self.linear(f"{scope}/{name}", normed, _WIDTH, _WIDTH)
            split = self.node("Reshape", f"{scope}/{name}/Reshape", flat, "to_heads")
            order = [0, 2, 3, 1] if name == "key" else [0, 2, 1, 3]
            parts.append(self.node("Transpose", f"{scope}/{name}/Transpose", split, perm=order))
        scores = self.node("MatMul", f"{scope}/MatMul", parts[0], parts[1])
        weights = self.node("Softmax", f"{scope}/Softmax", self.node("Mul", f"{scope}/Mul", scores, "scale"), axis=-1)
        context = self.node("MatMul", f"{scope}/MatMul_1", weights, parts[2])
        together = self.node("Transpose", f"{scope}/Transpose", context, perm=[0, 2, 1, 3])
        return self.linear(
            f"{scope}/out", self.node("Reshape", f"{scope}/Reshape", together, "to_width"), _WIDTH, _WIDTH
        )


def large_model(nodes: int = NODES) -> onnx.ModelProto:
    """A transformer encoder of exactly that many nodes, opset 17; input float32 [batch, 16, 32], seeded weights."""
    made = _Writer()
    for name, value in (("sqrt2", 2**0.5), ("one", 1.0), ("half", 0.5), ("scale", (_WIDTH // _HEADS) ** -0.5)):
        made.weight(name, np.array(value, np.float32))
    made.weight("to_heads", np.array([0, _TOKENS, _HEADS, _WIDTH // _HEADS], np.int64))
    made.weight("to_width", np.array([0, _TOKENS, _WIDTH], np.int64))
    last, number = "x", 0
    while nodes - len(made.nodes) > 40:
        last = made.block(f"/encoder/layer.{number}", last)
        number += 1
    for rest in range(nodes - len(made.nodes)):
        last = made.node("Relu", f"/head/Relu_{rest}", last)
    shape = ["batch", _TOKENS, _WIDTH]
    graph = helper.make_graph(
        made.nodes,
        "large",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, shape)],
        initializer=made.weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@contextmanager
def filled() -> Iterator[tuple[Path, dict[str, str]]]:
    """A workspace that `fill` has filled, and what it answered.

    Filling takes minutes, most of them for a build in INT8 and a search: where ENGINESCOPE_LARGE names a folder, what
    this file makes is kept there, and a copy of it measured.
    """
    # Sessions of this process still tend the jobs there when all is measured: what they leave must not cost the tables.
    with tempfile.TemporaryDirectory(prefix="enginescope-large-", ignore_cleanup_errors=True) as fresh:
        workspace = Path(fresh) / "workspace"
        kept = os.environ.get("ENGINESCOPE_LARGE")
        source = Path(kept, hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]) if kept else None
        if source is not None and source.exists():
            shutil.copytree(source, workspace)
        else:
            workspace.mkdir()
            (workspace / "links.json").write_text(json.dumps(fill(workspace)))
            if source is not None:
                shutil.copytree(workspace, source.with_suffix(".part"))
                source.with_suffix(".part").rename(source)
        yield workspace, json.loads((workspace / "links.json").read_text())


def fill(workspace: Path) -> dict[str, str]:
    """Bring the model in and do with it all that a page shows; the query of each page's deep link."""
    from trt_core.workbench import workspace_of

    bench = workspace_of(workspace)
    path, data_path = workspace / "large.onnx", workspace / "noise.npz"
    onnx.save(large_model(), path)
    model = bench.library.add_file(path, trusted=True).id
    samples = np.random.default_rng(1).standard_normal((16, _TOKENS, _WIDTH), dtype=np.float32)
    np.savez(data_path, x=samples)
    data = bench.library.add_data(data_path, name=data_path.name, model_id=model).id
    own = _results(bench, model, data)
    return {page: "&".join(filter(None, (f"model={model}", own.get(page)))) for page in PAGES}


def _results(bench: Workbench, model: str, data: str) -> dict[str, str]:
    """Check, build, measure, sweep, compare and search; what names each result in its page's address."""
    from trt_core.domain.latency import LatencyRequest
    from trt_core.domain.precision import CalibrationMethod, Precision, Recipe
    from trt_core.domain.requests import BenchSpec, BuildSpec, DivergeSpec, InspectSpec, QuantizeSpec
    from trt_core.domain.sweeps import SweepSpec
    from trt_core.testing import CollectingReporter

    reporter, minmax = CollectingReporter(), CalibrationMethod.MINMAX
    bench.support.perform(InspectSpec(model_id=model), reporter)  # a proof by building takes minutes
    recipe = Recipe(precision=Precision.INT8, method=minmax)
    wish = QuantizeSpec(model_id=model, recipe=recipe, data_id=data)
    build = bench.builds.perform(BuildSpec(variant=wish), reporter).record.id
    request = LatencyRequest(iterations=50, warmup=5)
    run = bench.latency.perform(BenchSpec(subject_id=model, request=request), reporter).id
    points = SweepSpec(subject_id=model, batches=(1, 2), warmup=2, iterations=10)
    sweep = bench.sweeps.perform(points, reporter).head.id
    lower = (Precision.FP16, Precision.INT8)
    compared = DivergeSpec(model_id=model, against=lower, data_id=data, samples=4, method=minmax)
    divergence = bench.divergence.perform(compared, reporter).id
    triage = bench.triage.perform(_search(model, data, recipe), reporter).id
    return {
        "build": f"build={build}",
        "fusion": f"build={build}",
        "latency": f"latency={run}",
        "sweeps": f"sweep={sweep}",
        "engines": f"engine={build}",
        "divergence": f"divergence={divergence}",
        "triage": f"triage={triage}",
        "deploy": f"build={build}",
    }


def _search(model: str, data: str, recipe: Recipe) -> TriageSpec:
    """The shortest search there is: the page's work is the same, and a full one takes many minutes here."""
    from trt_core.domain.requests import TriageSpec

    return TriageSpec(
        model_id=model,
        recipe=recipe,
        data_id=data,
        validation_id=data,
        metric="sqnr",
        tolerance=20.0,
        max_evaluations=3,
        samples=4,
        ranking_samples=2,
    )


if __name__ == "__main__":
    print(fill(Path(sys.argv[1])))
