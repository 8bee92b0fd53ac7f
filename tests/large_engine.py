"""One layer of a large synthetic engine, as trtexec exports it; for the tests and the benchmark of the lab."""

from __future__ import annotations

from typing import Any


def trtexec_layer(number: int) -> dict[str, Any]:
    tensor = {"Dimensions": [8, 64, 28, 28], "Format/Datatype": "Channel major FP16 format where channel % 8 == 0"}
    return {
        "Name": f"conv_{number}",
        "LayerType": "Reformat" if number % 10 == 9 else "CaskConvolution",
        "Inputs": [tensor | {"Name": f"t{number}"}],
        "Outputs": [tensor | {"Name": f"t{number + 1}"}],
        "OutMaps": 64,
        "Weights": {"Type": "Half", "Count": 36_864},
        "TacticName": f"sm80_xmma_fprop_implicit_gemm_f16f16_tensor16x8x16_{number % 40}",
        "TacticValue": f"0x{number:016x}",
        "Metadata": f"[ONNX Layer: /conv_{number}]",
    }
