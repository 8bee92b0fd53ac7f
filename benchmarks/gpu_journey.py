"""The whole story of one accuracy problem and one speed question on a GPU, by the command line, as a user would go.

    python -m benchmarks.gpu_journey run WORKSPACE RESULTS.json --exported PROJECT.zip
    python -m benchmarks.gpu_journey meters WORKSPACE RESULTS.json --models FOLDER [--timings FILE]
    python -m benchmarks.gpu_journey report RESULTS.json > docs/gpu/h200-trt86-journey.md

`run` needs TensorRT: triage of the transformer sample, engines of the plans on its curve, each validated by running it
and measured; the four-way square; copies to the GPU and back; a dynamic engine against static ones. `meters` is run
under every interpreter that has something to time (TensorRT, ONNX Runtime with CUDA, PyTorch): it measures what is
there on the models of FOLDER (`benchmarks.gpu_models`), and leaves a note on what is not.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benchmarks.gpu_journey_tables import written
from benchmarks.tables import ROOT
from tests.fake_engines import InProcess
from tests.gpu.networks import residual_network
from tests.models import saved
from trt_core.analysis.sweeps import against_references, split_profiles
from trt_core.cli.answers import Console
from trt_core.cli.arguments import parser
from trt_core.cli.commands import COMMANDS
from trt_core.cli.present import finite
from trt_core.errors import TrtCoreError
from trt_core.settings import settings_from
from trt_core.workbench import open_workbench, workspace_of

TOLD = (  # what is kept of an answer
    "curve", "chosen", "build", "precisions", "verdict", "baseline", "candidate", "latency_ms", "throughput_per_s",
    "device", "method", "sweep", "points", "best", "square",
)  # fmt: skip
Outcome = tuple[int, dict[str, Any], str]  # exit code, answer, the line of an error

SAMPLE = "samples/digits_transformer/model.onnx"
CALIBRATION = ["--data", "samples/digits/calibration.npz"]
JUDGED = ["--data", "samples/digits/test.npz", "--labels", "samples/digits/test_labels.npz"]
SEARCHES = {  # MinMax alone takes 78.6 % of all MACs, the others more than 80 %
    "entropy": [],
    "minmax attention": ["--method", "minmax", "--attention"],
    "minmax": ["--method", "minmax"],
}
THOROUGH = "minmax attention"  # whose chosen engine is looked into
ON_TENSORRT = ["--backend", "tensorrt"]
PROFILE = ["--profile", "image=1x1x16x16:64x1x16x16:256x1x16x16", "--optimization-level", "2"]
SIZES = (64, 128, 256)
ROUNDS = ["--iterations", "1000"]


class Journey:
    """Commands one after the other; every answer is kept, whatever it was; what is known is not run again.

    In one process each command and its job run here: on a machine whose files are slow, two starts take half a minute.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.workspace, self._results = options.workspace, options.results
        self.known: dict[str, Any] = json.loads(self._results.read_text()) if self._results.is_file() else {}
        self._command = OneProcess(self.workspace) if options.one_process else self._started

    def ask(self, name: str, *words: str) -> dict[str, Any]:
        """The answer of one command: its exit code, its JSON and its seconds."""
        if name in self.known:
            return self.known[name]
        began = time.monotonic()
        code, answer, said = self._command(words)
        told = [Path(word).name if word.startswith("/") else word for word in words]
        kept = {"words": told, "exit": code, "seconds": time.monotonic() - began, "error": said}
        kept["answer"] = {key: answer[key] for key in TOLD if key in answer}
        print(f"{name}: exit {code}, {kept['seconds']:.1f} s {said}", flush=True)
        return self.keep(name, kept)

    def _started(self, words: Sequence[str]) -> Outcome:
        command = [sys.executable, "-m", "trt_core", *words, "--json", "--quiet", "--workspace", str(self.workspace)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        said = done.stderr.strip().splitlines()[-1:] if done.returncode else []
        return done.returncode, json.loads(done.stdout) if done.stdout.strip() else {}, " ".join(said)

    def keep(self, name: str, found: dict[str, Any]) -> dict[str, Any]:
        """Write an answer down."""
        self.known[name] = found
        self._results.write_text(json.dumps(self.known, indent=1) + "\n")
        return found

    def build(self, name: str, model: str, *words: str) -> str:
        """The id of an engine; empty where it was not built."""
        return self.ask(name, "build", model, *ON_TENSORRT, *words)["answer"].get("build", {}).get("id", "")


class OneProcess:
    """Commands of the command line, each with its job, in this process."""

    def __init__(self, workspace: Path) -> None:
        holder = SimpleNamespace()
        holder.work = open_workbench(settings_from(workspace=workspace), launcher=InProcess(holder))
        self._holder = holder

    def __call__(self, words: Sequence[str]) -> Outcome:
        options = parser().parse_args([*words, "--json", "--quiet"])
        try:
            answer = COMMANDS[options.command](self._holder.work, options, Console(quiet=True))
        except TrtCoreError as error:
            return error.exit_code, {}, f"error: {error}"
        return answer.exit_code, finite(answer.plain), ""


def accuracy(journey: Journey) -> None:
    """The model in FP32, and what each way of searching finds: every plan as an engine that is run and judged."""
    judged_engine(journey, "fp32", "--precision", "fp32")
    for way, words in SEARCHES.items():
        chosen = searched(journey, way, words)
        if chosen and way == THOROUGH:
            journey.ask("four-way square", "diverge", "--inside", chosen, *CALIBRATION, "--samples", "64")
            copies = ["bench", chosen, *ON_TENSORRT, "--batch", "64", *ROUNDS, "--transfers"]
            journey.ask("copies included", *copies)


def searched(journey: Journey, way: str, words: Sequence[str]) -> str:
    """Triage, and an engine of every plan on its curve; the id of the chosen one's."""
    judging = ["--validation-data", JUDGED[1], "--labels", JUDGED[3]]
    found = journey.ask(f"triage {way}", "triage", SAMPLE, *CALIBRATION, *words, *judging)["answer"]
    engines = []
    for place, point in enumerate(found.get("curve", ())):
        keep = [word for node in point["kept_nodes"] for word in ("--keep", f"{node}=fp16")]
        wish = ["--precision", "int8", *CALIBRATION, *words, *keep]
        engines.append(judged_engine(journey, f"{way} {place}", *wish))
    return engines[found["chosen"]] if engines else ""


def judged_engine(journey: Journey, name: str, *wish: str) -> str:
    """Build an engine, validate it by running it and measure it; its id, empty where it was not built."""
    build = journey.build(f"build {name}", SAMPLE, *wish, *PROFILE)
    if build:
        journey.ask(f"validate {name}", "validate", build, *ON_TENSORRT, *JUDGED)
        journey.ask(f"bench {name}", "bench", build, *ON_TENSORRT, "--batch", "64", *ROUNDS)
    return build


def shapes(journey: Journey) -> None:
    """One engine over three sizes of its pictures, against an engine with static shapes for each."""
    model = saved(residual_network(channels=64, sizes=("size", "size")), journey.workspace.parent / "open_sizes.onnx")

    def engine(name: str, *sizes: int) -> str:
        ranges = ":".join(f"4x3x{size}x{size}" for size in sizes)
        wish = ["--precision", "fp16", "--profile", f"x={ranges}", "--optimization-level", "2"]
        return journey.build(f"build {name}", str(model), *wish)

    def swept(name: str, build: str, *sizes: int) -> str:
        along = ["--axis", "size", "--sizes", ",".join(map(str, sizes))]
        done = journey.ask(f"sweep {name}", "sweep", build, *ON_TENSORRT, *along, "--iterations", "500")
        return str(done["answer"].get("sweep", ""))

    dynamic = swept("open sizes", engine("open sizes", SIZES[0], SIZES[1], SIZES[-1]), *SIZES)
    static = [swept(f"static {size}", engine(f"static {size}", size, size, size), size) for size in SIZES]
    if dynamic and all(static):
        sweeps = workspace_of(journey.workspace).sweeps
        references = [point for name in static for point in sweeps.sweep(name).points]
        mine, theirs = against_references(sweeps.sweep(dynamic).points, references)
        parts = [(item.low, item.high, item.slowdown) for item in split_profiles(mine, theirs)]
        journey.keep("profile split", {"dynamic_ms": mine, "static_ms": theirs, "profiles": parts})


def run(options: argparse.Namespace) -> None:
    journey = Journey(options)
    accuracy(journey)
    shapes(journey)
    for number, record in enumerate(workspace_of(options.workspace).library.models()):
        journey.ask(f"export {record.name}", "export", record.id, "-o", f"{options.exported}/project-{number}.zip")


def meters(options: argparse.Namespace) -> None:
    """What this interpreter can time of every model, each with the copies left out and included."""
    journey = Journey(options)
    os.environ["ENGINESCOPE_TORCH_PROGRAMS"] = str(options.models)
    for path in sorted(options.models.glob("*.onnx")):
        name = path.stem
        if importlib.util.find_spec("tensorrt"):
            timings = ["--timing-cache", str(options.timings)] if options.timings else []
            for precision in ("fp32", "tf32", "fp16"):
                ranges = ["--profile", "x=1x3x224x224:8x3x224x224:8x3x224x224", *timings]
                build = journey.build(f"build {name} {precision}", str(path), "--precision", precision, *ranges)
                timed(journey, f"{name} tensorrt {precision}", build, *ON_TENSORRT)
        if importlib.util.find_spec("torch"):
            timed(journey, f"{name} ort-cuda", str(path), "--backend", "ort-cuda")
            eager = ["--backend", "pytorch-cuda", "--program", f"{name}.pt2"]
            timed(journey, f"{name} pytorch-cuda", str(path), *eager)


def timed(journey: Journey, name: str, subject: str, *words: str) -> None:
    for suffix, more in (("", []), (" with copies", ["--transfers"])):
        journey.ask(f"{name}{suffix}", "bench", subject, *words, "--batch", "8", *ROUNDS, *more)


def report(options: argparse.Namespace) -> None:
    print(written(json.loads(options.results.read_text())))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_journey")
    commands = parser.add_subparsers(required=True)
    for name, what in (("run", run), ("meters", meters), ("report", report)):
        command = commands.add_parser(name)
        if name != "report":
            command.add_argument("workspace", type=Path)
            command.add_argument("--one-process", action="store_true")
        command.add_argument("results", type=Path)
        command.set_defaults(what=what)
        if name == "run":
            command.add_argument("--exported", type=Path, required=True)
        if name == "meters":
            command.add_argument("--models", type=Path, required=True)
            command.add_argument("--timings", type=Path)
    options = parser.parse_args()
    options.what(options)


if __name__ == "__main__":
    main()
