from __future__ import annotations

import json
import shutil

import pytest

from trt_core.domain.codec import from_plain
from trt_core.domain.device_rates import DeviceRates, rates_of
from trt_core.domain.precision import Precision

pytestmark = pytest.mark.gpu


def test_the_command_line_measures_rates_below_the_data_sheet_and_not_far(tmp_path, caches, capsys, figures):
    from trt_core.backends.tensorrt.device import this_gpu
    from trt_core.cli.main import main

    sheet = rates_of(this_gpu().name, measured=())
    if sheet is None:
        pytest.skip("no data sheet of this GPU is known")
    shutil.copytree(caches, tmp_path / "workspace" / "tensorrt")
    code = main(["device-rates", "--json", "--workspace", str(tmp_path / "workspace")])
    said = capsys.readouterr()
    assert code == 0, said.err
    rates = from_plain(DeviceRates, json.loads(said.out))
    figures(f"{rates.bandwidth_gb_s:.0f} GB/s, {[(kind.value, round(rate)) for kind, rate in rates.tera_ops]}")
    assert rates.is_of(this_gpu().name)
    assert 0.6 < rates.bytes_per_s / sheet.bytes_per_s < 1.0
    found = [kind for kind, _ in rates.tera_ops]
    assert found == [Precision.FP32, Precision.TF32, Precision.FP16, Precision.INT8]
    for kind in found:
        assert 0.3 < rates.ops_per_s(kind) / sheet.ops_per_s(kind) < 1.0
    speeds = [rate for _, rate in rates.tera_ops]
    assert speeds == sorted(speeds)
