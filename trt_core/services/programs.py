"""Exported PyTorch programs in the operator's folder: listed and found by name, never uploaded."""

from __future__ import annotations

from pathlib import Path

from trt_core.errors import InvalidInput, NotFound
from trt_core.settings import Settings

_ENDING = ".pt2"


def program_names(settings: Settings) -> tuple[str, ...]:
    """File names of the programs in the configured folder; empty without one. Links are left out."""
    folder = settings.torch_programs
    if folder is None or not folder.is_dir():
        return ()
    found = (path for path in folder.iterdir() if path.suffix == _ENDING)
    return tuple(sorted(path.name for path in found if path.is_file() and not path.is_symlink()))


def program_path(settings: Settings, name: str) -> Path:
    """The file of a program; InvalidInput without a folder or a name, NotFound for a name that is not listed."""
    if settings.torch_programs is None:
        raise InvalidInput(
            "No folder of PyTorch programs is configured.",
            remedy="A .pt2 may carry code, so none is uploaded: let the operator set ENGINESCOPE_TORCH_PROGRAMS.",
        )
    known = program_names(settings)
    if not name:
        raise InvalidInput(
            "PyTorch runs an exported program, and none is named.",
            remedy=f"Name one of: {', '.join(known)}."
            if known
            else "Put a .pt2 file into the configured folder first.",
        )
    if name not in known:
        raise NotFound(
            f"There is no program {name[:80]!r} in the configured folder.", remedy="Put the .pt2 file there first."
        )
    return settings.torch_programs / name
