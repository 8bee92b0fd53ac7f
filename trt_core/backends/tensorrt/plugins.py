"""Plugin libraries that the operator named: native code, so that no name of an upload leads to one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from trt_core.errors import UnsupportedRequest


def plugin_libraries(paths: Iterable[Path]) -> tuple[Path, ...]:
    """The libraries that are named, and those of the folders that are."""
    return tuple(library for path in paths for library in _libraries(path))


def chosen_plugins(names: Sequence[str], configured: Sequence[Path]) -> tuple[Path, ...]:
    """The configured libraries of those names, all of them without names; UnsupportedRequest for any other."""
    known = {path.name: path for path in configured}
    if unknown := [name for name in names if name not in known]:
        raise UnsupportedRequest(
            f"The server's configuration names no plugin library {unknown[0]!r}.",
            remedy=f"Choose among {', '.join(known)}." if known else "Set ENGINESCOPE_TENSORRT_PLUGINS on it.",
        )
    return tuple(known[name] for name in names) or tuple(configured)


def _libraries(path: Path) -> list[Path]:
    return sorted(path.glob("*.so*")) if path.is_dir() else [path]
