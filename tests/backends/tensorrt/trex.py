"""A folder of TREx, in the form of its examples; the figures are made up."""

from __future__ import annotations

TENSORS = [{"Name": "x", "Dimensions": [4, 3, 8, 8], "Format/Datatype": "Row major linear FP32"}]
OPTIONS = {
    "Batch": "Explicit",
    "Streams": "2",
    "Data transfers": "Disabled",
    "Spin-wait": "Enabled",
    "CUDA Graph": "Enabled",
    "Separate profiling": "Enabled",
}


def trex_files(stem: str = "net.onnx", precision: str = "FP32+FP16+INT8") -> dict[str, object]:
    return {
        f"{stem}.engine.graph.json": {
            "Layers": [{"Name": "conv", "LayerType": "CaskConvolution", "Inputs": TENSORS, "Outputs": []}],
            "Bindings": ["x"],
        },
        f"{stem}.engine.profile.json": [{"count": 9}, {"name": "conv", "timeMs": 9.0, "averageMs": 1.0}],
        f"{stem}.engine.timing.json": [{"computeMs": 0.5, "latencyMs": 0.5, "h2dMs": 0}] * 3,
        f"{stem}.engine.build.metadata.json": {"model_options": {}, "build_options": {"Precision": precision}},
        f"{stem}.engine.metadata.json": [{"Name": "NVIDIA Z9", "ComputeCapability": [8, 0]}],
        f"{stem}.engine.profile.metadata.json": {
            "inference_options": OPTIONS,
            "device_information": {"Selected Device": "NVIDIA Z9", "SMs": 108.0},
            "performance_summary": {"Throughput": 1.0},
        },
    }
