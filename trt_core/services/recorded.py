"""One input and the reference's answer to it, recorded for the smoke test of a served model."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trt_core.deploy.batching import batching_of
from trt_core.deploy.order import Order
from trt_core.deploy.triton_config import triton_type
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.precision import Precision
from trt_core.errors import TrtCoreError
from trt_core.protocols import Array, Feeds, Runner
from trt_core.services.library import Library

# Relative L2 of the whole output against FP32: wide enough for the rounding of the precision, far below another model.
TOLERANCES = {
    Precision.FP32: 1e-3,
    Precision.TF32: 1e-2,
    Precision.FP16: 2e-2,
    Precision.BF16: 5e-2,
    Precision.INT8: 0.15,
    Precision.FP8: 0.15,
    Precision.INT4: 0.25,
}


@dataclass(frozen=True, kw_only=True)
class Recording:
    """`arrays` is an .npz, `names` the JSON that says which array is which tensor; both empty when there is none."""

    arrays: bytes = b""
    names: bytes = b""
    findings: tuple[Finding, ...] = ()


def recorded_sample(order: Order, library: Library, runner: Runner, model: Path, model_id: str) -> Recording:
    """The model as uploaded, run once in FP32 by the runner, on a stored sample where there is one."""
    try:
        feeds, origin = _feeds(order, library, model_id)
        session = runner.load(model)
        outputs = dict(zip(session.outputs, session.run(feeds), strict=True))
    except TrtCoreError as error:
        return Recording(
            findings=(
                Finding(
                    rule="no-smoke-test",
                    severity=Severity.WARNING,
                    message="No smoke test goes along: the model cannot be run here to record an answer.",
                    remedy="Record one where it runs.",
                    evidence=error.message,
                ),
            )
        )
    title = runner.capabilities().title
    reference = f"{title} {session.version} in FP32 on {session.device}; input: {origin}"
    return Recording(arrays=_npz(feeds, outputs), names=_names(order, feeds, outputs, reference))


def _feeds(order: Order, library: Library, model_id: str) -> tuple[Feeds, str]:
    from trt_core.store.npz import batches, random_feeds

    smallest = batching_of(order.passport).smallest
    shapes = {}
    for spec in order.passport.inputs:
        ranged = order.passport.profiles[0].range_of(spec.name) if order.passport.profiles else None
        shape = ranged.opt if ranged else tuple(dim if isinstance(dim, int) else 1 for dim in spec.shape or ())
        shapes[spec.name] = (smallest, *shape[1:]) if ranged and shape else shape
    for data in library.data_sets(model_id):
        first = next(batches(library.data_path(data.id), batch=smallest))
        if {name: tuple(array.shape) for name, array in first.items()} == shapes:
            return first, f"the first sample of {data.name}"
    inputs = library.model(model_id).inputs
    return random_feeds(inputs, shapes), "random input (seed 0)"


def _npz(feeds: Feeds, outputs: dict[str, Array]) -> bytes:
    arrays: dict[str, Any] = {f"input_{number}": array for number, array in enumerate(feeds.values())}
    arrays |= {f"output_{number}": array for number, array in enumerate(outputs.values())}
    target = io.BytesIO()
    np.savez_compressed(target, **arrays)
    return target.getvalue()


def _names(order: Order, feeds: Feeds, outputs: dict[str, Array], reference: str) -> bytes:
    passport = order.passport
    kinds = {spec.name: triton_type(spec, order.served_by) for spec in (*passport.inputs, *passport.outputs)}
    facts = {
        "model": order.name,
        "reference": reference,
        "tolerance": TOLERANCES.get(passport.precision, TOLERANCES[Precision.INT4]),
        "inputs": [_entry(name, kinds, f"input_{number}") for number, name in enumerate(feeds)],
        "outputs": [_entry(name, kinds, f"output_{number}") for number, name in enumerate(outputs) if name in kinds],
    }
    return (json.dumps(facts, indent=2) + "\n").encode()


def _entry(name: str, kinds: dict[str, str], array: str) -> dict[str, str]:
    return {"name": name, "datatype": kinds[name].removeprefix("TYPE_"), "array": array}
