"""The command line's grammar."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from trt_core.cli.accuracy import add_attention
from trt_core.cli.calibration import calibration_arguments
from trt_core.cli.inside import inside_arguments
from trt_core.cli.judging import add_judged, add_rejudge
from trt_core.cli.lab import lab_arguments
from trt_core.cli.registry import export_arguments, import_arguments, registry_arguments, retain_arguments
from trt_core.cli.report import report_arguments
from trt_core.cli.sensitivity import sensitivity_arguments
from trt_core.cli.shipping import deploy_arguments
from trt_core.cli.switches import switch_arguments
from trt_core.cli.validation import validate_arguments
from trt_core.domain.latency import METERS

PRECISIONS = ("fp32", "tf32", "fp16", "bf16", "int8", "fp8", "int4")


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as every other error of the command line; `--help` has the usage."""

    def error(self, message: str) -> NoReturn:
        what = message[:1].upper() + message[1:].rstrip(".")
        self.exit(2, f"error: {what}. See `{self.prog} --help`.\n")


def parser() -> argparse.ArgumentParser:
    """The grammar of every command."""
    top: argparse.ArgumentParser = _Parser(prog="enginescope", description="See what TensorRT does with a model.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    common = _Parser(add_help=False)
    common.add_argument("--json", action="store_true", help="one JSON object on standard output")
    common.add_argument("--workspace", type=Path, help="default $ENGINESCOPE_WORKSPACE, else ./workspace")
    common.add_argument("--quiet", action="store_true", help="no progress on standard error")

    def command(name: str, summary: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=summary, description=summary, parents=[common])

    _inspect(command("inspect", "Which nodes the compiler takes, and what the rules find in the model."))
    quantize = command("quantize", "Make a variant of a model in another precision, as ONNX.")
    _recipe(quantize, PRECISIONS[2:], usual="default that of --plan")
    quantize.add_argument("model", metavar="MODEL")
    quantize.add_argument("-o", "--output", type=Path, help="write the variant here")
    _build(command("build", "Build an engine and show what became of every node."))
    fusion = command("fusion", "The map between ONNX nodes and engine layers of a build.")
    fusion.add_argument("build_id", metavar="BUILD_ID")
    _bench(command("bench", "Measure latency; every sample is kept."))
    _diverge(command("diverge", "Compare FP32 with low precision, layer by layer."))
    _triage(command("triage", "Find the plan that keeps the accuracy and most of the low-precision work."))
    sensitivity_arguments(command("sensitivity", "Every layer's errors in several precisions, beside each other."))
    validate_arguments(command("validate", "Is a variant or an engine worse than its model, on labelled samples?"))
    deploy_arguments(
        command("deploy", "Make the files that run a build in production, and say whether it loads there.")
    )
    report_arguments(command("report", "Write a result into one HTML file that needs nothing else."))
    registry_arguments(command("registry", "Every engine with its parents and figures; `registry set ID` decides."))
    retain_arguments(command("retain", "Which engines the retention rules let go; --apply deletes them."))
    export_arguments(command("export", "Write a model with all that was made from it into one file."))
    import_arguments(command("import", "Take a file of `export` in, after every hash was verified."))
    calibration_arguments(command)
    lab_arguments(command)
    _plan(command("plan", "Compare plans, or carry one to another model by node name."))
    _workspace(command)
    return top


def _workspace(command: Callable[[str, str], argparse.ArgumentParser]) -> None:
    command("runs", "What the workspace holds.")
    jobs = command("jobs", "What is running and what ran; `jobs cancel ID` stops one.")
    jobs.add_argument("action", nargs="?", choices=("list", "cancel"), default="list")
    jobs.add_argument("job_id", nargs="?", metavar="ID")
    command("system", "What this machine can do, and what is missing.")


def _inspect(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", metavar="MODEL")
    command.add_argument("--backend", choices=("rtx", "tensorrt"), default="rtx")
    command.add_argument("--sm", help="target architecture, such as 86")
    command.add_argument("--prove", action="store_true", help="build, to settle what the parser cannot")


def _recipe(command: argparse.ArgumentParser, precisions: tuple[str, ...], *, usual: str) -> None:
    command.add_argument("--precision", choices=precisions, help=usual)
    command.add_argument("--rest", choices=("fp16", "fp32"), help="what is not quantized runs in this; default fp16")
    command.add_argument("--data", type=Path, help="calibration data, .npz with one array per input")
    command.add_argument("--method", choices=("minmax", "entropy", "percentile"), help="default entropy")
    command.add_argument("--percentile", type=float, help="default 99.99")
    add_attention(command)
    command.add_argument("--plan", type=Path, help="a plan whose kept nodes are kept, made as it was searched")
    command.add_argument("--keep", action="append", default=[], metavar="NODE=fp32|fp16")
    command.add_argument("--no-normalize", action="store_true", help="leave BatchNormalization and names as they are")


def _build(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", metavar="MODEL")
    _recipe(command, PRECISIONS, usual="default that of --plan, fp32 without one")
    command.add_argument("--rebuild", action="store_true", help="another attempt at a build that the store has")
    command.add_argument("--backend", choices=("rtx", "tensorrt"), default="rtx")
    command.add_argument("--sm", help="target architecture, such as 86")
    command.add_argument("--profile", action="append", default=[], metavar="x=MIN:OPT:MAX", dest="profile_words")
    command.add_argument("--and-profile", action=NextProfile, nargs=0, dest="profile_words")
    command.add_argument("--optimization-level", type=int)
    command.add_argument("--workspace-mb", type=int)
    command.add_argument("--version-compatible", action="store_true")
    command.add_argument("--hardware-compatibility", choices=("ampere_plus", "same_compute_capability"), default="")
    command.add_argument("--calibration", choices=("implicit", "explicit"), default="explicit")
    command.add_argument("--timing-cache", type=Path, help="tactic timings from elsewhere; off times every tactic anew")
    switch_arguments(command)
    command.add_argument("-o", "--output", type=Path, help="write the engine here")


def _bench(command: argparse.ArgumentParser) -> None:
    command.add_argument("subject", metavar="MODEL|BUILD_ID")
    command.add_argument("--backend", choices=tuple(METERS), default="ort")
    command.add_argument("--program", default="", metavar="FILE.pt2", help="PyTorch: a program in the server's folder")
    command.add_argument("--transfers", action="store_true", help="copies to the GPU and back belong to every sample")
    command.add_argument("--batch", type=int, default=1)
    command.add_argument("--shape", action="append", default=[], metavar="x=8x3x32x32")
    command.add_argument("--warmup", type=int, default=50)
    command.add_argument("--iterations", type=int, default=1000)
    command.add_argument("--duration", type=float, default=0.0, help="seconds that the run takes at least")
    command.add_argument("--streams", type=int, default=1)
    command.add_argument("--threads", type=int, default=0)
    command.add_argument("--cuda-graph", action="store_true")
    command.add_argument("--data", type=Path, help="input samples, .npz with one array per input")


def _diverge(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", metavar="MODEL", nargs="?")
    inside_arguments(command)
    command.add_argument(
        "--against",
        default="fp16,int8",
        metavar="PRECISIONS|FILE.onnx",
        help="precisions, separated by commas, or a file that is in low precision already: Q/DQ, FP16",
    )
    command.add_argument("--data", type=Path, help="samples, .npz with one array per input")
    command.add_argument("--calibration-data", type=Path, help="default: the same data")
    command.add_argument("--samples", type=int, default=16)
    command.add_argument("--backend", choices=("ort", "tensorrt"), default="ort")
    command.add_argument(
        "--mode", choices=("cumulative", "isolated", "both"), help="default: cumulative; against a file both"
    )
    command.add_argument("--rest", choices=("fp16", "fp32"), default="fp16")
    command.add_argument("--method", choices=("minmax", "entropy", "percentile"), default="entropy")
    command.add_argument("--percentile", type=float, default=99.99)


def _triage(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", metavar="MODEL", nargs="?")
    add_rejudge(command, "search")
    command.add_argument("--precision", choices=PRECISIONS[2:], default="int8")
    command.add_argument("--rest", choices=("fp16", "fp32"), default="fp16", help="what is kept runs in this")
    command.add_argument("--data", type=Path, help="calibration data, .npz with one array per input")
    command.add_argument("--method", choices=("minmax", "entropy", "percentile"), default="entropy")
    command.add_argument("--percentile", type=float, default=99.99)
    add_attention(command)
    command.add_argument("--validation-data", type=Path, help="samples to validate on, .npz")
    add_judged(command)
    command.add_argument("--max-evaluations", type=int, default=20)
    command.add_argument("--leave-one-out", type=int, default=0, metavar="N", help="measure the N first-ranked alone")
    command.add_argument("--lab", action="store_true", help="compare calibration methods, too")
    command.add_argument("--plan", type=Path, help="write the plan here")
    command.add_argument("-o", "--output", type=Path, help="write the plan's variant here")


def _plan(command: argparse.ArgumentParser) -> None:
    command.add_argument("action", choices=("apply", "diff"))
    command.add_argument("plan", type=Path, metavar="PLAN")
    command.add_argument("other", metavar="MODEL|PLAN", help="the model to apply to, or the plan to compare with")
    command.add_argument("-o", "--output", type=Path, help="write the applied plan here")


class NextProfile(argparse.Action):
    """`--and-profile`: what follows belongs to a further profile; marked by None in the list of words."""

    def __call__(self, _parser: object, namespace: argparse.Namespace, _values: object, _option: object = None) -> None:
        """Put the mark into the list."""
        words = [*getattr(namespace, self.dest), None]
        setattr(namespace, self.dest, words)
