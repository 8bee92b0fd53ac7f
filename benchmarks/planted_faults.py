"""Plant a fault in one layer, rank all layers, and see whether the guilty one comes first.

Ours ranks by isolated error (ties: the first in the file). Beside it stands what the functions of ONNX Runtime's own
`qdq_loss_debug` say of the same file: its error of a tensor before and after its Q/DQ pair (`qdq_err`, weights
included) and its accumulated error (`xmodel_err`). It knows Q/DQ only, so that it has no answer to FP16 plants.

`python -m benchmarks planted_faults` writes the table.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from benchmarks.qdq_ranking import qdq_loss_ranking
from benchmarks.tables import ROOT, Table
from tests.light_models import light_model
from trt_core.analysis.divergence import Candidate, compare_runs
from trt_core.analysis.sensitivity import rank_units
from trt_core.backends.onnxruntime.runner import OrtRunner
from trt_core.domain.graph import Graph
from trt_core.domain.precision import CalibrationMethod, Precision, Recipe, TensorRange
from trt_core.domain.triage import Unit
from trt_core.onnx_graph.read import read_graph
from trt_core.precision.calibrate import calibrate, tensors_to_calibrate
from trt_core.precision.normalize import normalize
from trt_core.precision.shadow import make_shadow
from trt_core.precision.twin import make_twin
from trt_core.precision.units import plan_units
from trt_core.precision.variant import make_variant
from trt_core.protocols import SampleBatches
from trt_core.store.npz import batches
from trt_core.testing import CollectingReporter

INT8 = Recipe(precision=Precision.INT8, rest=Precision.FP32, method=CalibrationMethod.ENTROPY)
FP16 = Recipe(precision=Precision.FP16)
PLANTS = (("digits_transformer", 8), ("digits_cnn", 8), ("resnet50", 4))  # half of them INT8, half FP16
SEED = 4
LARGEST = 65504.0  # of FP16


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model with its samples and, for INT8, its ranges."""

    name: str
    model: onnx.ModelProto
    graph: Graph
    samples: SampleBatches
    ranges: tuple[TensorRange, ...]


@dataclass(frozen=True, kw_only=True)
class Plant:
    """One fault, the nodes that may be blamed, and the place at which each method ranks the first of them."""

    model: str
    fault: str
    guilty: frozenset[str]
    places: Mapping[str, int | None] = field(default_factory=dict)


def run(*, repeats: int = 1) -> Table:
    """Plant every fault once (it is the same each time: `repeats` is not needed)."""
    del repeats
    plants = list(planted())
    first = sum(plant.places["ours"] == 1 for plant in plants)
    rows = tuple(
        (plant.model, plant.fault, ", ".join(f"`{name}`" for name in sorted(plant.guilty)), *_places(plant))
        for plant in plants
    )
    known = [plant for plant in plants if plant.places["qdq_err"] is not None]
    right = {name: sum(plant.places[name] == 1 for plant in known) for name in ("qdq_err", "xmodel_err")}
    theirs = ", ".join(f"{name} {count} of {len(known)}" for name, count in right.items())
    return Table(
        title="Planted faults",
        method=(
            "Twenty faults from one seed. INT8: the scale of one Q/DQ pair, of an activation or of weights, times or "
            "by 32 to 128; every reader of the pair is guilty. FP16: the weights of one layer scaled so that its "
            "output overflows, or that the weights become subnormal. The figures are places in a ranking; 1 is right. "
            "ResNet-50 has seeded weights and noise for input. Ranked first by ONNX Runtime's qdq_loss_debug: "
            f"{theirs}; it has no answer to FP16."
        ),
        columns=("model", "fault", "guilty", "ours", "qdq_err", "xmodel_err"),
        rows=rows,
        limits=(("guilty layer ranked first", f"{first} of {len(plants)}", "at least 19 of 20", first >= 19),),
    )


def _places(plant: Plant) -> tuple[str, ...]:
    places = (plant.places[name] for name in ("ours", "qdq_err", "xmodel_err"))
    return tuple("–" if place is None else str(place) for place in places)


def planted(chosen: tuple[tuple[str, int], ...] = PLANTS) -> Iterator[Plant]:
    """All plants, one after another."""
    rng = np.random.default_rng(SEED)
    with tempfile.TemporaryDirectory(prefix="enginescope-plants-") as name:
        folder = Path(name)
        for model, count in chosen:
            subject = _subject(model, folder)
            for number in range(count):
                if number % 2 == 0:
                    yield plant_int8(subject, rng, folder)
                else:
                    yield plant_fp16(subject, rng, folder, loses=number % 4 == 3)


def _subject(name: str, folder: Path) -> Subject:
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
    limited = partial(batches, samples, batch=batch, limit=batch if batch > 1 else 2)
    return Subject(name=name, model=model, graph=read_graph(model), samples=limited, ranges=calibrated.ranges)


def plant_int8(subject: Subject, rng: np.random.Generator, folder: Path) -> Plant:
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
    guilty = frozenset(
        unit.node for unit in units if any(set(unit.indices) & set(origin[name]) for name in blamed if name in origin)
    )
    ranked = _ranked(subject, make_twin(made, INT8), units, INT8, model=subject.model, folder=folder)
    theirs = qdq_loss_ranking(normalize(subject.model).model, made, subject.samples, folder)
    kind = "weights" if any(chosen.input[0] == tensor.name for tensor in made.graph.initializer) else "activation"
    names = {
        name: [unit for node in order for unit in _units_of(node, origin, units)] for name, order in theirs.items()
    }
    places = {"ours": _place(ranked, guilty)} | {name: _place(order, guilty) for name, order in names.items()}
    return Plant(model=subject.name, fault=f"INT8, scale of {kind} × {factor:.3g}", guilty=guilty, places=places)


def plant_fp16(subject: Subject, rng: np.random.Generator, folder: Path, *, loses: bool = False) -> Plant:
    """Scale the weights of one layer so that FP16 overflows at its output, or has only subnormals there."""
    units = plan_units(normalize(subject.model), FP16, subject.graph)
    weighted = [unit for unit in units if _weight_of(subject, unit)]
    # A bias in the same unit would hide an output that is too small, and no digits would be lost.
    bare = [unit for unit in weighted if unit.op_type == "MatMul"] if loses else []
    unit = (bare or weighted)[int(rng.integers(len(bare or weighted)))]
    overflows = not bare
    reach = _reach(subject, unit, folder)
    name = _weight_of(subject, unit)
    weight = next(tensor for tensor in subject.model.graph.initializer if tensor.name == name)
    widest = float(np.abs(numpy_helper.to_array(weight)).max())
    # Weights beyond the format, or all below it, would keep the layer in FP32, and there would be no fault.
    wanted = LARGEST * float(rng.uniform(3.0, 10.0)) / reach
    factor = min(wanted, 0.9 * LARGEST / widest) if overflows else float(rng.uniform(1e-6, 8e-6)) / widest
    if overflows and reach * factor < 1.5 * LARGEST:
        return plant_fp16(subject, rng, folder, loses=loses)
    planted_model = onnx.ModelProto()
    planted_model.CopyFrom(subject.model)
    weight = next(tensor for tensor in planted_model.graph.initializer if tensor.name == name)
    weight.CopyFrom(numpy_helper.from_array((numpy_helper.to_array(weight) * np.float32(factor)), name))
    twin = make_twin(make_variant(planted_model, FP16).model, FP16)
    ranked = _ranked(subject, twin, units, FP16, model=planted_model, folder=folder)
    guilty = frozenset({unit.node})
    places = {"ours": _place(ranked, guilty), "qdq_err": None, "xmodel_err": None}
    word = "overflow" if overflows else "subnormal"
    return Plant(model=subject.name, fault=f"FP16 {word}, weights × {factor:.3g}", guilty=guilty, places=places)


def _weight_of(subject: Subject, unit: Unit) -> str:
    stored = {tensor.name for tensor in subject.model.graph.initializer}
    for index in unit.indices:
        node = subject.model.graph.node[index]
        if node.op_type in ("Conv", "Gemm", "MatMul") and node.input[1] in stored:
            return str(node.input[1])
    return ""


def _reach(subject: Subject, unit: Unit, folder: Path) -> float:
    """The greatest magnitude at the unit's last tensor in FP32."""
    tensor = subject.graph.nodes[unit.indices[-1]].outputs[0]
    session = OrtRunner().load(folder / f"{subject.name}.onnx", extra_outputs=[tensor], optimize=False)
    return max(float(np.abs(session.run(feeds, [tensor])[0]).max()) for feeds in subject.samples())


def _ranked(
    subject: Subject, twin: Any, units: tuple[Unit, ...], recipe: Recipe, *, model: onnx.ModelProto, folder: Path
) -> list[str]:
    known = subject.graph.producer_of
    names = {name: name for node in twin.graph.node for name in node.output if name in known}
    shadow = make_shadow(model, twin, names)
    label = recipe.precision.value
    onnx.save(model, folder / "planted.onnx")
    onnx.save(shadow.model, folder / "shadow.onnx")
    candidate = Candidate(label=label, path=folder / "shadow.onnx", tensors=shadow.tensors, isolated=True)
    comparison = compare_runs(
        subject.graph,
        folder / "planted.onnx",
        [candidate],
        subject.samples,
        runner=OrtRunner(),
        reporter=CollectingReporter(),
        samples=16,
        histogram_samples=0,
    )
    return [item.unit.node for item in rank_units(units, comparison.layers, label)]


def _units_of(node: str, origin: Mapping[str, tuple[int, ...]], units: tuple[Unit, ...]) -> list[str]:
    sources = set(origin.get(node, ()))
    return [unit.node for unit in units if sources & set(unit.indices)]


def _place(order: list[str], guilty: frozenset[str]) -> int | None:
    distinct = list(dict.fromkeys(order))
    places = [distinct.index(node) + 1 for node in guilty if node in distinct]
    return min(places, default=None)
