"""Which generator makes which destination, and what has to be said about its files."""

from __future__ import annotations

from collections.abc import Callable

from trt_core.deploy.command_set import commands_bundle
from trt_core.deploy.command_words import CALIBRATION_FILE
from trt_core.deploy.compose import compose_bundle
from trt_core.deploy.kubernetes import kubernetes_bundle
from trt_core.deploy.order import Order
from trt_core.deploy.serving import serving_findings
from trt_core.deploy.triton import batching_findings, triton_bundle
from trt_core.domain.deployment import GeneratedFile
from trt_core.domain.findings import Finding, Severity

_GENERATORS: dict[str, Callable[[Order], list[GeneratedFile]]] = {
    "triton": triton_bundle,
    "compose": compose_bundle,
    "kubernetes": kubernetes_bundle,
    "commands": commands_bundle,
}


def bundle_files(order: Order) -> list[GeneratedFile]:
    """The files of an order."""
    return _GENERATORS[order.wish.to](order)


def bundle_findings(order: Order) -> tuple[Finding, ...]:
    """Whether the engine loads, what batching cannot do, and which facts nobody recorded."""
    return (
        *_load_findings(order),
        *batching_findings(order),
        *serving_findings(order),
        *_missing_findings(order),
        *_rebuild_findings(order),
    )


def _rebuild_findings(order: Order) -> list[Finding]:
    """An engine whose INT8 ranges TensorRT calibrated itself is not what its ONNX alone gives again."""
    if not order.implicit:
        return []
    if order.calibration is not None:
        return [
            Finding(
                rule="rebuild-with-calibration-cache",
                severity=Severity.NOTE,
                message=f"TensorRT calibrated this engine itself: {CALIBRATION_FILE} goes along, and every script that "
                "builds it anew takes its scales from there.",
                remedy="TensorRT 11 reads no such cache: for it, build the INT8 variant with Q/DQ pairs.",
            )
        ]
    return [
        Finding(
            rule="rebuild-without-calibration",
            severity=Severity.WARNING,
            message="TensorRT calibrated this engine itself: a rebuild from source/model.onnx alone has other ranges.",
            remedy="Give its calibration cache to trtexec with --calib, or build it with Q/DQ pairs instead.",
        )
    ]


def _load_findings(order: Order) -> list[Finding]:
    answer = order.answer
    if order.passport.backend == "rtx" and order.target.runtime == "tensorrt":
        return [
            Finding(
                rule="rtx-plan-not-for-triton",
                severity=Severity.WARNING,
                message="No engine is in this bundle: Triton does not load plans of TensorRT-RTX. It has the "
                "configuration, and a script and a job that build the engine on the target.",
                remedy="Run ./build_in_docker.sh on the GPU that will serve.",
                evidence=answer.reason,
            )
        ]
    if answer.loads:
        cost = [Finding(rule=answer.rule, severity=Severity.NOTE, message=f"{answer.reason} {answer.cost}")]
        return cost if answer.cost else []
    verb = "does not load" if answer.loads is False else "cannot be said to load"
    return [
        Finding(
            rule=answer.rule,
            severity=Severity.BLOCKER if answer.loads is False else Severity.WARNING,
            message=f"The engine {verb} in {order.target.name}. {answer.reason}",
            remedy=answer.remedy,
        )
    ]


def _missing_findings(order: Order) -> list[Finding]:
    missing = [name for name in order.passport.missing if order.passport.backend == "tensorrt" or name == "SM"]
    if not missing:
        return []
    return [
        Finding(
            rule="passport-incomplete",
            severity=Severity.NOTE,
            message=f"Not recorded when the engine was built: {', '.join(missing)}.",
            remedy="Build it anew to have them in its passport.",
        )
    ]
