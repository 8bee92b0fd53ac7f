"""Everything that is measured on a GPU, in one resumable run on a machine that is dear.

`python -m benchmarks.gpu_all STATE OUT --models FOLDER --timings FILE --budget-seconds N [--steps tests,rates,...]`

STATE keeps what is done: started again, the run goes on with the step that was cut. After every step its results are
copied to OUT. FOLDER is what `benchmarks.gpu_models` writes, TIMINGS a timing cache of this GPU to start from. PyTorch
need not be installed beside TensorRT: its interpreter is named with --torch-python, further packages for it with
--torch-path.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.tables import ROOT

_SEED = (
    "import shutil, sys; from pathlib import Path\n"
    "from trt_core.backends.tensorrt.device import this_gpu\n"
    "from trt_core.backends.tensorrt.kept_files import KeptFiles\n"
    "from trt_core.backends.tensorrt.native import library\n"
    "target = KeptFiles(folder=Path(sys.argv[2])).timings(library().__version__, this_gpu())\n"
    "target.parent.mkdir(parents=True, exist_ok=True); shutil.copyfile(sys.argv[1], target)\n"
)


@dataclass(frozen=True, kw_only=True)
class Step:
    """A command with the longest it may take. `needs` is a file that must be there first."""

    name: str
    words: list[str]
    limit_s: int
    needs: Path | None = None
    environment: dict[str, str] = field(default_factory=dict)


def steps(options: argparse.Namespace) -> list[Step]:
    state, models, python = options.state, options.models, sys.executable
    workspace, exported = state / "workspace", models / "done"
    kept = str(workspace / "tensorrt")
    tests = [python, "-m", "pytest", "-m", "gpu", "tests/gpu", "-q", "-p", "no:cacheprovider", "--durations=8"]
    apart = {"PYTHONPATH": str(options.torch_path or ""), "LD_LIBRARY_PATH": ""}
    here = ["-m", "benchmarks.gpu"]
    return [
        Step(name="tests", words=tests, limit_s=480, environment={"TRT_TIMING_CACHE": str(options.timings)}),
        Step(name="seed", words=[python, "-c", _SEED, str(options.timings), kept], limit_s=60),
        Step(name="rates", words=[python, "-m", "benchmarks.gpu_rates", f"{state}/rates.json", kept], limit_s=120),
        Step(
            name="baselines",
            words=[options.torch_python, "-m", "benchmarks.gpu_baselines", str(models), f"{state}/baselines.json"],
            limit_s=120,
            needs=exported,
            environment=apart,
        ),
        Step(
            name="sweep",
            words=[
                python, "-m", "benchmarks.gpu_sweep", "run", f"{models}/resnet50.onnx", str(workspace),
                f"{state}/sweep.json",
            ],
            limit_s=420,
            needs=exported,
        ),
        Step(
            name="cases",
            words=[python, *here, "run", str(models), f"{state}/h200-trt86.json", *options.cases],
            limit_s=1200,
            needs=exported,
        ),
    ]  # fmt: skip


def main() -> None:
    options = arguments()
    options.state.mkdir(parents=True, exist_ok=True)
    known = options.state / "h200-trt86.json"
    if not known.is_file():
        shutil.copy(ROOT / "docs" / "gpu" / known.name, known)
    deadline = time.monotonic() + options.budget_seconds
    wanted = options.steps.split(",") if options.steps else None
    for step in steps(options):
        mark = options.state / f"{step.name}.done"
        if mark.is_file() or (wanted and step.name not in wanted):
            continue
        while step.needs and not step.needs.is_file() and time.monotonic() < deadline:
            time.sleep(0.5)
        left = deadline - time.monotonic()
        if left < 15:
            print(f"no time left for {step.name}", flush=True)
            break
        if performed(step, min(step.limit_s, left), options):
            mark.touch()
        bring_back(options)


def performed(step: Step, limit_s: float, options: argparse.Namespace) -> bool:
    """Run a step; True when it is done, also when it failed: only a step that was cut is taken up again."""
    began = time.monotonic()
    with (options.state / f"{step.name}.txt").open("ab") as said:
        try:
            environment = {**os.environ, **step.environment}
            code = subprocess.run(
                step.words, cwd=ROOT, check=False, timeout=limit_s, stdout=said, stderr=said, env=environment
            ).returncode
        except subprocess.TimeoutExpired:
            code = None
    tail = (options.state / f"{step.name}.txt").read_text(errors="replace").splitlines()[-options.tail :]
    took = time.monotonic() - began
    print(
        f"== {step.name}: {'cut' if code is None else f'exit {code}'} after {took:.0f} s", *tail, sep="\n", flush=True
    )
    return code is not None


def bring_back(options: argparse.Namespace) -> None:
    """Copy what there is: results, the log of every step, the grown timing cache, and the recordings in one file."""
    state, out = options.state, options.out
    for result in state.glob("*.json"):
        shutil.copy(result, out)
    logs = sorted(state.glob("*.txt"))
    (out / "log.txt").write_text("\n".join(f"==== {log.stem}\n{log.read_text(errors='replace')}" for log in logs))
    for cache in (state / "workspace" / "tensorrt" / "timing").glob("trt-*.cache"):
        shutil.copy(cache, out / "timing.cache")
    found = [*options.models.glob("*/build.log.gz"), *options.models.glob("*/layers.json.gz")]
    if found:
        with tarfile.open(out / "recordings.tar", "w") as whole:
            for item in sorted(found):
                whole.add(item, f"{item.parent.name}/{item.name}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_all")
    parser.add_argument("state", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--timings", type=Path, required=True)
    parser.add_argument("--budget-seconds", type=float, required=True)
    parser.add_argument("--steps", default="")
    parser.add_argument("--cases", nargs="*", default=[], help="of benchmarks.gpu; all that are missing by default")
    parser.add_argument("--torch-python", default="python3")
    parser.add_argument("--torch-path", type=Path)
    parser.add_argument("--tail", type=int, default=30, help="lines of each step's output to show")
    return parser.parse_args()


if __name__ == "__main__":
    main()
