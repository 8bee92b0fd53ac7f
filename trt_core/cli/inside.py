"""`diverge --inside` and `diverge --backend tensorrt`: what an engine's inner tensors, its outputs and its cuts say."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from trt_core.analysis.engine_words import answer, step_words
from trt_core.cli import present
from trt_core.cli.answers import Answer, Console, finding_lines, finished
from trt_core.cli.wishes import data_id, diverge_spec, model_record
from trt_core.domain.codec import to_plain
from trt_core.domain.engine_divergence import INTACT_DB, EngineDivergence, InsideSpec, ObservedGroup
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.requests import BuildSpec, DivergeSpec, QuantizeSpec
from trt_core.errors import GpuUnavailable
from trt_core.workbench import Workbench


def inside_arguments(command: argparse.ArgumentParser) -> None:
    """The options of a look into an engine."""
    group = command.add_argument_group("inside an engine (TensorRT on a GPU host)")
    group.add_argument("--inside", metavar="BUILD_ID", help="look into this engine; MODEL is left out")
    group.add_argument("--tensors", choices=("borders", "all"), default="borders", help="borders split no fusion")
    group.add_argument("--search", choices=("auto", "groups", "bisect", "none"), default="auto")
    group.add_argument("--budget-mb", type=int, default=512, help="memory of the inner tensors of one engine")
    group.add_argument("--max-builds", type=int, default=8, help="engines that may be built on the way")
    group.add_argument("--intact-db", type=float, default=INTACT_DB, help="an output at or above it is right")
    group.add_argument("--no-square", action="store_true", help="leave the four-way square out")


def inside(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """A look into an engine; yes is: its outputs are intact."""
    run = _looked(bench, options, options.inside, console)
    return Answer(plain=_plain(run), lines=_lines(run), exit_code=0 if run.is_intact else 1)


def _looked(bench: Workbench, options: argparse.Namespace, build_id: str, console: Console) -> EngineDivergence:
    build = bench.builds.build(build_id)
    spec = InsideSpec(
        build_id=build.id,
        data_id=data_id(bench, options.data, build.model_id),
        samples=options.samples,
        tensors=options.tensors,
        search=options.search,
        budget_mb=options.budget_mb,
        max_builds=options.max_builds,
        intact_db=options.intact_db,
        square=not options.no_square,
    )
    job = finished(bench, bench.inside.submit(spec), console)
    return bench.inside.run(str((job.result or {})["inside"]))


def _lines(run: EngineDivergence) -> list[str]:
    lines = [answer(run), run.method, *([run.opaque] if run.opaque else [])]
    lines += [f"  {step_words(step)}" for step in (run.bisection.steps if run.bisection else ())]
    lines += [run.square.sentence] if run.square else []
    return lines + finding_lines(run.findings)


def across(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """`diverge MODEL --backend tensorrt`: an engine a precision, each built here and looked into."""
    if reason := bench.inside.why_not():
        raise GpuUnavailable(reason, remedy="Compare the numerics twins with --backend ort.")
    wish = diverge_spec(bench, options, model_record(bench, options.model).id)
    specs = [_engine_wish(wish, precision) for precision in wish.against]
    for spec in specs:
        bench.builds.check(spec)  # all of them before the first is built
    runs = [_looked(bench, options, _engine(bench, spec, console), console) for spec in specs]
    lines = [line for run in runs for line in _lines(run)]
    plain = {
        "reference": "fp32, the file as uploaded, ONNX Runtime without graph optimization",
        "layers": _side_by_side(runs),
        "outputs": _outputs(runs),
        "origin": {run.precision: list(run.origin) for run in runs},
        "looks": {run.precision: _plain(run) for run in runs},
        "samples": min(run.samples for run in runs),
        "seconds": sum(run.seconds for run in runs),
        "findings": present.findings(item for run in runs for item in run.findings),
    }
    return Answer(plain=plain, lines=lines, exit_code=0 if all(run.is_intact for run in runs) else 1)


def _engine_wish(wish: DivergeSpec, precision: Precision) -> BuildSpec:
    recipe = Recipe(precision=precision, rest=wish.rest, method=wish.method, percentile=wish.percentile)
    data = (wish.calibration_id or wish.data_id) if recipe.needs_data else ""
    return BuildSpec(variant=QuantizeSpec(model_id=wish.model_id, recipe=recipe, data_id=data), backend="tensorrt")


def _engine(bench: Workbench, spec: BuildSpec, console: Console) -> str:
    found = bench.builds.find(spec)
    return found.id if found else str((finished(bench, bench.builds.submit(spec), console).result or {})["build"])


def _side_by_side(runs: Sequence[EngineDivergence]) -> list[present.Plain]:
    found: dict[int, present.Plain] = {}
    for run in runs:
        for entry in _plain(run)["layers"]:
            found.setdefault(entry["index"], {}).update(entry)
    return [found[index] for index in sorted(found)]


def _outputs(runs: Sequence[EngineDivergence]) -> list[present.Plain]:
    found: dict[str, present.Plain] = {}
    for run in runs:
        for item in run.outputs:
            entry = found.setdefault(item.name, {"name": item.name, "tensor": item.name})
            entry.update({label: to_plain(error) for label, error in item.errors})
    return list(found.values())


def _plain(run: EngineDivergence) -> present.Plain:
    believed = set(run.believed)
    layers = [
        {
            "index": layer.index,
            "name": layer.name,
            "op_type": layer.op_type,
            "tensor": layer.tensor,
            "believed": layer.tensor in believed,
            **{label: to_plain(error) for label, error in layer.accumulated},
        }
        for layer in run.layers
    ]
    return {
        "id": run.id,
        "build": run.build_id,
        "precision": run.precision,
        "method": run.method,
        "intact": run.is_intact,
        "intact_db": run.intact_db,
        "answer": answer(run),
        "outputs": [
            {"name": item.name, **{label: to_plain(error) for label, error in item.errors}} for item in run.outputs
        ],
        "layers": layers,
        "origin": list(run.origin),
        "observer": [_group(group) for group in run.groups],
        "opaque": run.opaque,
        "bisection": None if run.bisection is None else to_plain(run.bisection),
        "square": None if run.square is None else to_plain(run.square),
        "samples": run.samples,
        "batch": run.batch,
        "seconds": run.seconds,
        "findings": present.findings(run.findings),
    }


def _group(group: ObservedGroup) -> present.Plain:
    reasons = () if group.check is None else group.check.reasons
    return {**to_plain(group), "concludes": group.concludes, "reasons": list(reasons)}
