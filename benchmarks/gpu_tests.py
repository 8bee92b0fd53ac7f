"""What the GPU's tests said, as a page.

`python -m benchmarks.gpu_tests OUTPUT.txt COMMIT [NOTE] > docs/gpu/h200-trt86-tests.md`: OUTPUT.txt is what one run of
`pytest -m gpu tests/gpu` printed, COMMIT what it ran on, NOTE what a reader has to know of it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from benchmarks.tables import Table

_FIGURES = re.compile(r"^(?P<test>test_\w+): (?P<said>.+)$")
_LONGEST = 700  # characters of one test's figures


def page(output: str, commit: str, note: str) -> str:
    lines = output.splitlines()
    outcome = next(line.strip("= ") for line in reversed(lines) if re.search(r"\d+ passed", line))
    others = [line for line in lines if line.startswith(("SKIPPED", "FAILED", "ERROR"))]
    figures = [found for line in lines if (found := _FIGURES.match(line))]
    table = Table(
        title="Figures that tests said",
        method="Printed beside what the tests assert; long ones are cut.",
        columns=("test", "figures"),
        rows=tuple(
            (found["test"].removeprefix("test_").replace("_", " "), found["said"][:_LONGEST].replace("|", "/"))
            for found in figures
        ),
    )
    rest = "".join(f"\n- {line}" for line in others)
    said = f"Commit {commit}, TensorRT 8.6.0 under Python 3.10 on an NVIDIA H200: {outcome}.{rest}"
    head = "# The GPU's tests in one run\n\nWritten by `python -m benchmarks.gpu_tests`."
    return "\n\n".join(filter(None, (head, said, note, table.markdown())))


def main() -> None:
    print(page(Path(sys.argv[1]).read_text(encoding="utf-8"), sys.argv[2], " ".join(sys.argv[3:])))


if __name__ == "__main__":
    main()
