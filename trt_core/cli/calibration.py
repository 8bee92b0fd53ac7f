"""The commands of TensorRT's own calibration: its caches shown, brought in, taken out."""

from __future__ import annotations

import argparse
from pathlib import Path

from trt_core.backends.tensorrt.calibration_cache import (
    MOST_BYTES,
    CalibrationCache,
    cache_text,
    read_cache,
    release_text,
)
from trt_core.cli.answers import Answer, Console, finding_lines
from trt_core.cli.lab import AddCommand
from trt_core.cli.wishes import ARTIFACT_ID, model_record
from trt_core.domain.artifacts import CacheRecord
from trt_core.domain.codec import to_plain
from trt_core.errors import InvalidInput
from trt_core.workbench import Workbench

_SHOWN = 20


def calibration_arguments(add: AddCommand) -> None:
    """The grammar of `calibration`."""
    command = add("calibration", "Calibration caches of TensorRT's own calibration: list, show, import, export.")
    command.add_argument("action", choices=("list", "show", "import", "export"))
    command.add_argument(
        "cache", nargs="?", default="", metavar="FILE|ID", help="a file; a cache, calibrated build or recording by id"
    )
    command.add_argument("--model", help="import: the model that the cache is for")
    command.add_argument("-o", "--output", type=Path, help="export: write the cache here")


def calibration(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """One of the four actions."""
    del console
    if options.action != "list" and not options.cache:
        raise InvalidInput(f"calibration {options.action} was given no cache.", remedy="Name a file or an id.")
    actions = {"list": _list, "show": _show, "import": _import, "export": _export}
    return actions[options.action](bench, options)


def _list(bench: Workbench, options: argparse.Namespace) -> Answer:
    del options
    found = bench.caches.caches()
    return Answer(
        plain={"caches": [to_plain(item) for item in found]},
        lines=[_line(item) for item in found] or ["No calibration cache yet."],
    )


def _show(bench: Workbench, options: argparse.Namespace) -> Answer:
    is_id = ARTIFACT_ID.fullmatch(options.cache) and not Path(options.cache).exists()
    cache = bench.caches.view(options.cache).cache if is_id else read_cache(_text(Path(options.cache)))
    counts = f"{len(cache.ranges)} tensors with a scale, {len(cache.without_scale)} without"
    lines = [f"TensorRT {release_text(cache.version)}, {cache.algorithm}: {counts}"]
    lines += [f"  {item.high:12.6g}  {item.tensor}" for item in cache.ranges[:_SHOWN]]
    lines += [f"  and {len(cache.ranges) - _SHOWN} more: see --json"] if len(cache.ranges) > _SHOWN else []
    return Answer(plain=_plain(cache), lines=lines)


def _import(bench: Workbench, options: argparse.Namespace) -> Answer:
    if options.model is None:
        raise InvalidInput("The cache is for no model.", remedy="Name it with --model.")
    path = Path(options.cache)
    record = bench.caches.add(path, name=path.name, model_id=model_record(bench, options.model).id)
    return Answer(plain={"cache": to_plain(record)}, lines=[_line(record), *finding_lines(record.findings)])


def _export(bench: Workbench, options: argparse.Namespace) -> Answer:
    if options.output is None:
        raise InvalidInput("There is no file to write to.", remedy="Give it with -o.")
    options.output.write_text(bench.caches.text(options.cache), encoding="utf-8", newline="\n")
    return Answer(plain={"path": str(options.output)}, lines=[str(options.output)])


def _text(path: Path) -> str:
    if not path.is_file():
        raise InvalidInput(f"There is no file {str(path)!r}.", remedy="Check the path, or give an id.")
    with path.open("rb") as file:
        return cache_text(file.read(MOST_BYTES + 1))


def _line(record: CacheRecord) -> str:
    return (
        f"{record.id} {record.name}: TensorRT {record.version}, {record.method.value}, "
        f"{record.tensors - record.without_scale} tensors with a scale, {record.known} of them in the file"
    )


def _plain(cache: CalibrationCache) -> dict[str, object]:
    return {
        "tensorrt": release_text(cache.version),
        "algorithm": cache.algorithm,
        "ranges": to_plain(cache.ranges),
        "without_scale": list(cache.without_scale),
    }
