"""The commands of the registry: list, decide, let go, take along."""

from __future__ import annotations

import argparse
from pathlib import Path

from trt_core.cli import present
from trt_core.cli.answers import Answer, Console
from trt_core.cli.trtexec import export_trtexec
from trt_core.domain.codec import to_plain
from trt_core.domain.registry import EngineState, Entry, RetentionRules
from trt_core.errors import InvalidInput
from trt_core.services.trtexec_export import DIALECTS
from trt_core.workbench import Workbench

_STATES = tuple(state.value for state in EngineState)


def registry_arguments(command: argparse.ArgumentParser) -> None:
    """The grammar of `registry`."""
    command.add_argument("action", nargs="?", choices=("list", "set"), default="list")
    command.add_argument("build_id", nargs="?", metavar="BUILD_ID")
    command.add_argument("--state", choices=_STATES, help="show only these, or with `set` what it becomes")
    command.add_argument("--notes", help="with `set`")
    command.add_argument("--search", default="", help="words that must be in tag, name, notes, GPU or an id")


def retain_arguments(command: argparse.ArgumentParser) -> None:
    """The grammar of `retain`."""
    command.add_argument("--keep-newest", type=int, default=3, help="of each model")
    command.add_argument("--older-than-days", type=float, default=30.0)
    command.add_argument("--keep-retired", action="store_true")
    command.add_argument("--apply", action="store_true", help="delete; without it nothing changes")


def export_arguments(command: argparse.ArgumentParser) -> None:
    """The grammar of `export`."""
    command.add_argument("subject", metavar="MODEL_ID|ENGINE|RUN_ID")
    command.add_argument("--as", choices=("project", "trtexec"), default="project", dest="form")
    command.add_argument(
        "--dialect", choices=DIALECTS, default="10", help="of TensorRT's layer information in trtexec's files"
    )
    command.add_argument(
        "-o", "--output", type=Path, required=True, help="the project's file, or a folder for trtexec's"
    )


def import_arguments(command: argparse.ArgumentParser) -> None:
    """The grammar of `import`."""
    command.add_argument("file", type=Path, metavar="FILE")


def registry(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """List entries, or decide about one."""
    del console
    state = EngineState(options.state) if options.state else None
    if options.action == "set":
        if not options.build_id or (state is None and options.notes is None):
            raise InvalidInput("registry set was given nothing to set.", remedy="Write set BUILD_ID --state approved.")
        bench.registry.decide(options.build_id, state=state, notes=options.notes)
        entries = [bench.registry.entry(options.build_id)]
    else:
        entries = bench.registry.entries(search=options.search, states=(state,) if state else ())
    lines = [f"{item.build.id} {item.decision.state.value:9s} {item.tag}{_part(item)}" for item in entries]
    return Answer(plain={"entries": [_plain(item) for item in entries]}, lines=lines or ["No engine found."])


def _part(entry: Entry) -> str:
    return f" ({entry.build.made_for})" if entry.build.made_for else ""


def _plain(entry: Entry) -> present.Plain:
    build = entry.build
    return {
        "id": build.id,
        "tag": entry.tag,
        "state": entry.decision.state.value,
        "notes": entry.decision.notes,
        "imported": entry.decision.imported,
        "created_at": build.created_at,
        "made_for": build.made_for or None,
        "model": {"id": build.model_id, "name": entry.model_name, "sha256": entry.model_sha256},
        "variant": {"id": build.request.variant_id, "sha256": entry.variant_sha256},
        "plan_sha256": entry.plan_sha256,
        "calibration_data_sha256": entry.data_sha256,
        "timing_cache_sha256": entry.timing_cache,
        "request": to_plain(build.request),
        "backend_version": build.backend_version,
        "engine_sha256": build.engine_sha256,
        "latency": [to_plain(item) for item in entry.latency],
        "accuracy": [to_plain(item) for item in entry.accuracy],
    }


def retain(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """The dry run, or with --apply the deletion."""
    del console
    rules = RetentionRules(
        keep_newest=options.keep_newest, older_than_days=options.older_than_days, retired=not options.keep_retired
    )
    gone = bench.registry.retain(rules) if options.apply else bench.registry.doomed(rules)
    verb = "deleted" if options.apply else "would go"
    lines = [f"{item.build_id} {item.tag} {verb}: {item.reason}, {item.size_bytes:,} bytes" for item in gone]
    plain: present.Plain = {
        "applied": options.apply,
        "builds": [to_plain(item) for item in gone],
        "size_bytes": sum(item.size_bytes for item in gone),
    }
    return Answer(plain=plain, lines=lines or ["Every engine stays."])


def export_project(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """One file with a model and all that was made from it, or trtexec's JSON files of an engine or a run."""
    if options.form == "trtexec":
        return export_trtexec(bench, options, console)
    del console
    ids = bench.registry.export(options.subject, options.output)
    plain: present.Plain = {"file": str(options.output), "artifacts": list(ids)}
    plain["size_bytes"] = options.output.stat().st_size
    return Answer(plain=plain, lines=[f"{options.output}: {len(ids)} artifacts, {plain['size_bytes']:,} bytes"])


def import_project(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """Take a project in."""
    del console
    if not options.file.is_file():
        raise InvalidInput(f"There is no file {str(options.file)!r}.", remedy="Check the path.")
    found = bench.registry.bring_in(options.file)
    lines = [f"{found.model_id}: {len(found.added)} artifacts added, {len(found.present)} were here already"]
    return Answer(plain=to_plain(found), lines=lines)
