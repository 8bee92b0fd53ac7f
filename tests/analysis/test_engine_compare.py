from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tests.analysis.trt86 import study
from trt_core.analysis.engine_compare import Alignment, Cause, compare_engines, node_names
from trt_core.analysis.engine_layers import Role, grouped, layer_rows, transitions
from trt_core.analysis.engine_lint import lint, uses_tensor_core
from trt_core.analysis.engine_memory import activations_at, at_batch, memory_at, memory_map
from trt_core.analysis.engine_why import why
from trt_core.analysis.roofline import Bound, roofline
from trt_core.domain.device_rates import rates_of
from trt_core.domain.engine import EngineLayer, EngineRecord, EngineTensor
from trt_core.domain.precision import Precision


def _steps(first: str, second: str):
    return {step.cause: step for step in compare_engines(study(first), study(second)).steps}


def _why(first: str, second: str):
    return {item.rule: item for item in why(compare_engines(study(first), study(second)))}


@pytest.mark.parametrize(
    ("first", "second"), [("r50_fp16", "r50_int8_calib"), ("r50_fp16", "r50_int8_qdq"), ("r18_fp32", "r18_int8_qdq")]
)
def test_the_waterfall_leads_from_one_sum_of_layer_times_to_the_other(first, second):
    comparison = compare_engines(study(first), study(second))

    total = sum(step.delta_ms for step in comparison.steps)
    assert math.isclose(comparison.first.layers_ms + total, comparison.second.layers_ms, abs_tol=1e-9)
    # No layer is lost, and none is counted twice.
    for side in ("first", "second"):
        positions = [row.position for group in comparison.groups for row in getattr(group, side)]
        assert sorted(positions) == [row.position for row in layer_rows(getattr(comparison, side))]


def test_calibrated_resnet_50_is_no_faster_because_its_convolutions_stayed_float():
    found = _why("r50_fp16", "r50_int8_calib")

    assert "2 of 54 layers with matrix work run in it" in found["quantized-asked-not-run"].message
    assert "52 convolutions" in found["matrix-layers-stayed-float"].message
    assert "47 of them take their bias from another layer" in found["matrix-layers-stayed-float"].message
    assert found["constant-copies"].message.startswith("47 layers copy constants at every inference: 0.184 ms, 23%")
    assert study("r50_int8_calib").total_ms > study("r50_fp16").total_ms


def test_qdq_resnet_50_is_faster_because_its_file_lost_the_copies_and_not_for_the_adds():
    steps, found = _steps("r50_fp16", "r50_int8_qdq"), _why("r50_fp16", "r50_int8_qdq")

    assert round(steps[Cause.BIAS_COPIES].delta_ms, 3) == -0.180
    assert round(steps[Cause.LOWER_PRECISION].delta_ms, 3) == -0.067
    assert round(steps[Cause.FUSION_LOST_LOWER].delta_ms, 3) == 0.106
    assert steps[Cause.FUSION_LOST_LOWER].groups == 16  # the residual blocks of ResNet-50
    assert "comes from the file, not from the precision" in found["constant-copies-gone"].message
    assert "quantized-asked-not-run" not in found
    assert study("r50_int8_qdq").total_ms < study("r50_fp16").total_ms


def test_the_encoder_that_was_asked_for_int8_ran_no_layer_in_it():
    found = _why("enc_fp16", "enc_int8_calib")

    assert "0 of 1 layers" in found["quantized-asked-not-run"].message
    assert "fall back to non-int8" in found["quantized-asked-not-run"].evidence
    assert "computes in FP16" in found["quantized-block-in-float"].message


def test_an_engine_against_itself_has_no_change():
    comparison = compare_engines(study("r18_fp16"), study("r18_fp16"))

    assert all(group.delta_ms == 0 and not group.tactic_changed for group in comparison.groups)
    assert not any(group.precision_changed for group in comparison.groups)


def test_engines_without_layer_times_are_aligned_and_say_so():
    bare = replace(study("r18_fp16"), times_ms=())

    assert "no-layer-times" in {item.rule for item in why(compare_engines(bare, study("r18_int8_qdq")))}


def numbered(known, ending: str):
    """The engine of a model whose nodes had no names: `Conv_0`, `Conv_1`, and other numbers in every export."""
    layers = [
        replace(
            layer,
            name=f"{layer.kind}_{index}{ending}",
            source_names=tuple(f"Node_{index}_{at}{ending}" for at, _ in enumerate(layer.source_names)),
        )
        for index, layer in enumerate(known.record.layers)
    ]
    facts = tuple(replace(fact, name=layer.name) for fact, layer in zip(known.facts, layers, strict=True))
    return replace(known, record=replace(known.record, layers=tuple(layers)), facts=facts)


def matrix_pairs(comparison) -> set[tuple[int, int]]:
    """Positions of the convolutions of groups that hold one of each engine."""
    found = set()
    for group in comparison.groups:
        sides = [[row.position for row in side if row.role is Role.MATRIX] for side in (group.first, group.second)]
        if all(len(side) == 1 for side in sides):
            found.add((sides[0][0], sides[1][0]))
    return found


@pytest.mark.parametrize("second", ["r50_int8_qdq", "r50_fp32", "r50_int8_calib"])
def test_engines_whose_nodes_are_only_numbered_are_aligned_by_order_and_shapes(second):
    named = compare_engines(study("r50_fp16"), study(second))
    bare = compare_engines(numbered(study("r50_fp16"), "_a"), numbered(study(second), "_b"))

    assert (named.alignment, bare.alignment) == (Alignment.NODES, Alignment.PLACES)
    wanted, paired = matrix_pairs(named), matrix_pairs(bare)
    assert len(wanted & paired) >= 0.95 * len(paired)
    assert len(paired) >= 0.75 * len(wanted)  # branches that run in another order stay together, in one group
    total = sum(step.delta_ms for step in bare.steps)
    assert math.isclose(bare.first.layers_ms + total, bare.second.layers_ms, abs_tol=1e-9)
    found = {item.rule: item for item in why(bare)}
    assert "order in which they run" in found["aligned-by-place"].message
    assert "no-shared-nodes" not in found


def test_engines_of_two_models_are_not_aligned_by_their_order():
    apart = compare_engines(numbered(study("r18_fp16"), "_a"), numbered(study("r50_fp16"), "_b"))
    assert apart.alignment is Alignment.NOTHING
    assert "of different models" in {item.rule: item.message for item in why(apart)}["no-shared-nodes"]


def test_engines_that_tell_neither_nodes_nor_shapes_say_that_nothing_is_aligned():
    def silent(ending):
        known = numbered(study("r18_fp16"), ending)
        layers = (replace(layer, source_names=(), inputs=(), outputs=()) for layer in known.record.layers)
        return replace(known, record=replace(known.record, layers=tuple(layers)))

    comparison = compare_engines(silent("_a"), silent("_b"))
    assert comparison.alignment is Alignment.NOTHING
    assert "name no node" in {item.rule: item.message for item in why(comparison)}["no-shared-nodes"]
    assert compare_engines(silent("_a"), silent("_a")).alignment is Alignment.NAMES


def test_quantizers_and_the_builders_inventions_are_no_nodes():
    assert node_names(("/conv1/Conv", "onnx::Conv_497_QuantizeLinear", "(Unnamed Layer* 3) [Shuffle]")) == (
        "/conv1/Conv",
    )


def test_roles_precisions_and_shares_add_up():
    rows = layer_rows(study("r50_fp16"))

    by_role = {group.label: group for group in grouped(rows, lambda row: row.role.value)}
    assert by_role[Role.MATRIX.value].count == 54
    assert by_role[Role.REFORMAT.value].count == 49
    assert math.isclose(sum(group.share for group in by_role.values()), 1.0)
    assert sum(row.macs or 0 for row in rows) == 8 * 4_089_184_256  # ResNet-50's known multiply-accumulates
    matrix = {(item.writes, item.reads): item.tensors for item in transitions(study("r50_int8_calib"))}
    assert matrix[Precision.FP16, Precision.INT8] == 1


def test_the_memory_estimate_comes_near_what_the_builder_said():
    for name, tolerance in (("r18_int8_calib", 0.01), ("r18_fp16", 0.2), ("r50_int8_qdq", 0.05)):
        memory = memory_map(study(name))
        assert memory.peak_bytes <= memory.placed_bytes <= memory.total_bytes
        said = study(name).record.activation_bytes
        assert abs(memory.peak_bytes - said) < tolerance * said


def test_placed_tensors_that_live_together_never_overlap():
    lifetimes = memory_map(study("r18_fp16")).lifetimes

    for one in lifetimes:
        for other in lifetimes:
            together = one is not other and one.first <= other.last and other.first <= one.last
            if together and one.size_bytes and other.size_bytes:
                assert one.offset + one.size_bytes <= other.offset or other.offset + other.size_bytes <= one.offset


def test_activations_scale_with_the_batch():
    doubled = activations_at(study("r18_fp16"), 16) / activations_at(study("r18_fp16"), 8)
    assert 1.99 < doubled < 2  # biases that are copied do not grow


def test_the_roofline_tells_launch_from_work():
    points = roofline(layer_rows(study("r18_fp16")), rates_of("NVIDIA H200", measured=()))
    by_name = {point.name: point for point in points}

    first = by_name["/conv1/Conv + /relu/Relu"]
    assert first.intensity == pytest.approx(2 * 944_111_616 / (8 * 3 * 224**2 * 2 + 8 * 64 * 112**2 * 2 + 9_472 * 2))
    assert by_name["Identity_0"].bound is Bound.LAUNCH
    assert all(point.attained is None or point.attained <= 1 for point in points)


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        ("sm80_xmma_fprop_implicit_gemm_f16f16_f16f16_f16_nhwckrsc_nhwc_tilesize64x64x64_g1_tensor16x8x16", True),
        ("sm90_xmma_fprop_implicit_gemm_f16f16_tilesize128x64x64_cgasize4x1x1_warpgroupsize1x1x1_g1", True),
        ("sm70_xmma_gemm_as_conv1x1_f16f16_f16_f16_tn_n_simt_small_batch_bias_relu", False),
        ("0x0000000000020701", None),
    ],
)
def test_a_tactics_name_says_whether_it_uses_tensor_cores(kernel, expected):
    assert uses_tensor_core(kernel) is expected


def test_the_linters_find_what_the_recordings_hold():
    calibrated = {item.rule: item for item in lint(study("r50_int8_calib"))}
    quantized = {item.rule: item for item in lint(study("r50_int8_qdq"))}

    assert "48 layers take less than 5 µs" in calibrated["tiny-kernels"].message
    assert len(calibrated["reformats"].nodes) == 50
    assert len(quantized["qdq-not-fused"].nodes) == 4
    assert "tiny-kernels" not in quantized


def test_engines_that_cannot_be_compared_are_told_apart_first():
    apart = _why("r18_fp16", "vit_fp16")
    assert "no-shared-nodes" in apart
    assert "no-shared-nodes" not in _why("r18_fp16", "r18_int8_qdq")

    other = replace(study("r18_fp16"), device="NVIDIA L4", batch=1)
    rules = {item.rule for item in why(compare_engines(study("r18_fp16"), other))}
    assert {"conditions-differ-device", "conditions-differ-batch"} <= rules


def test_workspace_is_what_the_log_says_and_stands_apart_from_activations():
    whole = study("enc_fp16")
    assert whole.workspace_bytes == 6_819_840
    assert "ForeignNode" in whole.scratch[0][0]
    assert study("r50_fp16").workspace_bytes is None  # no layer asks for any

    small, recorded = memory_at(study("r18_fp16"))
    assert (small.batch, recorded.batch) == (1, 8)
    assert small.weight_bytes == recorded.weight_bytes == 24_403_104
    assert recorded.activation_bytes / small.activation_bytes == pytest.approx(8, rel=0.01)
    (*_, largest) = memory_at(replace(study("r18_fp16"), largest_batch=64))
    assert largest.batch == 64
    assert largest.total_bytes == largest.weight_bytes + largest.activation_bytes


def test_an_open_batch_is_given_its_size_and_other_open_sizes_stay_open():
    layer = EngineLayer(
        index=0,
        name="conv",
        inputs=(EngineTensor(name="x", dtype="half", shape=(-1, 4)),),
        outputs=(EngineTensor(name="y", dtype="half", shape=(-1, -1)), EngineTensor(name="z", dtype="half")),
    )
    sized = at_batch(EngineRecord(layers=(layer,)), 8).layers[0]
    assert [tensor.shape for tensor in (*sized.inputs, *sized.outputs)] == [(8, 4), (8, -1), ()]
