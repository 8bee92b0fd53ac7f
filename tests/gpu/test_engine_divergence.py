from __future__ import annotations

import json

import onnx
import pytest

from tests.contracts.test_observer_contract import ObserverContract
from tests.gpu.conftest import SAMPLES
from tests.gpu.looking import scaled, scene, told
from tests.gpu.networks import residual_network
from trt_core.domain.engine_divergence import CutOutcome, Marking
from trt_core.domain.precision import Precision

pytestmark = pytest.mark.gpu


def wide_network() -> onnx.ModelProto:
    return residual_network(blocks=2, channels=64)


class TestTrtObserver(ObserverContract):
    @pytest.fixture
    def observer(self, caches):
        from trt_core.backends.tensorrt.observer import TrtObserver

        return TrtObserver(caches)

    def test_8_6_marks_outputs_only(self, observer) -> None:
        assert observer.markings() == (Marking.OUTPUTS,)


def test_inner_tensors_of_an_fp32_engine_are_right_and_watching_changes_nothing(tmp_path, caches, figures):
    seen = scene(tmp_path, caches, wide_network(), Precision.FP32)
    run = seen.look()
    figures(told(run))
    assert run.is_intact
    assert run.opaque == ""
    assert len(run.layers) >= 4  # the seams of both blocks, and between their convolutions
    assert min(layer.error("fp32").sqnr_db for layer in run.layers) > 90
    last = run.groups[-1].check  # the first may have read a tensor that the engine does not have by itself
    assert last.fusions.changed is False
    assert last.output.changed is False
    assert last.latency_ratio is not None
    assert run.square is None


def test_a_layer_that_overflows_in_fp16_is_found_in_the_engine(tmp_path, caches, figures):
    # Both convolutions of block 1 make their values so large that FP16 has none for them; the FP32 model is finite.
    proto = scaled(wide_network(), {"w3": 3e3, "w4": 3e3})
    names = {node.input[1]: node.name for node in proto.graph.node if node.op_type == "Conv"}
    assert {"block1_conv1", "block1_conv2"} == {names["w3"], names["w4"]}
    run = scene(tmp_path, caches, proto, Precision.FP16).look(square=False, max_builds=3)
    figures(told(run))
    assert not run.is_intact
    clean = [layer for layer in run.layers if layer.name.startswith(("stem", "block0"))]
    assert clean
    assert min(layer.error("fp16").sqnr_db for layer in clean) > 40
    wrong = [layer for layer in run.layers if layer.error("fp16").sqnr_db < 20]
    assert wrong[0].name.startswith("block1")
    found = run.origin[:1] if run.origin else run.bisection.between
    assert any(name.startswith("block1") for name in found)


def test_watching_every_tensor_splits_fusions_and_those_that_did_are_not_believed(tmp_path, caches, figures):
    run = scene(tmp_path, caches, wide_network(), Precision.FP16).look(tensors="all", search="groups", square=False)
    figures(told(run))
    first = run.groups[0]
    assert first.check.fusions.changed
    assert first.check.fusions.evidence
    inside = {"stem", "b0_c1", "b0_c2", "b0_sum", "b1_c1", "b1_sum"}  # between a convolution and what is fused to it
    assert inside <= set(first.tensors)
    assert not inside & set(run.believed)


def test_an_opaque_transformer_is_bisected_to_the_block_that_overflows(tmp_path, caches, digits, figures):
    proto = onnx.load(SAMPLES / "digits_transformer" / "model.onnx")
    planted = scaled(proto, {"encoder.layer1.ffn.up.weight": 1e5})
    run = scene(tmp_path, caches, planted, Precision.FP16).look(search="bisect", max_builds=5, square=False)
    figures(f"{run.opaque} {told(run)}")
    assert "opaque" in run.opaque
    assert not run.is_intact
    steps = run.bisection.steps
    assert 1 <= len(steps) <= 5
    assert all(step.outcome is not CutOutcome.NO_BUILD for step in steps), [step.reason for step in steps]
    assert "/encoder/layer1/ffn/up/MatMul" in run.bisection.between
    assert "/encoder/layer0/ffn/up/MatMul" not in run.bisection.between


def test_the_command_line_looks_into_an_engine(tmp_path, caches, capsys):
    from trt_core.cli.main import main

    seen = scene(tmp_path, caches, residual_network(blocks=1, channels=32), Precision.FP16)
    code = main(
        ["diverge", "--inside", seen.build.id, "--samples", "8", "--json", "--workspace", str(tmp_path / "workspace")]
    )
    said = capsys.readouterr()
    assert code == 0, said.err
    found = json.loads(said.out)
    assert found["build"] == seen.build.id
    assert found["square"]["blame"] == "nothing"
    assert found["layers"]
