"""A model repository for Triton, with what builds, starts and tries it."""

from __future__ import annotations

import json
import shlex

from trt_core.deploy.batching import batching_of, chosen_batch
from trt_core.deploy.building import build_script, docker_build_script, source_files
from trt_core.deploy.clients import client_files, smoke_files
from trt_core.deploy.ensemble import ensemble_files
from trt_core.deploy.order import Order
from trt_core.deploy.serving import plugin_files, server_words
from trt_core.deploy.templating import filled
from trt_core.deploy.triton_config import model_config
from trt_core.domain.codec import to_plain
from trt_core.domain.deployment import GeneratedFile
from trt_core.domain.findings import Finding, Severity


def repository_files(order: Order) -> list[GeneratedFile]:
    """`model_repository/`: the configuration, and the engine where it would load."""
    folder = f"model_repository/{order.name}"
    files = [GeneratedFile(path=f"{folder}/config.pbtxt", content=model_config(order).encode())]
    if order.plan is not None:
        files.append(GeneratedFile(path=f"{folder}/1/model.plan", source=order.plan))
    return files + (ensemble_files(order) if order.wish.ensemble else [])


def common_files(order: Order) -> list[GeneratedFile]:
    """What every bundle has: the passport, the ONNX with its build scripts, the clients and the smoke test."""
    facts = {"tag": order.tag, "passport": to_plain(order.passport), "target": to_plain(order.target)}
    facts["loads"] = to_plain(order.answer)
    files = [GeneratedFile(path="passport.json", content=(json.dumps(facts, indent=2) + "\n").encode())]
    files += [*source_files(order), build_script(order), docker_build_script(order)]
    return [*files, *client_files(order), *smoke_files(order)]


def triton_bundle(order: Order) -> list[GeneratedFile]:
    """Everything for one Triton on one machine."""
    target = order.target
    start = filled(
        "run_triton.sh",
        name=order.name,
        image=target.image,
        cuda=target.cuda,
        sm_text=str(target.sm) if target.sm else "the architecture of the engine",
        words=shlex.join(server_words(order)),
        has_plugins=bool(order.options.plugins),
    )
    command = json.dumps(["tritonserver", *server_words(order)])
    image = filled("Dockerfile", image=target.image, command=command, has_plugins=bool(order.options.plugins))
    readme = readme_text(order, "Triton", ["`./run_triton.sh` starts the server on 127.0.0.1."])
    return [
        *repository_files(order),
        *plugin_files(order),
        GeneratedFile(path="run_triton.sh", content=start, executable=True),
        GeneratedFile(path="Dockerfile", content=image),
        *common_files(order),
        GeneratedFile(path="README.md", content=readme),
    ]


def readme_text(order: Order, title: str, steps: list[str]) -> bytes:
    """The first file to read: what is here, whether the engine loads, and the steps in order."""
    answer = {True: "loads", False: "does not load", None: "cannot be said to load"}[order.answer.loads]
    lines = [
        f"# `{order.tag}` for {title}",
        "",
        f"The engine {answer} in {order.target.name}: {order.answer.reason}",
        "",
    ]
    if order.plan is None:
        lines += [
            (
                "There is no engine in this bundle. `./build_in_docker.sh` makes it on the GPU that will serve, "
                "from `source/model.onnx`, and puts it into the model repository."
            ),
            "",
        ]
    steps = [*([] if order.plan else ["`./build_in_docker.sh` builds the engine."]), *steps]
    if order.recorded:
        steps.append("`smoke/smoke_triton.sh` sends the recorded input and compares.")
    lines += [f"{number}. {step}" for number, step in enumerate(steps, 1)]
    return ("\n".join(lines) + "\n").encode()


def batching_findings(order: Order) -> list[Finding]:
    """What the configuration cannot do, and why."""
    batching = batching_of(order.passport)
    found = []
    if not batching.largest:
        found.append(
            Finding(
                rule="cannot-batch",
                severity=Severity.NOTE,
                message=f"max_batch_size is 0: Triton sends one request at a time. {batching.why_not}",
                remedy="Export the model with a dynamic first axis in every input and output to let Triton batch.",
            )
        )
    elif batching.largest == 1:
        found.append(
            Finding(
                rule="batch-of-one",
                severity=Severity.NOTE,
                message="The profiles end at a batch of 1, so that dynamic batching is left out.",
                remedy="Build with a profile whose max has the batch that the service should reach.",
            )
        )
    if batching.smallest > 1 and chosen_batch(order.passport, order.wish.max_batch):
        found.append(
            Finding(
                rule="smallest-batch",
                severity=Severity.WARNING,
                message=f"No profile takes fewer than {batching.smallest} at once: smaller requests fail.",
                remedy="Build with a profile whose min is 1.",
            )
        )
    return found
