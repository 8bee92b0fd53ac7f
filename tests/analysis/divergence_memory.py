"""Writes the peak memory, in KiB, of a comparison over as many samples as the second argument says."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.analysis import twins
from tests.analysis.test_divergence import chain
from trt_core.analysis.divergence import Candidate, compare_runs
from trt_core.backends.onnxruntime.runner import OrtRunner
from trt_core.onnx_graph.read import read_graph
from trt_core.testing import CollectingReporter


def main(folder: Path, samples: int) -> None:
    model = chain(depth=8, channels=32)
    twin = twins.fp16_twin(model)
    feeds = {"x": np.ones((800, 32, 8, 8), np.float32)}
    compare_runs(
        read_graph(model),
        twins.save(model, folder / "model.onnx"),
        [Candidate(label="fp16", path=twins.save(twin, folder / "twin.onnx"), tensors=twins.tensors_of(twin, model))],
        lambda: (feeds for _ in range(samples)),
        runner=OrtRunner(),
        reporter=CollectingReporter(),
        samples=samples * 800,
    )
    sys.stdout.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
