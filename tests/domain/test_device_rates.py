"""Rates of devices: measured before data sheet, and each says which it is."""

from __future__ import annotations

import pytest

from trt_core.domain.device_rates import DeviceRates, rates_of
from trt_core.domain.precision import Precision
from trt_core.errors import InvalidInput

MINE = DeviceRates(
    device="H200",
    bandwidth_gb_s=4000.0,
    tera_ops=((Precision.FP16, 700.0),),
    source="copies and products of our own",
    conditions="1,980 MHz",
    is_measured=True,
)


def test_measured_rates_are_preferred_and_say_so():
    found = rates_of("NVIDIA H200 (SM 9.0)", measured=(MINE,))
    assert found is MINE
    assert found.label == "H200, measured: copies and products of our own (1,980 MHz)"
    assert found.ops_per_s(Precision.FP16) == pytest.approx(7e14)
    assert found.ops_per_s(Precision.INT8) is None  # what was not measured has no roof


def test_without_a_measurement_the_data_sheet_is_named_as_one():
    found = rates_of("NVIDIA H200", measured=())
    assert not found.is_measured
    assert "data sheet" in found.label
    assert found.bytes_per_s == pytest.approx(4.8e12)


@pytest.mark.parametrize(
    ("device", "expected"),
    [("NVIDIA A100-SXM4-80GB", "A100 80GB"), ("NVIDIA A10", "A10"), ("Tesla T4", "T4"), ("a CPU", None), ("", None)],
)
def test_a_device_is_known_by_a_whole_word_of_its_name(device, expected):
    found = rates_of(device, measured=())
    assert (found.device if found else None) == expected


@pytest.mark.parametrize("wrong", [{"bandwidth_gb_s": 0.0}, {"device": " "}, {"tera_ops": ((Precision.FP16, -1.0),)}])
def test_rates_that_are_none_are_refused(wrong):
    values = {"device": "X", "bandwidth_gb_s": 1.0, "tera_ops": (), "source": "s"} | wrong
    with pytest.raises(InvalidInput):
        DeviceRates(**values)
