from __future__ import annotations

import io

import numpy as np
import pytest

from tests.gpu.looking import scaled, scene
from tests.gpu.networks import residual_network
from trt_core.backends.onnxruntime.runner import OrtRunner
from trt_core.domain.precision import Precision
from trt_core.domain.requests import ValidateSpec
from trt_core.domain.validation import Verdict
from trt_core.testing import CollectingReporter

pytestmark = pytest.mark.gpu

SAMPLES = 403  # the engine takes up to 8 at once: the last batch is smaller


def validated(seen, **wish):
    """The engine of a scene against its model, which has all labels right."""
    library = seen.bench.library
    values = np.random.default_rng(0).standard_normal((SAMPLES, 3, 32, 32), dtype=np.float32)
    session = OrtRunner().load(library.model_path(seen.model.id))
    arrays = {"x": values}, {"labels": session.run({"x": values})[0].argmax(axis=1)}
    ids = []
    for one in arrays:
        target = io.BytesIO()
        np.savez(target, **one)
        target.seek(0)
        ids.append(library.add_data(target, name=f"{next(iter(one))}.npz").id)
    wish = {"labels_id": ids[1], "tolerance": 0.05} | wish
    spec = ValidateSpec(model_id=seen.model.id, subject_id=seen.build.id, data_id=ids[0], **wish)
    run = seen.bench.validation.perform(spec, CollectingReporter())
    return run, seen.bench.validation.judgement(run).verdict


def test_the_engine_itself_is_judged_and_a_fault_that_only_it_has_fails_it_while_the_twin_passes(
    tmp_path, caches, figures
):
    network = residual_network(blocks=1)
    seen = scene(tmp_path / "good", caches, network, Precision.FP16)

    run, verdict = validated(seen)
    exact, _ = validated(seen, metric="sqnr", labels_id="")

    figures(f"{run.method} {run.measured.counts}, {exact.measured.value:.1f} dB, {run.seconds:.1f} s")
    assert run.by_engine
    assert "NVIDIA" in run.device
    assert run.samples == SAMPLES
    assert verdict is Verdict.NOT_WORSE
    assert 35 < exact.measured.value < 120

    # The engine of another model under this one's id: nothing that is simulated can know of it.
    faulty = scene(tmp_path / "faulty", caches, scaled(network, {"head": -1.0}), Precision.FP16)
    path = seen.bench.builds.engine_path(seen.build.id)
    path.chmod(0o644)
    path.write_bytes(faulty.bench.builds.engine_path(faulty.build.id).read_bytes())

    run, verdict = validated(seen)
    twin, simulated = validated(seen, backend="ort")

    figures(f"planted: engine {run.measured.value:.3f}, twin {twin.measured.value:.3f}")
    assert verdict is Verdict.WORSE
    assert simulated is Verdict.NOT_WORSE
    assert not twin.by_engine
