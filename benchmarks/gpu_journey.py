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

from benchmarks.tables import ROOT, Table
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
MINMAX = ["--method", "minmax"]
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
    """Triage; engines of the model in FP32 and of every plan on the curve, validated by running them, and measured."""
    found = journey.ask(
        "triage", "triage", SAMPLE, *CALIBRATION, *MINMAX, "--validation-data", JUDGED[1], "--labels", JUDGED[3]
    )
    engines = {"fp32": journey.build("build fp32", SAMPLE, "--precision", "fp32", *PROFILE)}
    for place, point in enumerate(found["answer"].get("curve", ())):
        keep = [word for node in point["kept_nodes"] for word in ("--keep", f"{node}=fp16")]
        wish = ["--precision", "int8", *CALIBRATION, *MINMAX, *keep, *PROFILE]
        engines[f"plan {place}"] = journey.build(f"build plan {place}", SAMPLE, *wish)
    for name, build in engines.items():
        if build:
            journey.ask(f"validate {name}", "validate", build, *ON_TENSORRT, *JUDGED)
            journey.ask(f"bench {name}", "bench", build, *ON_TENSORRT, "--batch", "64", *ROUNDS)
    chosen = engines.get(f"plan {found['answer'].get('chosen')}")
    if chosen:
        inside = ["--inside", chosen, *CALIBRATION, "--samples", "64"]
        journey.ask("four-way square", "diverge", *inside)
        copies = ["bench", chosen, *ON_TENSORRT, "--batch", "64", *ROUNDS, "--transfers"]
        journey.ask("copies included", *copies)


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


# Reporting -----------------------------------------------------------------------------------------------------------


def commands_table(known: dict[str, Any]) -> Table:
    rows = [
        (
            name,
            f"`{' '.join(item['words'])[:160]}`",
            str(item["exit"]),
            f"{item['seconds']:.1f}",
            item["error"] or "",
        )
        for name, item in known.items()
        if "words" in item
    ]
    return Table(
        title="Every command and its exit code",
        method="0 yes, 1 no, 5 too few samples to tell; 2 to 4 would be a refusal or a failure, with its line.",
        columns=("step", "command", "exit", "seconds", "error"),
        rows=tuple(rows),
    )


def plans_table(known: dict[str, Any]) -> Table:
    rows = []
    for name in ["fp32", *(f"plan {place}" for place in range(len(known["triage"]["answer"].get("curve", ()))))]:
        said, timed_ms = known.get(f"validate {name}", {}).get("answer"), known.get(f"bench {name}", {}).get("answer")
        if not said or not timed_ms:
            rows.append((name, *["–"] * 7))
            continue
        point = known["triage"]["answer"]["curve"][int(name.split()[1])] if name != "fp32" else {}
        layers = known[f"build {name}"]["answer"]["precisions"]
        rows.append(
            (
                name,
                ", ".join(point.get("kept_nodes", ["–"])[:3]) + (" …" if point.get("kept", 0) > 3 else ""),
                f"{100 * point['metric']:.2f}" if point else "–",
                f"{100 * said['candidate']:.2f}",
                said["verdict"],
                ", ".join(f"{count} {precision}" for precision, count in sorted(layers.items())),
                f"{timed_ms['latency_ms']['p50']:.4f}",
                f"{timed_ms['latency_ms']['p99']:.4f}",
            )
        )
    return Table(
        title="The transformer sample: plans of the search, as engines",
        method="Top-1 in % of 7,764 samples, by the numerics twin in ONNX Runtime and by the engine itself, with the "
        "verdict on the engine at a tolerance of 0.5 %; latency is GPU compute at batch 64.",
        columns=("engine", "kept in FP16", "twin", "engine", "verdict", "layers run in", "p50 ms", "p99 ms"),
        rows=tuple(rows),
    )


def meters_table(known: dict[str, Any]) -> Table:
    rows = []
    for name, item in known.items():
        if "latency_ms" in item.get("answer", {}) and not name.startswith(("bench ", "copies")):
            found, model = item["answer"], name.split()[0]
            best = known.get(f"{model} tensorrt fp16{' with copies' if name.endswith('copies') else ''}", {})
            p50 = found["latency_ms"]["p50"]
            ratio = p50 / best["answer"]["latency_ms"]["p50"] if best.get("answer") else None
            throughput = f"{found['throughput_per_s']:.0f}"
            rows.append(
                (name, f"{p50:.3f}", f"{found['latency_ms']['p99']:.3f}", throughput, f"{ratio:.2f}" if ratio else "–")
            )
    return Table(
        title="The same files in other libraries, batch 8",
        method="`bench` with each backend on one GPU, one after the other. TensorRT's times lie between CUDA events, "
        "those of ONNX Runtime and PyTorch are host time until the GPU is done: see each run's method. The last column "
        "is p50 over that of TensorRT in FP16 with the same copies.",
        columns=("run", "p50 ms", "p99 ms", "inferences/s", "times TensorRT FP16's p50"),
        rows=tuple(rows),
    )


def report(options: argparse.Namespace) -> None:
    known = json.loads(options.results.read_text())
    square, split = known.get("four-way square", {}).get("answer", {}), known.get("profile split", {})
    print(
        f"# One journey on a GPU\n\nWritten by `python -m benchmarks.gpu_journey`.\n\n{plans_table(known).markdown()}"
    )
    if square.get("square"):
        print(f"The four-way square of the chosen plan: {square['square']['sentence']}\n")
    print(meters_table(known).markdown())
    if split:
        parts = "; ".join(f"{low} to {high}: {slowdown:.2f} times static" for low, high, slowdown in split["profiles"])
        print(f"One FP16 engine for pictures of {SIZES} pixels against an engine for each size: {parts}.\n")
    print(commands_table(known).markdown())


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
