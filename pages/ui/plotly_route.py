"""Plotly's program for the browser, from the installed package, under an address of its own version.

Streamlit holds the same program, but only its own chart can reach it.
"""

from __future__ import annotations

import gzip
import threading
from functools import cache
from importlib.metadata import distribution, version
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

_YEAR_S = 31_536_000
_PACKING = threading.Lock()


@cache
def script_path() -> str:
    """Where the program lies, from the dashboard's first address on."""
    return f"charts/plotly-{version('plotly')}.js"


def plotly_route() -> Route:
    """The route that serves it; a browser keeps what it got, for another version has another address."""
    from starlette.routing import Route

    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return Route("/".join(("", *filter(None, (base, script_path())))), _serve)


def _serve(request: Request) -> Response:
    """No coroutine: Starlette lets a thread read and pack, and the server goes on meanwhile."""
    from starlette.responses import Response

    headers = {"Cache-Control": f"public, max-age={_YEAR_S}, immutable", "Vary": "Accept-Encoding"}
    headers["X-Content-Type-Options"] = "nosniff"
    is_packed = "gzip" in request.headers.get("accept-encoding", "")
    if is_packed:
        headers["Content-Encoding"] = "gzip"
    return Response(packed_program() if is_packed else _program(), media_type="text/javascript", headers=headers)


def _program() -> bytes:
    return Path(str(distribution("plotly").locate_file("plotly/package_data/plotly.min.js"))).read_bytes()


def packed_program() -> bytes:
    """The program in gzip: packed once, whoever asks first."""
    with _PACKING:
        return _packed()


@cache
def _packed() -> bytes:
    return gzip.compress(_program(), 6)
