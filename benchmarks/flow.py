"""How much the flow adds to the bare calls of TensorRT-RTX, in alternating fresh processes."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from benchmarks.tables import Table, fresh, median, spread
from tests.light_models import light_model

PAIRS = 9

_BARE = """
import json, sys, time
import tensorrt_rtx_libs, tensorrt_rtx_bindings as trt

class Log(trt.ILogger):
    def __init__(self):
        trt.ILogger.__init__(self)
    def log(self, severity, text):
        pass

log = Log()
begin = time.perf_counter()
builder = trt.Builder(log)
network = builder.create_network(0)
parser = trt.OnnxParser(network, log)
assert parser.parse_from_file(sys.argv[1])
config = builder.create_builder_config()
config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
config.clear_flag(trt.BuilderFlag.TF32)
config.num_compute_capabilities = 1
config.set_compute_capability(trt.ComputeCapability.SM86, 0)
plan = builder.build_serialized_network(network, config)
assert plan is not None
print(json.dumps(time.perf_counter() - begin))
"""

_OURS = """
import json, sys, time
from pathlib import Path
import tensorrt_rtx_libs, tensorrt_rtx_bindings
from trt_core.analysis.fusion_map import map_fusion
from trt_core.backends.tensorrt_rtx.compiler import RtxCompiler
from trt_core.domain.engine import BuilderOptions
from trt_core.protocols import CompileInput
from trt_core.testing import CollectingReporter
from trt_core.workbench import workspace_of

bench = workspace_of(sys.argv[1])
variant = bench.variants.variant(sys.argv[2])
graph = bench.library.graph(variant.model_id)
compiler = RtxCompiler()
begin = time.perf_counter()
path = bench.variants.path(variant.id)
request = CompileInput(onnx_path=path, target=compiler.default_target, profiles=(), options=BuilderOptions())
made = compiler.build(request, reporter=CollectingReporter())
fusion = map_fusion(
    build_id="b-000000000000", stamp=compiler.stamp(None), graph=graph, provenance=variant.provenance,
    variant_graph=bench.variants.graph(variant.id), record=made.record,
)
assert fusion.layers
print(json.dumps(time.perf_counter() - begin))
"""

_WHOLE = """
import json, sys, time
from pathlib import Path
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.requests import BuildSpec, InspectSpec, QuantizeSpec
from trt_core.services.context import Stages
from trt_core.testing import CollectingReporter
from trt_core.workbench import workspace_of

bench = workspace_of(sys.argv[2])
stages, reporter = Stages(), CollectingReporter()
begin = time.perf_counter()
model = bench.library.add_file(Path(sys.argv[1]), trusted=True, stages=stages)
bench.support.perform(InspectSpec(model_id=model.id), reporter, stages=stages)
variant = QuantizeSpec(model_id=model.id, recipe=Recipe(precision=Precision(sys.argv[3])))
built = bench.builds.perform(BuildSpec(variant=variant), reporter, stages=stages)
total = time.perf_counter() - begin
bench.builds.fusion(built.record.id)
named = dict(stages.listed())
named["other"] = total - sum(named.values())
print(json.dumps({"total": total, "stages": named, "variant": built.record.request.variant_id}))
"""


def run(*, pairs: int = PAIRS) -> Table:
    """ResNet-50 from the onnx package, seeded weights, FP16, SM 8.6; medians of alternating fresh processes."""
    with tempfile.TemporaryDirectory(prefix="enginescope-flow-") as name:
        folder = Path(name)
        path = folder / "resnet50.onnx"
        path.write_bytes(light_model("resnet50").SerializeToString())
        megabytes = path.stat().st_size / 1e6
        whole = [json.loads(fresh(_WHOLE, str(path), str(folder / f"w{number}"), "fp16")) for number in range(3)]
        kept, variant = str(folder / "w0"), whole[0]["variant"]
        variant_file = str(folder / "w0" / "artifacts" / variant / "model.onnx")
        bare, ours = [], []
        for number in range(pairs):
            bare.append(float(fresh(_BARE, variant_file)))
            ours.append(float(fresh(_OURS, kept, variant)))
            workspace = folder / f"again{number}"
            whole.append(json.loads(fresh(_WHOLE, str(path), str(workspace), "fp16")))
            shutil.rmtree(workspace)
    return _table(bare, ours, whole[3:], megabytes)


def _table(bare: list[float], ours: list[float], whole: list[dict[str, object]], megabytes: float) -> Table:
    stages = {name: [float(run["stages"].get(name, 0.0)) for run in whole] for name in whole[0]["stages"]}  # type: ignore[attr-defined,index]
    compiler = ("parse", "build")
    rest = [
        sum(values[number] for name, values in stages.items() if name not in compiler) for number in range(len(whole))
    ]
    ratio, allowed = median(ours) / median(bare), 0.5 + 0.006 * megabytes
    rows = [("bare parse and build", spread(bare)), ("variant to fusion map", spread(ours))]
    rows += [(f"stage: {name}", spread(values, digits=3)) for name, values in stages.items()]
    rows += [("upload to fusion map, all", spread([float(run["total"]) for run in whole]))]  # type: ignore[arg-type]
    return Table(
        title="From upload to fusion map",
        method=(
            f"ResNet-50 ({megabytes:.0f} MB, seeded weights) in FP16 for SM 8.6 on this machine's processor; "
            f"{len(bare)} alternating fresh processes, seconds: median (lowest–highest)."
        ),
        columns=("step", "seconds"),
        rows=tuple(rows),
        limits=(
            ("variant to fusion map against the bare calls", f"{ratio:.2f}×", "1.15×", ratio <= 1.15),
            (
                "all the rest of upload to fusion map",
                f"{median(rest):.2f} s",
                f"{allowed:.2f} s",
                median(rest) <= allowed,
            ),
        ),
    )


if __name__ == "__main__":
    print(run().markdown())
