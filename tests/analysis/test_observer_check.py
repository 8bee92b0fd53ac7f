from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.backends.tensorrt import recorded
from tests.fake_engines import tower
from trt_core.analysis.observer_check import observer_check, spoilers
from trt_core.domain.divergence import TensorError
from trt_core.domain.engine import EngineLayer, EngineRecord
from trt_core.domain.precision import Precision
from trt_core.onnx_graph.read import read_graph


def error(sqnr_db: float, **counts) -> TensorError:
    return TensorError(sqnr_db=sqnr_db, cosine=1.0, max_abs=0.0, mean_abs=0.0, rel_l2=0.0, **counts)


def layer(*names: str, kernel: str = "k", precision=Precision.FP16) -> EngineLayer:
    return EngineLayer(index=0, name=" + ".join(names), kernel=kernel, precision=precision, source_names=names)


def copy(of: str) -> EngineLayer:
    return EngineLayer(index=9, name=f"Reformatting CopyNode for Output Tensor 0 to {of}", kind="Reformat")


PLAIN = EngineRecord(layers=(layer("conv", "relu"), layer("gemm")))


def times(median_ms: float, spread: float = 0.01, count: int = 400):
    return tuple(np.random.default_rng(count).normal(median_ms, median_ms * spread, count))


SAME = times(1.0)


def check(marked=PLAIN, *, plain_db=60.0, marked_db=60.0, plain_ms=SAME, marked_ms=SAME, copy_ms=0.0):
    return observer_check(
        PLAIN, marked, plain_output=error(plain_db), marked_output=error(marked_db),
        plain_ms=plain_ms, marked_ms=marked_ms, plain_layers_ms={"conv + relu": 0.6, "gemm": 0.4},
        marked_layers_ms={"conv + relu": 0.6, "gemm": 0.4, copy("a").name: copy_ms},
    )  # fmt: skip


def test_the_same_engine_is_unchanged_in_all_three_and_concludes():
    found = check()
    assert (found.fusions.changed, found.output.changed, found.latency.changed) == (False, False, False)
    assert found.concludes
    assert found.reasons == ()


def test_copies_that_hand_tensors_out_are_no_change_of_the_fusions():
    found = check(EngineRecord(layers=(*PLAIN.layers, copy("a"), copy("b"))))
    assert found.fusions.changed is False
    assert found.copies == 2
    assert "2 copies hand the marked tensors out" in found.fusions.sentence


def test_a_cast_that_becomes_a_view_is_no_change_of_the_fusions():
    cast = EngineLayer(index=3, name="x_cast", kind="Reformat", source_names=("x_cast",))
    before, after = (EngineRecord(layers=(item, *PLAIN.layers)) for item in (cast, replace(cast, kind="NoOp")))
    figures = {"plain_output": error(60.0), "marked_output": error(60.0), "plain_ms": SAME, "marked_ms": SAME,
               "plain_layers_ms": {}, "marked_layers_ms": {}}  # fmt: skip
    assert observer_check(before, after, **figures).fusions.changed is False


def test_recorded_engines_are_told_apart_and_one_is_like_itself():
    first, second = recorded.record("r18_fp16"), recorded.record("r18_fp32")
    figures = {"plain_output": error(60.0), "marked_output": error(60.0), "plain_ms": SAME, "marked_ms": SAME,
               "plain_layers_ms": {}, "marked_layers_ms": {}}  # fmt: skip
    same = observer_check(first, first, **figures)
    assert same.fusions.changed is False
    assert same.fusions.sentence.startswith("The 39 computing layers are the same")  # views and reformats left out
    assert observer_check(first, second, **figures).fusions.changed


def test_a_split_fusion_is_a_change_and_both_sides_are_named():
    found = check(EngineRecord(layers=(layer("conv"), layer("relu"), layer("gemm"))))
    assert found.fusions.changed
    assert found.fusions.evidence[0] == "only without marks: conv + relu in fp16"
    assert "only with marks: conv in fp16" in found.fusions.evidence
    assert not found.concludes
    assert found.reasons == (found.fusions.sentence,)


def test_a_layer_in_another_precision_is_a_change():
    other = EngineRecord(layers=(layer("conv", "relu", precision=Precision.FP32), layer("gemm")))
    assert check(other).fusions.changed


def test_an_output_that_moves_by_more_than_3_db_or_becomes_finite_is_a_change():
    assert check(marked_db=62.5).output.changed is False
    assert check(marked_db=64.0).output.changed
    assert check(plain_db=float("-inf"), marked_db=50.0).output.changed
    assert check(plain_db=float("-inf"), marked_db=float("-inf")).output.changed is False
    assert check(plain_db=120.0, marked_db=135.0).output.changed is False  # both FP32 rounding


def test_a_slower_engine_is_a_change_unless_its_copies_alone_explain_it():
    assert check(marked_ms=times(1.2)).latency.changed
    with_copies = EngineRecord(layers=(*PLAIN.layers, copy("a")))
    excused = check(with_copies, marked_ms=times(1.5), copy_ms=0.5)
    assert excused.latency.changed is False
    assert "its 1 copies, 33% of its layers' time, explain it" in excused.latency.sentence
    assert check(with_copies, marked_ms=times(1.5), copy_ms=0.2).latency.changed  # a third of it is not explained
    assert check(with_copies, marked_ms=times(1.5)).latency.changed
    assert check(with_copies, marked_ms=times(0.8), copy_ms=0.5).latency.changed  # copies make no engine faster


def test_a_latency_that_wavers_gives_no_answer_and_none_without_samples():
    found = check(plain_ms=times(1.0, 0.3, 30), marked_ms=times(1.04, 0.3, 31))
    assert found.latency.changed is None
    assert found.concludes  # not known is no reason to disbelieve
    assert check(marked_ms=()).latency.changed is None
    assert check(marked_ms=()).latency_ratio is None


FUSED = EngineRecord(layers=(layer("up0", "act0"), layer("down0", "sum0"), layer("head")))
SPLIT = EngineRecord(layers=(layer("up0"), layer("act0"), layer("down0", "sum0"), layer("head")))


def test_the_tensor_inside_a_lost_fusion_is_the_spoiler():
    graph = read_graph(tower(1))
    assert spoilers(FUSED, SPLIT, ["b0_up", "b0_act", "b0_sum"], graph) == ("b0_up",)


def test_where_none_lies_inside_those_that_a_lost_fusion_writes_are_suspected():
    graph = read_graph(tower(1))
    assert spoilers(FUSED, SPLIT, ["b0_act", "b0_sum"], graph) == ("b0_act",)


def test_without_names_of_nodes_every_tensor_is_suspected_and_none_where_nothing_changed():
    graph = read_graph(tower(1))
    opaque = EngineRecord(layers=(EngineLayer(index=0, name="{ForeignNode[up0...head]}"),))
    assert spoilers(opaque, SPLIT, ["b0_act", "b0_sum"], graph) == ("b0_act", "b0_sum")
    assert spoilers(FUSED, FUSED, ["b0_act"], graph) == ()
