"""The builder's further switches: their grammar, and the options that they stand for."""

from __future__ import annotations

import argparse
from typing import Any

from trt_core.domain.engine import MEMORY_POOLS
from trt_core.errors import InvalidInput


def switch_arguments(command: argparse.ArgumentParser) -> None:
    """The grammar; what a backend lacks is refused with its reason when the build is asked for."""
    cache = "implicit calibration takes its scales from this file, or this cache of the workspace, and runs no data"
    command.add_argument("--calibration-cache", default="", metavar="FILE|ID", help=cache)
    command.add_argument("--tf32", action="store_true", help="layers that stay in FP32 may run in TF32")
    command.add_argument("--sparsity", action="store_true", help="try tactics for 2:4 sparse weights, too")
    command.add_argument("--refit", action="store_true", help="let weights be exchanged in the engine")
    pools = f"limit in MB of {', '.join(MEMORY_POOLS)}; repeatable"
    command.add_argument("--memory-pool", action="append", default=[], metavar="POOL=MB", help=pools)
    sources = "try tactics of this source, such as CUBLAS, and of no source that is not named; repeatable"
    command.add_argument("--tactic-source", action="append", default=[], metavar="SOURCE", help=sources)
    dla = "run what this DLA core takes on it, all else on the GPU"
    command.add_argument("--dla-core", type=int, metavar="N", help=dla)
    plugins = "load only this library of ENGINESCOPE_TENSORRT_PLUGINS, by its file name; repeatable"
    command.add_argument("--plugin", action="append", default=[], metavar="FILE", help=plugins)


def switches(options: argparse.Namespace) -> dict[str, Any]:
    """Fields of `BuilderOptions`; InvalidInput for a pool without a whole number of MB."""
    return {
        "tf32": options.tf32,
        "sparsity": options.sparsity,
        "refit": options.refit,
        "memory_pools_mb": tuple(map(_pool, options.memory_pool)),
        "tactic_sources": tuple(sorted({name.upper() for name in options.tactic_source})),
        "dla_core": options.dla_core,
        "plugins": tuple(sorted(set(options.plugin))),
    }


def _pool(text: str) -> tuple[str, int]:
    name, equals, size = text.partition("=")
    if not equals or not size.isdecimal() or len(size) > 9:
        raise InvalidInput(f"--memory-pool {text[:60]!r} cannot be read.", remedy="Write it as dla_local_dram=512.")
    return name.lower(), int(size)
