"""Files that a command writes for the user: refused before the work, written after it."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from trt_core.errors import InvalidInput


def check_outputs(options: argparse.Namespace) -> None:
    """Refuse what cannot be written: InvalidInput for a folder that is not there, and for one in a file's place."""
    makes_folder = options.command == "deploy" or getattr(options, "form", "") == "trtexec"
    wanted = [] if makes_folder else [getattr(options, "output", None)]
    if options.command == "triage":
        wanted.append(options.plan)
    for path in wanted:
        if path is not None and not path.parent.is_dir():
            raise InvalidInput(f"The folder {str(path.parent)!r} is not there.", remedy="Make it, or write elsewhere.")
        if path is not None and path.is_dir():
            raise InvalidInput(f"{str(path)!r} is a folder.", remedy="Give the path of a file.")


def copied(stored: Path, wanted: Path | None) -> Path:
    """The stored file, or a copy of it (with its external data) where the user wants one."""
    if wanted is None:
        return stored
    shutil.copyfile(stored, wanted)
    data = stored.with_name(stored.name + ".data")
    if data.exists():
        shutil.copyfile(data, wanted.with_name(data.name))
    return wanted
