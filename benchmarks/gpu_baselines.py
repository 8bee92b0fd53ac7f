"""ResNet-50 on the GPU without TensorRT: PyTorch eager, and ONNX Runtime's CUDA provider where it is installed.

`python -m benchmarks.gpu_baselines FOLDER RESULTS.json` needs PyTorch and torchvision; FOLDER holds `resnet50.onnx`.
Times lie between CUDA events around one inference at batch 8, as in `benchmarks.gpu`; a case that fails is written
down with its reason.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision

BATCH = 8
ITERATIONS = 1000
WARMUP = 100


def timed(infer: Callable[[], object], stream: Any) -> dict[str, float]:
    """Percentiles in ms over ITERATIONS inferences, each after the last."""
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    taken: list[float] = []
    with torch.cuda.stream(stream):
        for _ in range(WARMUP):
            infer()
        stream.synchronize()
        began = time.perf_counter()
        for _ in range(ITERATIONS):
            start.record(stream)
            infer()
            end.record(stream)
            end.synchronize()
            taken.append(start.elapsed_time(end))
        wall_s = time.perf_counter() - began
    return {
        "p50_ms": float(np.percentile(taken, 50)),
        "p99_ms": float(np.percentile(taken, 99)),
        "throughput_per_s": BATCH * ITERATIONS / wall_s,
    }


def eager(dtype: Any, *, tf32: bool, channels_last: bool) -> dict[str, Any]:
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = True
    layout = torch.channels_last if channels_last else torch.contiguous_format
    torch.manual_seed(0)
    model = torchvision.models.resnet50().eval().to(device="cuda", dtype=dtype, memory_format=layout)
    x = torch.randn(BATCH, 3, 224, 224, device="cuda", dtype=dtype).contiguous(memory_format=layout)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.inference_mode():
        return timed(lambda: model(x), stream) | {"version": torch.__version__}


def onnx_runtime(path: Path, dtype: Any, *, tf32: bool) -> dict[str, Any]:
    import onnxruntime as ort

    if "CUDAExecutionProvider" not in ort.get_available_providers():
        raise RuntimeError("ONNX Runtime is installed without its CUDA provider.")
    stream = torch.cuda.Stream()
    options = {
        "use_tf32": str(int(tf32)),
        "cudnn_conv_algo_search": "EXHAUSTIVE",
        "user_compute_stream": str(stream.cuda_stream),
    }
    session = ort.InferenceSession(str(path), providers=[("CUDAExecutionProvider", options), "CPUExecutionProvider"])
    if session.get_providers()[0] != "CUDAExecutionProvider":
        raise RuntimeError("ONNX Runtime fell back to the CPU.")
    x = torch.randn(BATCH, 3, 224, 224, device="cuda", dtype=dtype)
    y = torch.empty(BATCH, 1000, device="cuda", dtype=dtype)
    torch.cuda.synchronize()
    binding = session.io_binding()
    numpy_type = np.float16 if dtype is torch.float16 else np.float32
    binding.bind_input("x", "cuda", 0, numpy_type, tuple(x.shape), x.data_ptr())
    binding.bind_output("y", "cuda", 0, numpy_type, tuple(y.shape), y.data_ptr())
    run = ort.RunOptions()
    run.add_run_config_entry("disable_synchronize_execution_providers", "1")
    with torch.inference_mode():
        return timed(lambda: session.run_with_iobinding(binding, run), stream) | {"version": ort.__version__}


def half_model(folder: Path) -> Path:
    path = folder / "resnet50-half.onnx"
    if not path.is_file():
        torch.manual_seed(0)
        model, x = torchvision.models.resnet50().eval().half().cuda(), torch.randn(BATCH, 3, 224, 224).half().cuda()
        torch.onnx.export(
            model, (x,), str(path), input_names=["x"], output_names=["y"], opset_version=17, dynamo=False
        )  # fmt: skip
    return path


def main() -> None:
    folder, results = Path(sys.argv[1]), Path(sys.argv[2])
    single, half = torch.float32, torch.float16
    whole = folder / "resnet50.onnx"
    cases: dict[str, Callable[[], dict[str, Any]]] = {
        "pytorch-eager/fp32": lambda: eager(single, tf32=False, channels_last=False),
        "pytorch-eager/tf32": lambda: eager(single, tf32=True, channels_last=False),
        "pytorch-eager/fp16": lambda: eager(half, tf32=True, channels_last=False),
        "pytorch-eager/fp16-channels-last": lambda: eager(half, tf32=True, channels_last=True),
        "onnxruntime-cuda/fp32": lambda: onnx_runtime(whole, single, tf32=False),
        "onnxruntime-cuda/tf32": lambda: onnx_runtime(whole, single, tf32=True),
        "onnxruntime-cuda/fp16": lambda: onnx_runtime(half_model(folder), half, tf32=True),
    }
    done = json.loads(results.read_text()) if results.is_file() else {}
    for name, measure in cases.items():
        if name in done:
            continue
        try:
            done[name] = measure()
        except Exception as error:  # noqa: BLE001 - a baseline that cannot run is a row with its reason
            done[name] = {"error": f"{type(error).__name__}: {error}"[:400]}
        done["device"] = torch.cuda.get_device_name()
        results.write_text(json.dumps(done, indent=1) + "\n")
        print(name, done[name], flush=True)


if __name__ == "__main__":
    main()
