"""What TensorRT can do on this machine, asked in a process of its own: without a driver its runtime crashes."""

from __future__ import annotations

import sys
from functools import lru_cache

from trt_core.backends.probing import answer_of, tell
from trt_core.backends.tensorrt.native import BACKEND, PIP_LINE, TITLE, library, logger, version_of
from trt_core.backends.tensorrt.options import installed_sources
from trt_core.domain.capabilities import Capabilities
from trt_core.domain.engine import MEMORY_POOLS, Sm
from trt_core.domain.precision import Precision
from trt_core.errors import TrtCoreError

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
    return _capabilities(
        answer_of(
            command, title="TensorRT", after_crash="Check the NVIDIA driver with nvidia-smi.", timeout_s=timeout_s
        )
    )


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
    tell(answer)


if __name__ == "__main__":
    main()
