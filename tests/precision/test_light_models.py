"""Real topologies: grouped and factored convolutions, LRN, Dropout, long chains of BatchNormalization."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from tests.light_models import light_input, light_model
from tests.precision.running import ranges_of, run, sqnr_db
from trt_core.domain.precision import CalibrationMethod, Precision, Recipe
from trt_core.precision.normalize import normalize
from trt_core.precision.twin import make_twin
from trt_core.precision.variant import make_variant


@pytest.mark.parametrize(("name", "nodes"), [("squeezenet", 69), ("shufflenet", 154), ("inception_v2", 302)])
def test_a_real_topology_survives_every_step(name, nodes):
    model = light_model(name)
    feeds, output = light_input(model), model.graph.output[0].name
    expected = run(model, feeds, optimize=True)[output]
    normalized = normalize(model)
    assert len(normalized.model.graph.node) == nodes
    folded = run(normalized.model, feeds, optimize=True)[output]
    assert np.abs(expected - folded).max() <= 1e-4 * np.abs(expected).max()
    for precision, floor_db in ((Precision.FP16, 40), (Precision.INT8, 20)):
        recipe = Recipe(precision=precision, method=CalibrationMethod.MINMAX)
        variant = make_variant(model, recipe, ranges_of(model, recipe, feeds), normalized=normalized)
        onnx.checker.check_model(variant.model, full_check=True)
        result = run(make_twin(variant.model, recipe), feeds, optimize=True)[output]
        assert sqnr_db(expected, result) > floor_db
        accounted = {index for node in variant.provenance.nodes if not node.inserted for index in node.sources}
        accounted |= {node.index for node in variant.provenance.removed}
        assert accounted == set(range(len(model.graph.node)))
