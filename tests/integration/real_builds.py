"""Builds a model in every precision with TensorRT-RTX and prints what became of its nodes, as JSON.

`python -m tests.integration.real_builds FOLDER NAME [raw]`: a process of its own, because native code runs in it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import onnx

from tests.light_models import LIGHT_MODELS, light_model
from trt_core.analysis.engine_rules import engine_findings
from trt_core.analysis.fusion_map import map_fusion
from trt_core.backends.tensorrt_rtx.compiler import RtxCompiler
from trt_core.domain.engine import BuilderOptions, Sm
from trt_core.domain.jobs import Progress
from trt_core.domain.precision import Precision, Recipe, TensorRange
from trt_core.domain.profiles import static_profile
from trt_core.onnx_graph.read import read_graph
from trt_core.precision.calibrate import tensors_to_calibrate
from trt_core.precision.normalize import normalize
from trt_core.precision.variant import make_variant
from trt_core.protocols import CompileInput

SAMPLES = Path(__file__).parents[2] / "samples"


class Silent:
    def progress(self, progress: Progress) -> None: ...

    def log(self, text: str) -> None: ...

    def check(self) -> None: ...


def fusion_of(model: onnx.ModelProto, precision: Precision, folder: Path, *, normalized: bool) -> dict[str, Any]:
    recipe = Recipe(precision=precision, normalize=normalized)
    first = normalize(model) if normalized else None
    # The kernels that are chosen do not depend on the scales, so no data are needed here.
    ranges = [
        TensorRange(tensor=name, low=-4.0, high=4.0, scale=4.0 / 127.0)
        for name in tensors_to_calibrate(first.model if first else model, recipe)
    ]
    variant = make_variant(model, recipe, ranges, normalized=first)
    path = folder / f"{precision.value}.onnx"
    onnx.save(variant.model, path)
    graph, built = read_graph(model), read_graph(variant.model)
    dynamic = any(not spec.is_static for spec in built.inputs)
    request = CompileInput(
        onnx_path=path,
        target=Sm(major=8, minor=6),
        profiles=(static_profile(built.inputs),) if dynamic else (),
        options=BuilderOptions(),
    )
    record = RtxCompiler().build(request, reporter=Silent()).record
    path.unlink()
    fusion = map_fusion(
        build_id="b-000000000000",
        stamp="TensorRT-RTX's ahead-of-time plan for SM 8.6",
        graph=graph,
        provenance=variant.provenance,
        variant_graph=built,
        record=record,
        normalized_steps=first.steps if first else (),
    )
    return {
        "nodes": [[node.op_type, node.state.value, node.by, list(node.layers)] for node in fusion.nodes],
        "layers": [[layer.index, layer.precision.value, list(layer.nodes)] for layer in fusion.layers],
        "patterns": [[match.pattern, match.fused] for match in fusion.patterns],
        "findings": [finding.rule for finding in engine_findings(record, precision, fusion)],
        "steps": [[step.name, step.before, step.after] for step in fusion.steps],
        "saved_bytes": fusion.saved_bytes,
    }


def main() -> None:
    folder, name = Path(sys.argv[1]), sys.argv[2]
    model = light_model(name) if name in LIGHT_MODELS else onnx.load(SAMPLES / name / "model.onnx")
    found = {
        precision.value: fusion_of(model, precision, folder, normalized="raw" not in sys.argv[3:])
        for precision in (Precision.FP32, Precision.FP16, Precision.INT8)
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
