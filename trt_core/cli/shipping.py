"""The commands that ship: bundles for production."""

from __future__ import annotations

import argparse
from pathlib import Path

from trt_core.cli import present
from trt_core.cli.answers import Answer, Console, finding_lines
from trt_core.domain.codec import to_plain
from trt_core.domain.deployment import DESTINATIONS, Bundle, DeployWish
from trt_core.services.deploy import write_bundle, zipped
from trt_core.workbench import Workbench


def deploy_arguments(command: argparse.ArgumentParser) -> None:
    """The grammar of `deploy`."""
    command.add_argument("build_id", metavar="BUILD_ID")
    command.add_argument("--to", choices=DESTINATIONS, default="triton")
    command.add_argument(
        "-o", "--output", type=Path, help="folder to write into (default: the tag); a .zip is one file"
    )
    command.add_argument("--name", default="", help="the model's name when it is served")
    command.add_argument("--triton-release", default="", metavar="24.12", help="where it has to load")
    command.add_argument("--tensorrt", default="", metavar="10.7", help="where it has to load")
    command.add_argument("--gpu", default="", metavar="A100", help="where it has to load: a GPU's name, or sm80")
    command.add_argument("--max-batch", type=int, help="default: the largest of the profiles")
    command.add_argument("--instances", type=int, default=1, help="of the model on each GPU")
    command.add_argument("--gpus", type=int, default=1)
    command.add_argument("--queue-delay-us", type=int, default=100)
    command.add_argument("--ensemble", action="store_true", help="add pre- and post-processing models as stubs")


def deploy(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """A bundle; exit code 1 when a target was named and the engine does not load there."""
    del console
    wish = DeployWish(
        build_id=options.build_id,
        to=options.to,
        name=options.name,
        triton=options.triton_release,
        tensorrt=options.tensorrt,
        gpu=options.gpu,
        max_batch=options.max_batch,
        instances=options.instances,
        gpus=options.gpus,
        queue_delay_us=options.queue_delay_us,
        ensemble=options.ensemble,
    )
    bundle = bench.deploy.bundle(wish)
    folder = options.output or Path(bundle.tag)
    if folder.suffix == ".zip":
        folder.write_bytes(zipped(bundle))
        written = [folder]
    else:
        written = write_bundle(bundle, folder)
    lines = [f"{bundle.tag}: {len(bundle.files)} files for {bundle.target.name}, in {folder}", bundle.answer.reason]
    refused = wish.names_a_target and bundle.answer.loads is False
    return Answer(
        plain=_plain(bundle, [str(path) for path in written]),
        lines=lines + finding_lines(bundle.findings),
        exit_code=1 if refused else 0,
    )


def _plain(bundle: Bundle, written: list[str]) -> present.Plain:
    passport = bundle.passport
    return {
        "files": written,
        "tag": bundle.tag,
        "portability": {
            "sm": [item.number for item in passport.targets],
            "tensorrt": passport.tensorrt,
            "cuda": passport.cuda,
            "driver": passport.driver,
            "backend": passport.backend,
            "version_compatible": passport.version_compatible,
            "hardware_compatibility": passport.hardware_compatibility,
        },
        "target": to_plain(bundle.target),
        "loads": bundle.answer.loads,
        "rule": bundle.answer.rule,
        "reason": bundle.answer.reason,
        "findings": present.findings(bundle.findings),
    }
