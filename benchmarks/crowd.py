"""What the server itself takes for ten readers at one moment, a build running beside it: their browsers left out.

Ten browsers on the server's own two cores mostly measure each other's drawing (see `readers`). Here ten sessions
speak Streamlit's protocol over web sockets, as a browser does, and read everything that is sent to them. Then one of
the ten is a whole Chromium: what a reader waits for who shares the server with nine others, but not the machine.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from playwright.sync_api import sync_playwright

from benchmarks.large_model import NODES, PAGES, filled
from benchmarks.readers import GO, IDLE, TITLES, building, opened
from benchmarks.tables import Table, percentile, spread
from scripts import chromium
from scripts.screenshots import FLAGS, server

READERS, COLD, ROUNDS = 10, 2, 4  # two rounds see every page for the first time
LATER = 3  # times round all pages, after the first


def run() -> list[Table]:
    """Rounds of ten sessions at one moment, then of nine and a browser; first visits stand apart."""
    with filled() as (workspace, queries):
        with server(workspace) as address, building(workspace):
            rounds = [asyncio.run(_crowd(address, queries, turn)) for turn in range(COLD + ROUNDS)]
        with server(workspace) as address:
            first, later = _reader(workspace, address, queries)
    return [_sessions(rounds), _among_nine(first, later)]


def _sessions(rounds: list[list[float]]) -> Table:
    waits = [seconds for found in rounds[COLD:] for seconds in found]
    p95 = percentile(waits, 95)
    return Table(
        title=f"{READERS} sessions at once over {NODES:,} nodes, during a build",
        method=(
            f"{READERS} new sessions over web sockets at one moment, each on one of {len(PAGES)} pages, while a build "
            "of the model runs in its worker: seconds from the request until the script has finished and all was "
            "received, median (lowest–highest). No browser draws anything."
        ),
        columns=("round", "seconds"),
        rows=(
            *((f"{number + 1}, first visits", spread(found)) for number, found in enumerate(rounds[:COLD])),
            (f"the {ROUNDS} after them", spread(waits)),
        ),
        limits=((f"{READERS} sessions at once, p95", f"{p95:.2f} s", "2 s", p95 < 2),),
    )


def _among_nine(first: list[float], later: list[float]) -> Table:
    p95 = percentile(later, 95)
    return Table(
        title=f"One Chromium among {READERS - 1} sessions, during a build",
        method=(
            f"A reader in Chromium follows links round {len(TITLES)} pages; at the moment of each click {READERS - 1} "
            "new sessions ask for a page each, and a build of the model runs. Seconds from the click until the page's "
            "script has run and its title stands, median (lowest–highest). Server, build and Chromium share the "
            "machine, the other readers' drawing is left out: that is done at their own machines."
        ),
        columns=("visits", "seconds"),
        rows=(("first", spread(first)), ("later", spread(later))),
        limits=((f"one of {READERS} readers, later visits, p95", f"{p95:.2f} s", "2 s", p95 < 2),),
    )


def _reader(workspace: Path, address: str, queries: dict[str, str]) -> tuple[list[float], list[float]]:
    path, waits = chromium.find(), []
    if path is None:
        raise RuntimeError(chromium.REMEDY)
    with sync_playwright() as driver, ThreadPoolExecutor(1) as others:
        page = opened(
            driver.chromium.launch(executable_path=path, args=FLAGS),
            f"{address}/jobs?{queries['divergence']}&{queries['build']}",
            "h1",
        )
        page.locator(IDLE).wait_for(state="attached", timeout=120_000)
        for turn in range((1 + LATER) * len(TITLES)):
            with building(workspace):
                at = time.time() + 1.0
                page.evaluate(GO, [TITLES[turn % len(TITLES)], at * 1000])
                nine = others.submit(asyncio.run, _crowd(address, queries, turn, readers=READERS - 1, at=at))
                waits.append(float(page.wait_for_function("window.took", timeout=120_000).json_value()))
                nine.result()
            time.sleep(1.0)  # what the page still draws after it stands
    return waits[: len(TITLES)], waits[len(TITLES) :]


async def _crowd(
    address: str, queries: dict[str, str], turn: int, *, readers: int = READERS, at: float = 0.0
) -> list[float]:
    """Every session's seconds; they begin together, at the time `at` where it is given."""
    chosen = [PAGES[(number + turn * readers) % len(PAGES)] for number in range(readers)]
    await asyncio.sleep(max(0.0, at - time.time()))
    return list(await asyncio.gather(*(_visit(address, page, queries[page]) for page in chosen)))


async def _visit(address: str, page: str, query: str) -> float:
    import websockets
    from streamlit.proto.BackMsg_pb2 import BackMsg
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    stream = address.replace("http://", "ws://") + "/_stcore/stream"
    async with websockets.connect(stream, max_size=None, origin=websockets.Origin(address)) as socket:
        wish = BackMsg()
        wish.rerun_script.query_string = query
        wish.rerun_script.page_name = page
        begin = time.perf_counter()
        await socket.send(wish.SerializeToString())
        async for data in socket:
            message = ForwardMsg()
            message.ParseFromString(data if isinstance(data, bytes) else data.encode())
            if message.WhichOneof("type") == "script_finished":
                return time.perf_counter() - begin
    raise RuntimeError(f"the server closed the session of {page} before its script had finished")


if __name__ == "__main__":
    for table in run():
        print(table.markdown())
