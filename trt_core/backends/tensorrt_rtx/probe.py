"""What TensorRT-RTX can do on this machine, asked in a process of its own: a native crash stays there."""

from __future__ import annotations

import sys
from functools import lru_cache

from trt_core.backends.names import check_names
from trt_core.backends.probing import answer_of, tell
from trt_core.backends.tensorrt_rtx.native import PIP_LINE, library, logger
from trt_core.backends.tensorrt_rtx.targets import BACKEND, targets_of
from trt_core.domain.capabilities import Capabilities
from trt_core.domain.engine import Sm
from trt_core.domain.precision import Precision
from trt_core.errors import TrtCoreError

TITLE = "TensorRT-RTX, ahead of time"
_PRECISIONS = tuple(precision for precision in Precision if precision is not Precision.UNKNOWN)
_NO_RUN = "This backend compiles without a GPU and runs nothing; use ONNX Runtime for numerics and latency."


@lru_cache(maxsize=1)
def probe(timeout_s: float = 20.0) -> Capabilities:
    """What the installed wheels can do; asked once a process.

    A missing package, a crash and a timeout are answers too: `missing` says which, and what to do.
    """
    command = [sys.executable, "-m", "trt_core.backends.tensorrt_rtx.probe"]
    return capabilities_from(command, timeout_s=timeout_s)


def capabilities_from(command: list[str], *, timeout_s: float) -> Capabilities:
    """Run a probing command and read its answer; never raises for what the command does."""
    return _capabilities(
        answer_of(
            command, title="TensorRT-RTX", after_crash=f"Install its wheels again: {PIP_LINE}", timeout_s=timeout_s
        )
    )


def _capabilities(answer: dict[str, object]) -> Capabilities:
    if "reason" in answer:
        return _unavailable(str(answer["reason"]))
    targets = answer["targets"]
    assert isinstance(targets, list)  # noqa: S101 - written by `main` below
    return Capabilities(
        backend=BACKEND,
        title=TITLE,
        version=str(answer["version"]),
        can_parse=True,
        can_build=True,
        targets=tuple(Sm(major=major, minor=minor) for major, minor in targets),
        precisions=_PRECISIONS,
        has_progress=True,
        needs_open_recurrent_batch=True,
        missing=(("run", _NO_RUN),),
    )


def _unavailable(reason: str) -> Capabilities:
    return Capabilities(backend=BACKEND, title=TITLE, missing=(("parse", reason), ("build", reason), ("run", _NO_RUN)))


def main() -> None:
    """Answer in one marked line: constructing a builder and a parser is what shows that they work."""
    try:
        trt = library()
        check_names(trt, rtx=True)
        builder = trt.Builder(logger())
        network = builder.create_network(0)
        trt.OnnxParser(network, logger())
        targets = [(target.major, target.minor) for target in targets_of(trt)]
        answer: dict[str, object] = {"version": trt.__version__, "targets": targets}
    except TrtCoreError as error:
        answer = {"reason": str(error)}
    tell(answer)


if __name__ == "__main__":
    main()
