"""A search and a validation need no more memory for more samples."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.services.triage_memory import SHAPE


@pytest.mark.serial
def test_memory_of_a_search_and_a_validation_does_not_grow_with_the_number_of_samples(tmp_path: Path):
    """256 samples are 16 MiB, and one inner tensor of them as much: kept, five of those would show."""

    def peak(samples: int) -> int:
        data = tmp_path / f"{samples}.npz"
        np.savez(data, x=np.random.default_rng(0).standard_normal((samples, *SHAPE), np.float32))
        program = Path(__file__).with_name("triage_memory.py")
        words = [sys.executable, program, tmp_path / str(samples), data]
        return int(subprocess.run(words, check=True, capture_output=True).stdout)

    few, many = peak(16), peak(256)

    assert many == pytest.approx(few, rel=0.1), (few, many)
