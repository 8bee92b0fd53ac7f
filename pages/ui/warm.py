"""What the first visitor would wait for is made while the browser still fetches the page."""

from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from trt_core.errors import TrtCoreError

_LOG = logging.getLogger("enginescope.pages")
# In this order: what every page needs, the libraries of most pages, what the Models page draws with.
_MODULES = ("pages.ui.frame", "pandas", "plotly.subplots", "pages.ui.model_card", "pages.ui.graph_component")


@asynccontextmanager
async def warming(_app: Any) -> AsyncIterator[None]:
    """The server's life: it begins to warm up when it starts, and serves meanwhile."""
    threading.Thread(target=warm_up, name="warm-up", daemon=True).start()
    yield


def warm_up() -> None:
    """Import, open the workbench, and lay out the newest model; what fails here fails again where it can be told."""
    for name in _MODULES:
        importlib.import_module(name)
    from pages.ui.bench import workbench
    from pages.ui.model_card import prepare

    try:
        bench = workbench()
        for model in bench.library.models()[:1]:
            prepare(bench, model)
    except (TrtCoreError, OSError):
        _LOG.warning("the server could not warm up", exc_info=True)
