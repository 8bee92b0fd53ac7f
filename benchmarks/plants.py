"""Faults planted in one layer, each compared as a user would compare it: what `benchmarks.planted_faults` counts."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from benchmarks.qdq_ranking import qdq_loss_ranking
from benchmarks.tables import ROOT
from tests.light_models import light_model
from trt_core.analysis.sensitivity import rank_units
from trt_core.backends.onnxruntime.runner import OrtRunner
from trt_core.domain.divergence import DivergenceRun
from trt_core.domain.graph import Graph
from trt_core.domain.precision import CalibrationMethod, Precision, Recipe, TensorRange
from trt_core.domain.requests import DivergeSpec
from trt_core.domain.triage import Unit
from trt_core.onnx_graph.read import read_graph
from trt_core.precision.calibrate import calibrate, tensors_to_calibrate
from trt_core.precision.normalize import normalize
from trt_core.precision.units import plan_units
from trt_core.precision.variant import make_variant
from trt_core.protocols import SampleBatches
from trt_core.settings import settings_from
from trt_core.store.npz import batches
from trt_core.testing import CollectingReporter
from trt_core.workbench import Workbench, open_workbench

INT8 = Recipe(precision=Precision.INT8, rest=Precision.FP32, method=CalibrationMethod.ENTROPY)
FP16 = Recipe(precision=Precision.FP16)
PLANTS = (("digits_transformer", 8), ("digits_cnn", 8), ("resnet50", 4))  # half of them INT8, half FP16
LARGEST = 65504.0  # of FP16
A_BIT_DB = 6.0


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model in a workspace, with its samples and, for INT8, its ranges; `healthy` are its layers without a fault."""

    name: str
    model: onnx.ModelProto
    graph: Graph
    samples: SampleBatches
    data: Path
    count: int
    ranges: tuple[TensorRange, ...]
    bench: Workbench
    folder: Path
    healthy: dict[Precision, dict[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Plant:
    """One fault, the nodes that may be blamed, and the place at which each method ranks the first of them."""

    model: str
    fault: str
    guilty: frozenset[str]
    places: Mapping[str, int | None] = field(default_factory=dict)


def planted(seed: int, *, with_theirs: bool = True) -> Iterator[Plant]:
    """All plants of a seed, one after another."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory(prefix="enginescope-plants-") as name:
        folder = Path(name)
        bench = open_workbench(settings_from(workspace=folder / "workspace"))
        for model, count in PLANTS:
            subject = _subject(model, folder, bench)
            for number in range(count):
                if number % 2 == 0:
                    yield plant_int8(subject, rng, with_theirs=with_theirs)
                else:
                    yield plant_fp16(subject, rng, loses=number % 4 == 3)


def _subject(name: str, folder: Path, bench: Workbench) -> Subject:
    if name == "resnet50":
        model = light_model(name)
        spec = read_graph(model).inputs[0]
        noise = np.random.default_rng(1).standard_normal((2, *spec.shape[1:]), dtype=np.float32)
        np.savez(folder / "noise.npz", **{spec.name: noise})
        data, samples, batch = folder / "noise.npz", folder / "noise.npz", 1
    else:
        model = onnx.load(ROOT / "samples" / name / "model.onnx")
        data, samples, batch = (*(ROOT / "samples" / "digits" / f"{part}.npz" for part in ("calibration", "test")), 16)
    path = folder / f"{name}.onnx"
    onnx.save(model, path)
    calibrated = calibrate(
        path,
        tensors_to_calibrate(normalize(model), INT8),
        partial(batches, data, batch=batch, limit=256),
        method=INT8.method,
        runner=OrtRunner(),
        reporter=CollectingReporter(),
    )
    count = batch if batch > 1 else 2
    subject = Subject(
        name=name,
        model=model,
        graph=read_graph(model),
        samples=partial(batches, samples, batch=batch, limit=count),
        data=samples,
        count=count,
        ranges=calibrated.ranges,
        bench=bench,
        folder=folder,
    )
    healthy = make_variant(model, INT8, calibrated.ranges).model
    for precision, run in (
        (INT8.precision, _against_file(subject, healthy)),
        (FP16.precision, _in_fp16(subject, model)),
    ):
        subject.healthy[precision] = _alone(run, precision)
    return subject


def plant_int8(subject: Subject, rng: np.random.Generator, *, with_theirs: bool) -> Plant:
    """Corrupt the scale of one Q/DQ pair of the INT8 variant."""
    variant = make_variant(subject.model, INT8, subject.ranges)
    made = variant.model
    quantizers = [node for node in made.graph.node if node.op_type == "QuantizeLinear"]
    chosen = quantizers[int(rng.integers(len(quantizers)))]
    factor = float(2.0 ** rng.uniform(5.0, 7.0)) ** int(rng.choice([-1, 1]))
    scale = next(tensor for tensor in made.graph.initializer if tensor.name == chosen.input[1])
    scale.CopyFrom(numpy_helper.from_array((numpy_helper.to_array(scale) * factor).astype(np.float32), scale.name))
    pair = {node.output[0] for node in made.graph.node if set(node.input) & {chosen.output[0]}}
    blamed = frozenset(node.name for node in made.graph.node if set(node.input) & pair)
    origin = {item.name: item.sources for item in variant.provenance.nodes}
    units = plan_units(normalize(subject.model), INT8, subject.graph)
    guilty = [unit for unit in units if any(set(unit.indices) & set(origin[name]) for name in blamed if name in origin)]
    run = _against_file(subject, made)
    if not _is_fault(subject, run, INT8.precision, guilty):
        return plant_int8(subject, rng, with_theirs=with_theirs)
    names = frozenset(unit.node for unit in guilty)
    places = _ours(subject, run, units, guilty, INT8.precision) | {"qdq_err": None, "xmodel_err": None}
    if with_theirs:
        theirs = qdq_loss_ranking(normalize(subject.model).model, made, subject.samples, subject.folder)
        for name, order in theirs.items():
            places[name] = _place([unit for node in order for unit in _units_of(node, origin, units)], names)
    kind = "weights" if any(chosen.input[0] == tensor.name for tensor in made.graph.initializer) else "activation"
    return Plant(model=subject.name, fault=f"INT8, scale of {kind} × {factor:.3g}", guilty=names, places=places)


def plant_fp16(subject: Subject, rng: np.random.Generator, *, loses: bool = False) -> Plant:
    """Scale the weights of one layer so that FP16 overflows at its output, or has only subnormals there."""
    units = plan_units(normalize(subject.model), FP16, subject.graph)
    weighted = [unit for unit in units if _weight_of(subject, unit)]
    # A bias in the same unit would hide an output that is too small, and no digits would be lost.
    bare = [unit for unit in weighted if unit.op_type == "MatMul"] if loses else []
    unit = (bare or weighted)[int(rng.integers(len(bare or weighted)))]
    overflows = not bare
    name = _weight_of(subject, unit)
    weight = next(tensor for tensor in subject.model.graph.initializer if tensor.name == name)
    widest = float(np.abs(numpy_helper.to_array(weight)).max())
    # Weights beyond the format, or all below it, would keep the layer in FP32, and there would be no fault.
    wanted = LARGEST * float(rng.uniform(3.0, 10.0)) / _reach(subject, unit)
    factor = min(wanted, 0.9 * LARGEST / widest) if overflows else float(rng.uniform(1e-6, 8e-6)) / widest
    made = onnx.ModelProto()
    made.CopyFrom(subject.model)
    weight = next(tensor for tensor in made.graph.initializer if tensor.name == name)
    weight.CopyFrom(numpy_helper.from_array((numpy_helper.to_array(weight) * np.float32(factor)), name))
    run = _in_fp16(subject, made)
    if not _is_fault(subject, run, FP16.precision, [unit]):
        return plant_fp16(subject, rng, loses=loses)
    places = _ours(subject, run, units, [unit], FP16.precision) | {"qdq_err": None, "xmodel_err": None}
    word = "overflow" if overflows else "subnormal"
    return Plant(
        model=subject.name,
        fault=f"FP16 {word}, weights × {factor:.3g}",
        guilty=frozenset({unit.node}),
        places=places,
    )


def _against_file(subject: Subject, made: onnx.ModelProto) -> DivergenceRun:
    """What `diverge` says of the model against a file of it that was made elsewhere."""
    path = subject.folder / "made.onnx"
    onnx.save(made, path)
    candidate = subject.bench.library.add_file(path, trusted=True)
    return _diverged(subject, subject.folder / f"{subject.name}.onnx", candidate_id=candidate.id)


def _in_fp16(subject: Subject, made: onnx.ModelProto) -> DivergenceRun:
    """What `diverge` says of a model in FP16."""
    path = subject.folder / "planted.onnx"
    onnx.save(made, path)
    return _diverged(subject, path, against=(FP16.precision,))


def _diverged(subject: Subject, model: Path, **wish: Any) -> DivergenceRun:
    bench = subject.bench
    record = bench.library.add_file(model, trusted=True)
    data = bench.library.add_data(subject.data, name=subject.data.name, model_id=record.id)
    spec = DivergeSpec(model_id=record.id, data_id=data.id, samples=subject.count, mode="both", **wish)
    return bench.divergence.perform(spec, CollectingReporter())


def _alone(run: DivergenceRun, precision: Precision) -> dict[str, float]:
    """The isolated SQNR of each layer, by the name of its node."""
    found = ((layer.name, layer.error(precision.value, isolated=True)) for layer in run.layers)
    return {name: error.sqnr_db for name, error in found if error is not None}


def _is_fault(subject: Subject, run: DivergenceRun, precision: Precision, guilty: Sequence[Unit]) -> bool:
    """True where one of the guilty layers loses a bit or more that it does not lose in the healthy file."""
    nodes = {subject.graph.nodes[index].name for unit in guilty for index in unit.indices}
    now, before = _alone(run, precision), subject.healthy[precision]
    return any(before[name] - now[name] >= A_BIT_DB for name in nodes & now.keys() & before.keys())


def _ours(
    subject: Subject, run: DivergenceRun, units: Sequence[Unit], guilty: Sequence[Unit], precision: Precision
) -> dict[str, int | None]:
    """The places of the guilty layers in the run's `origin`, and by isolated errors alone."""
    nodes = frozenset(subject.graph.nodes[index].name for unit in guilty for index in unit.indices)
    ranked = [item.unit.node for item in rank_units(units, run.layers, precision.value)]
    return {
        "ours": _place(list(dict(run.origin)[precision.value]), nodes),
        "isolated": _place(ranked, frozenset(unit.node for unit in guilty)),
    }


def _weight_of(subject: Subject, unit: Unit) -> str:
    stored = {tensor.name for tensor in subject.model.graph.initializer}
    for index in unit.indices:
        node = subject.model.graph.node[index]
        if node.op_type in ("Conv", "Gemm", "MatMul") and node.input[1] in stored:
            return str(node.input[1])
    return ""


def _reach(subject: Subject, unit: Unit) -> float:
    """The greatest magnitude at the unit's last tensor in FP32."""
    tensor = subject.graph.nodes[unit.indices[-1]].outputs[0]
    session = OrtRunner().load(subject.folder / f"{subject.name}.onnx", extra_outputs=[tensor], optimize=False)
    return max(float(np.abs(session.run(feeds, [tensor])[0]).max()) for feeds in subject.samples())


def _units_of(node: str, origin: Mapping[str, tuple[int, ...]], units: tuple[Unit, ...]) -> list[str]:
    sources = set(origin.get(node, ()))
    return [unit.node for unit in units if sources & set(unit.indices)]


def _place(order: list[str], guilty: frozenset[str]) -> int | None:
    distinct = list(dict.fromkeys(order))
    places = [distinct.index(node) + 1 for node in guilty if node in distinct]
    return min(places, default=None)
