"""What people decide about builds: one small JSON file beside the artifacts, replaced as a whole."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from trt_core.domain.codec import from_plain, to_plain
from trt_core.domain.registry import Decision
from trt_core.errors import StoreError


class DecisionBook:
    """Decisions by build id. Writers of several processes take turns; a reader sees one whole state or another."""

    def __init__(self, root: Path) -> None:
        self._path = root / "registry.json"
        self._lock = root / "registry.lock"

    def all(self) -> dict[str, Decision]:
        """Every decision there is."""
        try:
            plain = json.loads(self._path.read_text(encoding="utf-8"))
            return {name: from_plain(Decision, value) for name, value in plain.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, AttributeError) as error:
            raise StoreError(
                "registry.json of the workspace cannot be read.", remedy="Repair it, or delete it to begin anew."
            ) from error

    def change(self, change: Callable[[dict[str, Decision]], None]) -> None:
        """Change the decisions under a lock; nothing is written when the change raises."""
        with self._locked():
            known = self.all()
            change(known)
            aside = self._path.with_suffix(f".{os.getpid()}.part")
            aside.write_text(json.dumps({name: to_plain(value) for name, value in sorted(known.items())}, indent=1))
            aside.replace(self._path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
