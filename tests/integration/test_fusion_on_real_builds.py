from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
MODELS = ("digits_cnn", "digits_transformer", "squeezenet", "shufflenet", "inception_v1", "resnet50")
PRECISIONS = ("fp32", "fp16", "int8")
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("real builds")]  # one process keeps what was built


@pytest.fixture(scope="module")
def real_builds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("builds")

    @cache
    def builds(name: str, *flags: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "tests.integration.real_builds", str(folder), name, *flags]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout)

    return builds


def states(fusion: dict[str, Any]) -> Counter[str]:
    return Counter(state for _, state, _, _ in fusion["nodes"])


@pytest.mark.parametrize("name", MODELS)
def test_at_most_two_percent_of_the_nodes_or_one_stay_unexplained(real_builds, name: str) -> None:
    for precision, fusion in real_builds(name).items():
        count = len(fusion["nodes"])
        assert states(fusion)["unexplained"] <= max(1, 0.02 * count), precision


@pytest.mark.parametrize("name", MODELS)
def test_every_convolution_and_product_is_in_the_compilers_own_record(real_builds, name: str) -> None:
    for precision, fusion in real_builds(name).items():
        matrices = [node for node in fusion["nodes"] if node[0] in ("Conv", "Gemm", "MatMul")]
        assert matrices
        assert {state for _, state, _, _ in matrices} == {"mapped"}, precision


@pytest.mark.parametrize("name", MODELS)
def test_every_layer_that_a_node_names_is_an_engine_layer_and_the_map_reads_the_same_both_ways(
    real_builds, name: str
) -> None:
    for fusion in real_builds(name).values():
        layers = {index: nodes for index, _, nodes in fusion["layers"]}
        for index, (_, state, by, held) in enumerate(fusion["nodes"]):
            assert set(held) <= set(layers)
            if state == "mapped":
                assert held
                assert all(index in layers[layer] for layer in held)
            assert by or state == "unexplained"


def test_resnet50_becomes_58_kernels_in_fp16_and_108_in_int8_and_the_findings_say_why(real_builds) -> None:
    found = real_builds("resnet50")
    assert {precision: len(found[precision]["layers"]) for precision in PRECISIONS} == {
        "fp32": 58,
        "fp16": 58,
        "int8": 108,
    }
    assert "quantized-convolution-writes-floating" in found["int8"]["findings"]
    assert "quantized-convolution-writes-floating" not in found["fp16"]["findings"]
    assert ["batchnorm folding", 176, 123] in found["fp16"]["steps"]


def test_without_normalization_batchnorm_is_fused_inside_the_compiler_and_lost_names_are_epilogues(
    real_builds,
) -> None:
    fusion = real_builds("resnet50", "raw")["fp16"]
    lost = [node for node in fusion["nodes"] if node[0] in ("BatchNormalization", "Relu") and node[1] != "mapped"]
    assert Counter(op for op, *_ in lost) == {"BatchNormalization": 18, "Relu": 9}
    assert all(state == "absorbed" and by.startswith("epilogue: ") for _, state, by, _ in lost)
    assert ["conv+bn+activation", True] in fusion["patterns"]


def test_attention_is_fused_in_fp16_and_int8_and_not_in_fp32(real_builds) -> None:
    found = real_builds("digits_transformer")
    fused = {
        precision: [ok for pattern, ok in found[precision]["patterns"] if pattern == "attention"]
        for precision in PRECISIONS
    }
    assert fused == {"fp32": [False] * 3, "fp16": [True] * 3, "int8": [True] * 3}
    assert "not-fused-attention" in found["fp32"]["findings"]


@pytest.mark.parametrize("name", MODELS)
def test_every_quantized_product_runs_in_int8_and_fusion_saves_traffic(real_builds, name: str) -> None:
    found = real_builds(name)
    quantized = [ok for pattern, ok in found["int8"]["patterns"] if pattern == "q/dq"]
    assert quantized
    assert all(quantized)
    assert found["fp32"]["saved_bytes"] > found["fp16"]["saved_bytes"] > 0
