"""`report`: a result as one HTML file that needs nothing else, as the pages export it."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType

from trt_core.cli import present
from trt_core.cli.answers import Answer, Console, finding_lines
from trt_core.errors import DependencyMissing
from trt_core.workbench import Workbench

_PAGES = "pages.ui.report_of"


def report_arguments(command: argparse.ArgumentParser) -> None:
    """The grammar."""
    command.add_argument("made_id", metavar="ID", help="of a build, a run, a search ...: `runs` lists them")
    command.add_argument("--against", default="", metavar="ID", help="a second engine, or a second latency run")
    command.add_argument("--engine", action="store_true", help="a build taken apart: time, tactics, memory, attempts")
    command.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.html", help="write the report here")


def report(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """The same file as the page's button makes."""
    del console
    with _without_warnings():
        pages = _pages()
        made = pages.report_of(bench, options.made_id, against=options.against, as_engine=options.engine)
        content = pages.render(made).encode()
    options.output.write_bytes(content)
    plain: present.Plain = {
        "id": options.made_id,
        "path": str(options.output),
        "size_bytes": len(content),
        "title": made.title,
        "verdict": made.verdict,
        "stamp": made.stamp,
        "findings": present.findings(made.findings),
    }
    lines = [f"{made.title}: {made.verdict}", str(options.output)]
    return Answer(plain=plain, lines=lines + finding_lines(tuple(made.findings)))


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Streamlit's caches would each log that no page is around them."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def _pages() -> ModuleType:
    """The pages' own reports, found beside the core and loaded when they are asked for (ADR 13)."""
    root = Path(__file__).parents[2]
    if not (root / Path(*_PAGES.split("."))).with_suffix(".py").is_file():
        raise DependencyMissing(
            "The dashboard's pages, which draw the reports, are not installed here.",
            remedy="Run it from a clone of Enginescope.",
        )
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    try:
        return import_module(_PAGES)
    except ImportError as error:
        raise DependencyMissing(
            f"Reports are drawn by the dashboard, and {error.name} is not installed.", remedy="pip install '.[app]'"
        ) from error
