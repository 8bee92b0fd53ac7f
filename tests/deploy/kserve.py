"""A small server that speaks Triton's HTTP protocol (KServe v2 with binary tensors) over ONNX Runtime."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import onnxruntime

DTYPES = {
    "FP32": np.float32,
    "FP16": np.float16,
    "INT64": np.int64,
    "INT32": np.int32,
    "INT8": np.int8,
    "BOOL": np.bool_,
}
NAMES = {np.dtype(kind).name: name for name, kind in DTYPES.items()}
HEADER = "Inference-Header-Content-Length"


@contextmanager
def serving(
    model: Path, name: str, *, change: Callable[[np.ndarray], np.ndarray] = lambda array: array, binary: bool = True
) -> Iterator[str]:
    """The address of a server for one model; `change` spoils what it answers."""
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_words) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path != f"/v2/models/{name}/infer":
                self._answer(404, json.dumps({"error": f"unknown path {self.path}"}).encode(), None)
                return
            length = int(self.headers[HEADER])
            request = json.loads(body[:length])
            feeds, offset = {}, length
            for item in request["inputs"]:
                size = item["parameters"]["binary_data_size"]
                array = np.frombuffer(body[offset : offset + size], DTYPES[item["datatype"]]).reshape(item["shape"])
                feeds[item["name"]] = array
                offset += size
            wanted = [item["name"] for item in request["outputs"]]
            arrays = [change(array) for array in session.run(wanted, feeds)]
            outputs, blobs = [], []
            for output, array in zip(wanted, arrays, strict=True):
                entry = {"name": output, "datatype": NAMES[array.dtype.name], "shape": list(array.shape)}
                if binary:
                    entry["parameters"] = {"binary_data_size": array.nbytes}
                    blobs.append(array.tobytes())
                else:
                    entry["data"] = array.ravel().tolist()
                outputs.append(entry)
            header = json.dumps({"model_name": name, "outputs": outputs}).encode()
            self._answer(200, header + b"".join(blobs), len(header) if binary else None)

        def _answer(self, code: int, content: bytes, length: int | None) -> None:
            self.send_response(code)
            self.send_header("Content-Length", str(len(content)))
            if length is not None:
                self.send_header(HEADER, str(length))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
