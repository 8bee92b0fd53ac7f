"""The book of decisions: whole at any moment, and no writer's word is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from trt_core.domain.registry import Decision
from trt_core.store.decisions import DecisionBook

WRITER = """
import sys
from pathlib import Path
from trt_core.domain.registry import Decision
from trt_core.store.decisions import DecisionBook
for number in range(25):
    DecisionBook(Path(sys.argv[1])).change(lambda known: known.__setitem__(f"{sys.argv[2]}-{number}", Decision(notes="x")))
"""


def test_writers_of_several_processes_lose_nothing(tmp_path):
    root = Path(__file__).parents[2]
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), name], cwd=root) for name in ("a", "b", "c")
    ]

    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert len(DecisionBook(tmp_path).all()) == 75
    assert sorted(path.name for path in tmp_path.iterdir()) == ["registry.json", "registry.lock"]


def test_a_change_that_fails_writes_nothing(tmp_path):
    book = DecisionBook(tmp_path)
    book.change(lambda known: known.update(a=Decision(notes="first")))

    def failing(known):
        known.clear()
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        book.change(failing)
    assert book.all() == {"a": Decision(notes="first")}
    assert json.loads((tmp_path / "registry.json").read_text())["a"]["notes"] == "first"
