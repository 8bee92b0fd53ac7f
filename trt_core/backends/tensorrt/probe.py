"""What TensorRT can do on this machine, asked in a process of its own: without a driver its runtime crashes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from trt_core.backends.tensorrt.native import BACKEND, PIP_LINE, TITLE, library, logger, version_of
from trt_core.backends.tensorrt.options import installed_sources
from trt_core.domain.capabilities import Capabilities
from trt_core.domain.engine import MEMORY_POOLS, Sm
from trt_core.domain.precision import Precision
from trt_core.errors import TrtCoreError

_MARK = "enginescope-probe "
_WEAK = (Precision.FP32, Precision.TF32, Precision.FP16, Precision.INT8)
_STRONG = tuple(item for item in Precision if item is not Precision.UNKNOWN)
_FP8_SM = Sm(major=8, minor=9)


@lru_cache(maxsize=1)
def probe(timeout_s: float = 60.0) -> Capabilities:
    """What the installed package can do on the first GPU; asked once a process.

    A missing package, a missing driver, a crash and a timeout are answers too: `missing` says which, and what to do.
    """
    command = [sys.executable, "-m", "trt_core.backends.tensorrt.probe"]
    return capabilities_from(command, timeout_s=timeout_s)


def capabilities_from(command: list[str], *, timeout_s: float) -> Capabilities:
    """Run a probing command and read its answer; never raises for what the command does."""
    root = Path(__file__).resolve().parents[3]
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH", "")]))
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
        )
    except subprocess.TimeoutExpired:
        return _unavailable(f"TensorRT did not answer within {timeout_s:g} s. Restart the program to ask again.")
    except OSError as error:
        return _unavailable(f"The probe of TensorRT did not start: {error.strerror or error}.")
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        return _unavailable(f"TensorRT crashed while it started ({name}). Check the NVIDIA driver with nvidia-smi.")
    answers = [line for line in done.stdout.splitlines() if line.startswith(_MARK)]
    if not answers:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        return _unavailable(f"TensorRT cannot be used: {last}")
    return _capabilities(json.loads(answers[-1][len(_MARK) :]))


def _capabilities(answer: dict[str, object]) -> Capabilities:
    if "reason" in answer:
        return _unavailable(str(answer["reason"]), version=str(answer.get("version", "")))
    major, minor = (int(part) for part in str(answer["sm"]).split("."))
    version, sm = str(answer["version"]), Sm(major=major, minor=minor)
    release = int(version.partition(".")[0])
    sources, dla_cores = answer.get("sources", []), answer.get("dla_cores", 0)
    assert isinstance(sources, list)  # noqa: S101 - written by `main` below
    assert isinstance(dla_cores, int)  # noqa: S101
    strong = _STRONG if sm >= _FP8_SM else tuple(item for item in _STRONG if item is not Precision.FP8)
    return Capabilities(
        backend=BACKEND,
        title=f"{TITLE} {version} on {answer['gpu']}",
        version=version,
        can_parse=True,
        can_build=True,
        can_run=True,
        targets=(sm,),
        precisions=_WEAK if release < 10 else strong,
        has_progress=True,
        has_implicit_calibration=release < 11,
        is_weakly_typed=release < 10,
        has_timing_cache=True,
        has_optimization_level=True,
        has_version_compatibility=True,
        has_hardware_compatibility=True,
        has_sparsity=True,
        has_refit=True,
        memory_pools=MEMORY_POOLS if dla_cores else MEMORY_POOLS[:1],
        tactic_sources=tuple(sources),
        dla_cores=dla_cores,
    )


def _unavailable(reason: str, *, version: str = "") -> Capabilities:
    missing = tuple((ability, reason) for ability in ("parse", "build", "run"))
    return Capabilities(backend=BACKEND, title=TITLE, version=version, missing=missing)


def main() -> None:
    """Answer in one marked line: a builder that can be made is what shows that the driver serves this version."""
    from trt_core.backends.tensorrt.device import this_gpu

    answer: dict[str, object] = {}
    try:
        trt = library()
        answer["version"] = trt.__version__
        gpu = this_gpu()
        builder = trt.Builder(logger())
        builder.create_builder_config()
        answer |= {"gpu": gpu.name, "sm": f"{gpu.sm.major}.{gpu.sm.minor}", "release": version_of(trt)[0]}
        answer |= {"dla_cores": int(builder.num_DLA_cores), "sources": installed_sources(trt)}
    except TrtCoreError as error:
        answer["reason"] = str(error)
    except TypeError:
        answer["reason"] = f"TensorRT finds no driver that serves it. Update the NVIDIA driver, or install: {PIP_LINE}"
    sys.stdout.write(f"\n{_MARK}{json.dumps(answer)}\n")


if __name__ == "__main__":
    main()
