"""TensorRT-RTX takes every variant, and what was quantized really runs quantized."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import onnx
import pytest

from tests.precision.running import digits, ranges_of, sample
from trt_core.domain.precision import Precision, Recipe
from trt_core.precision.variant import Variant, make_variant

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tensorrt_rtx_bindings") is None, reason="TensorRT-RTX is not installed"
)
SCRIPT = Path(__file__).with_name("rtx_build.py")


def built(variant: Variant, folder: Path) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """The kernels of the plan for SM 8.9; fails with the compiler's words."""
    onnx.save(variant.model, folder / "variant.onnx")
    answer = folder / "answer.json"
    command = [sys.executable, str(SCRIPT), str(folder / "variant.onnx"), "SM89", str(answer)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(answer.read_text())
    assert "error" not in said, said["error"]
    return [(kind, tuple(read), tuple(written)) for kind, read, written in said["kernels"]]


def compute(kernels: list[tuple[str, tuple[str, ...], tuple[str, ...]]]) -> Counter[str]:
    """Convolution and GEMM kernels by the dtype that they read."""
    return Counter("/".join(read) for kind, read, _ in kernels if kind in ("correlation", "gemm", "runtime_fusion"))


def variant_of(name: str, precision: Precision, rest: Precision = Precision.FP16) -> Variant:
    model, recipe = sample(name), Recipe(precision=precision, rest=rest)
    return make_variant(model, recipe, ranges_of(model, recipe, digits(32)))


@pytest.mark.parametrize(("precision", "dtype"), [(Precision.FP16, "Half"), (Precision.BF16, "BFloat16")])
@pytest.mark.parametrize("name", ["digits_cnn", "digits_transformer"])
def test_a_low_precision_variant_computes_in_it_throughout(name, precision, dtype, tmp_path):
    assert set(compute(built(variant_of(name, precision), tmp_path))) == {dtype}


@pytest.mark.parametrize(("precision", "dtype"), [(Precision.INT8, "Int8"), (Precision.FP8, "FP8")])
@pytest.mark.parametrize(("name", "quantized"), [("digits_cnn", 12), ("digits_transformer", 14)])
def test_quantized_nodes_run_in_quantized_kernels(name, quantized, precision, dtype, tmp_path):
    # The query, key and value projections of a block share one activation and become one GEMM: 20 nodes, 14 kernels.
    assert compute(built(variant_of(name, precision), tmp_path))[dtype] == quantized


@pytest.mark.parametrize("rest", [Precision.FP32, Precision.BF16])
def test_int8_builds_with_every_kind_of_rest(rest, tmp_path):
    assert compute(built(variant_of("digits_cnn", Precision.INT8, rest), tmp_path))["Int8"] == 12


def test_int4_weights_build(tmp_path):
    assert compute(built(variant_of("digits_transformer", Precision.INT4), tmp_path))["Half"] > 0
