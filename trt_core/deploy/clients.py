"""What talks to the served model: snippets, the load generator's line, and the smoke test."""

from __future__ import annotations

from trt_core.deploy.batching import chosen_batch, served_shape
from trt_core.deploy.order import Order
from trt_core.deploy.templating import filled
from trt_core.deploy.triton_config import triton_type
from trt_core.domain.deployment import GeneratedFile
from trt_core.domain.tensors import TensorSpec

_ADDRESSES = {"http": "127.0.0.1:8000", "grpc": "127.0.0.1:8001"}


def client_files(order: Order) -> list[GeneratedFile]:
    """Python clients over HTTP and gRPC, and a script for perf_analyzer."""
    batch = chosen_batch(order.passport, order.wish.max_batch)
    inputs = [_described(spec, order, batched=batch > 0) for spec in order.passport.inputs]
    files = [
        GeneratedFile(
            path=f"clients/{protocol}_client.py",
            content=filled(
                "triton_client.py",
                protocol=protocol,
                address=address,
                name=order.name,
                inputs=inputs,
                outputs=[spec.name for spec in order.passport.outputs],
            ),
        )
        for protocol, address in _ADDRESSES.items()
    ]
    shapes = [
        f"{spec.name}:{','.join(map(str, served_shape(spec, order.passport, batched=batch > 0)))}"
        for spec in order.passport.inputs
        if not all(isinstance(dim, int) for dim in (spec.shape or ())[1 if batch else 0 :])
    ]
    script = filled("perf_analyzer.sh", name=order.name, batch=batch and 1, shapes=shapes)
    return [*files, GeneratedFile(path="clients/perf_analyzer.sh", content=script, executable=True)]


def _described(spec: TensorSpec, order: Order, *, batched: bool) -> dict[str, object]:
    shape = served_shape(spec, order.passport, batched=batched)
    return {
        "name": spec.name,
        "shape": (1, *shape) if batched else shape,
        "datatype": triton_type(spec, order.served_by).removeprefix("TYPE_"),
    }


def smoke_files(order: Order) -> list[GeneratedFile]:
    """The smoke test with its recorded input and output; nothing where none could be recorded."""
    if not order.recorded:
        return []
    client, script = filled("smoke_client.py", name=order.name), filled("smoke_triton.sh", name=order.name)
    return [
        GeneratedFile(path="smoke/smoke_client.py", content=client),
        GeneratedFile(path="smoke/smoke_triton.sh", content=script, executable=True),
        GeneratedFile(path="smoke/recorded.npz", content=order.recorded),
        GeneratedFile(path="smoke/tensors.json", content=order.recorded_names),
        GeneratedFile(path="in_process.py", content=filled("in_process.py", name=order.name)),
    ]
