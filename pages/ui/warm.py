"""What the first visitor would wait for is made while the browser still fetches the page."""

from __future__ import annotations

import gc
import importlib
import logging
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from pages.ui.plotly_route import packed_program
from trt_core.errors import TrtCoreError

_LOG = logging.getLogger("enginescope.pages")
# What every page needs, then what the Models page draws with.
_MODULES = ("pages.ui.frame", "pages.ui.model_card", "pages.ui.graph_component")
_PAUSE_S = 2.0  # while the first page comes, which has no plot: its files would wait for the imports of one


@asynccontextmanager
async def warming(_app: Any) -> AsyncIterator[None]:
    """The server's life: it begins to warm up when it starts, and serves meanwhile."""
    threading.Thread(target=warm_up, name="warm-up", daemon=True).start()
    yield


def warm_up() -> None:
    """Import, open the workbench, and lay out the newest model; what fails here fails again where it can be told."""
    with _in_short_turns():
        with _all_kept():
            for name in _MODULES:
                importlib.import_module(name)
            from pages.ui.bench import ready_to_draw, workbench
            from pages.ui.model_card import prepare

            try:
                bench = workbench()
                for model in bench.library.models()[:1]:
                    prepare(bench, model)
            except (TrtCoreError, OSError):
                _LOG.warning("the server could not warm up", exc_info=True)
        time.sleep(_PAUSE_S)
        with _all_kept():
            ready_to_draw()
        packed_program()


@contextmanager
def _all_kept() -> Iterator[None]:
    """No search for garbage meanwhile, and none later in what was made: modules, and a model of thousands of nodes.

    It is a good part of the work here, and would be most of each full collection, for which all sessions wait.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def _in_short_turns() -> Iterator[None]:
    """Threads take turns ten times as often: each piece of a file that is served waits for one turn of this one."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(usual / 10)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)
