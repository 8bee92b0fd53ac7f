"""Parse and build one ONNX file with TensorRT-RTX for one architecture; run as a process of its own.

Prints JSON: `error`, or `kernels` as a list of [layer type, input dtypes, output dtypes].
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path


def dtypes(text: str) -> list[str]:
    return sorted(set(re.findall(r"Datatype: (\w+)", text)))


def kernel(line: str) -> list[object]:
    """One line of the compiler's own record."""
    kind = re.search(r"LayerType: (\w+)", line)
    inputs, _, rest = line.partition("Inputs: ")[2].partition("Outputs: ")
    return [
        kind.group(1) if kind else "",
        dtypes(inputs.partition("Constants: ")[0]),
        dtypes(rest.partition("TacticName")[0]),
    ]


def build(path: Path, architecture: str) -> dict[str, object]:
    import tensorrt_rtx_libs  # noqa: F401 - the bindings find their libraries through it
    import tensorrt_rtx_bindings as trt  # isort: skip

    class Log(trt.ILogger):
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []
            self.layers = ""

        def log(self, severity, text) -> None:
            if severity <= trt.ILogger.ERROR and "catchCudaError" not in text:
                self.errors.append(text[:300])
            if text.startswith("Layers:"):
                self.layers = text

    log = Log()
    builder = trt.Builder(log)
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, log)
    if not parser.parse_from_file(str(path)):
        return {"error": "; ".join(parser.get_error(index).desc()[:300] for index in range(parser.num_errors))}
    config = builder.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    profile = builder.create_optimization_profile()
    for index in range(network.num_inputs):
        given = network.get_input(index)
        if -1 in given.shape:
            profile.set_shape(given.name, *([size if dim == -1 else dim for dim in given.shape] for size in (1, 8, 32)))
    config.add_optimization_profile(profile)
    config.num_compute_capabilities = 1
    config.set_compute_capability(getattr(trt.ComputeCapability, architecture), 0)
    if builder.build_serialized_network(network, config) is None:
        return {"error": "; ".join(log.errors[:4]) or "no engine"}
    return {"kernels": [kernel(line) for line in log.layers.splitlines() if line.startswith("Name:")]}


if __name__ == "__main__":
    answer = build(Path(sys.argv[1]), sys.argv[2])
    Path(sys.argv[3]).write_text(json.dumps(answer))
