"""What the server itself takes for ten readers at one moment, a build running beside it: their browsers left out.

Ten browsers on the server's own two cores mostly measure each other's drawing (see `dashboard`). Here ten sessions
speak Streamlit's protocol over web sockets, as a browser does, and read everything that is sent to them.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from benchmarks.dashboard import building, percentile
from benchmarks.large_model import NODES, PAGES, fill
from benchmarks.tables import Table, spread
from scripts.screenshots import server

READERS, COLD, ROUNDS = 10, 2, 4  # two rounds see every page for the first time


def run() -> Table:
    """Rounds of ten sessions at one moment; those that see their pages for the first time stand apart."""
    with tempfile.TemporaryDirectory(prefix="enginescope-crowd-") as name:
        workspace = Path(name) / "workspace"
        workspace.mkdir()
        queries = fill(workspace)
        with server(workspace) as address, building(workspace):
            rounds = [asyncio.run(_crowd(address, queries, turn)) for turn in range(COLD + ROUNDS)]
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


async def _crowd(address: str, queries: dict[str, str], turn: int) -> list[float]:
    chosen = [PAGES[(number + turn * READERS) % len(PAGES)] for number in range(READERS)]
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
    print(run().markdown())
