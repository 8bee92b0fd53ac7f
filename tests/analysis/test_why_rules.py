"""Why a layer loses: channels by index, clipping, overflow, and whose fault it is."""

from __future__ import annotations

import numpy as np
import pytest

from trt_core.analysis.activation_stats import ActivationStats
from trt_core.analysis.why_rules import first_broken, sensitive_inputs, why_findings
from trt_core.domain.divergence import LayerDivergence, TensorError
from trt_core.domain.precision import Precision
from trt_core.domain.triage import Unit, UnitSensitivity

UNIT = Unit(node="/ffn/up", op_type="MatMul", indices=(0,), macs=1)
RNG = np.random.default_rng(0)


def facts(*arrays, scale=None, axis=-1, is_fp8=False):
    stats = ActivationStats("x", axis=axis, scale=scale, is_fp8=is_fp8)
    for array in arrays:
        stats.add(np.asarray(array, np.float32))
    return stats.result()


def rules(found, precision=Precision.INT8, *, isolated=10.0, weights=None, activations=None, unit=UNIT):
    item = UnitSensitivity(
        unit=unit,
        isolated_db=isolated,
        accumulated_db=None,
        weights_db=weights,
        activations_db=activations,
        facts=found,
    )
    return {finding.rule: finding for finding in why_findings([item], precision)}


def test_outlier_channels_are_named_by_index_the_widest_first():
    values = RNG.standard_normal((64, 16)).astype(np.float32)
    values[:, 3] *= 40
    values[:, 11] *= 90

    found = facts(values, scale=1.0)

    assert found.outliers == (11, 3)
    assert "11, 3" in rules(found)["outlier-channels"].message
    assert found.channel_db > found.tensor_db + 6


def test_channels_of_an_image_are_on_the_second_axis():
    image = np.ones((2, 4, 3, 3), np.float32)
    image[:, 2] = 100

    assert facts(image, axis=1).outliers == (2,)


def test_clipped_and_lost_values_are_counted_over_all_batches():
    found = facts([[300.0, 1.0]], [[0.2, 1.0]], scale=1.0)

    assert found.clipped_share == found.lost_share == 0.25
    assert {"clipping"} <= rules(found).keys()


def test_fp8_is_held_against_its_own_grid():
    import ml_dtypes

    wide = np.abs(RNG.standard_normal((64, 16))).astype(np.float32)
    wide[:, 3] *= 1000
    scale = float(wide.max()) / 448
    rounded = (wide / scale).astype(ml_dtypes.float8_e4m3fn).astype(np.float32)

    found = facts(wide, scale=scale, is_fp8=True)

    assert found.lost_share == np.mean(rounded == 0) < 0.01
    assert found.clipped_share == 0.0
    assert not rules(found, Precision.FP8)
    assert "rounded-to-zero" in rules(facts(wide, scale=float(wide.max()) / 127))


def test_values_cut_off_in_fp8_are_counted_from_the_end_of_its_range():
    found = facts([[463.0, 465.0, 1.0, 1.0]], scale=1.0, is_fp8=True)

    assert found.clipped_share == 0.25
    assert "ends at 448" in rules(found, Precision.FP8)["clipping"].evidence


def test_a_range_both_too_narrow_and_too_wide_is_not_sent_from_one_calibration_to_the_other():
    both = rules(facts([[300.0, 0.2, 0.3, 1.0]], scale=1.0))
    only_cut = rules(facts([[300.0, 1.0, 1.0, 1.0]], scale=1.0))

    assert both["clipping"].remedy == both["rounded-to-zero"].remedy
    assert "Keep this node" in both["clipping"].remedy
    assert "MinMax" in only_cut["clipping"].remedy


def test_a_layer_that_loses_only_what_eight_bits_cost_needs_no_explanation():
    assert not rules(facts([[300.0, 1.0]], scale=1.0), isolated=40.0)


@pytest.mark.parametrize(("weights", "activations", "rule"), [(10, 40, "weights-lose"), (40, 10, "activations-lose")])
def test_the_half_that_loses_is_named(weights: float, activations: float, rule: str):
    assert rule in rules(facts([[1.0, 2.0]], scale=0.02), weights=weights, activations=activations)


def test_overflow_beyond_65504_is_a_blocker_and_tiny_values_a_warning():
    assert "fp16-overflow" in rules(facts([[7e4, 1.0]]), Precision.FP16)
    assert "fp16-near-overflow" in rules(facts([[5e4, 1.0]]), Precision.FP16)
    assert "fp16-subnormal" in rules(facts([[1e-6, 1e-6, 1.0]]), Precision.FP16)


def test_an_offset_beside_which_values_hardly_vary_is_found_though_their_sqnr_is_high():
    varying = RNG.standard_normal((64, 16)).astype(np.float32)

    assert "offset-hides-variation" in rules(facts(varying[:32] + 3e4, varying[32:] + 3e4), Precision.FP16, isolated=70)
    assert "offset-hides-variation" not in rules(facts(varying + 50), Precision.FP16, isolated=70)
    assert "offset-hides-variation" not in rules(facts(np.full((64, 16), 3e4)), Precision.FP16, isolated=70)


def test_bf16_has_no_end_at_65504_but_coarser_steps():
    assert not rules(facts([[7e4, 1e-6, 1e-6]]), Precision.BF16, isolated=50)
    evidence = rules(facts(RNG.standard_normal((64, 4)) + 1e3), Precision.BF16)["offset-hides-variation"].evidence
    assert "BF16 resolves 7.8 there" in evidence


def test_a_softmax_that_loses_in_fp16_is_called_sensitive():
    softmax = Unit(node="/softmax", op_type="Softmax", indices=(0,))

    assert "sensitive-op" in rules(facts([[0.5, 0.5]]), Precision.FP16, isolated=20.0, unit=softmax)


def test_values_that_are_zero_on_all_samples_are_dead():
    assert "dead-range" in rules(facts(np.zeros((2, 4)), scale=1.0))


@pytest.mark.parametrize(("own", "said"), [(3, "the layer itself overflows"), (0, "for the first time.")])
def test_the_first_layer_that_is_not_finite_is_named_and_whether_it_is_its_own_doing(own, said):
    def error(inf):
        return TensorError(sqnr_db=-np.inf if inf else 50.0, cosine=1.0, max_abs=0.0, mean_abs=0.0, rel_l2=0.0, inf=inf)

    layers = [
        LayerDivergence(
            index=place, name=f"layer{place}", op_type="MatMul", tensor=f"t{place}",
            accumulated=(("fp16", error(broken)),), isolated=(("fp16", error(alone)),),
        )
        for place, (broken, alone) in enumerate([(0, 0), (3, own), (9, 9)])
    ]  # fmt: skip

    found = first_broken(layers, Precision.FP16)

    assert [finding.nodes for finding in found] == [("layer1",)]
    assert said in found[0].message
    assert first_broken(layers[:1], Precision.FP16) == ()


def test_wide_inputs_of_softmax_and_normalization_are_findings():
    wide, calm = facts([-400.0, 120.0]), facts([-8.0, 9.0])

    found = sensitive_inputs(
        [("s", "Softmax", wide), ("t", "Softmax", calm), ("n", "LayerNormalization", wide), ("m", "Softmax", calm)]
    )

    assert [finding.nodes for finding in found] == [("s",), ("n",)]
    assert "FP16 resolves 0.39" in found[0].message
    assert "1.6e+05" in found[1].message
