"""PyTorch as a meter: an exported program (`torch.export`, .pt2), run eagerly, one ATen operator after the other.

A .pt2 may carry pickled objects, which are code: only files that the operator put on the server are read here.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trt_core.backends.gpu_name import first_gpu_bus_id, gpu_title
from trt_core.backends.host_clock import clocked, processor_text
from trt_core.backends.nvml import watched
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.jobs import Progress
from trt_core.domain.latency import GpuSample, LatencyConditions, LatencyRequest, Measured
from trt_core.errors import BackendError, DependencyMissing, GpuUnavailable, InvalidData, TrtCoreError
from trt_core.hashing import file_sha256
from trt_core.protocols import Array, Feeds, Reporter

_CPU_ONLY = "+cpu"


class TorchMeter:
    """Measures exported programs in PyTorch, on the processor or on the first GPU."""

    def __init__(self, device: str = "cpu") -> None:
        if device not in ("cpu", "cuda"):
            raise ValueError(f"device is 'cpu' or 'cuda', not {device!r}")
        self._device = device
        self.name = "pytorch-cuda" if device == "cuda" else "pytorch"

    def check(self) -> None:
        """DependencyMissing where PyTorch is not installed, or has no CUDA although that is wanted."""
        if importlib.util.find_spec("torch") is None:
            raise DependencyMissing(
                "PyTorch is not installed; it is no requirement of this program.",
                remedy="Install it on the server: pip install torch.",
            )
        version = importlib.metadata.version("torch")
        if self._device == "cuda" and version.endswith(_CPU_ONLY):
            raise DependencyMissing(
                f"PyTorch {version} is a build without CUDA.", remedy="Install a build of PyTorch for CUDA."
            )

    def measure(self, path: Path, feeds: Feeds, request: LatencyRequest, *, reporter: Reporter) -> Measured:
        """Load an exported program, warm up, keep every sample; there are no layer times.

        Inputs go to the program by name where the names agree, else in the model's order. Raises InvalidData for a
        program that does not take the feeds, BackendError for a file that PyTorch does not read, GpuUnavailable.
        """
        self.check()
        import torch

        if self._device == "cuda" and not torch.cuda.is_available():
            raise GpuUnavailable("PyTorch finds no GPU.", remedy="Measure on a GPU host, or with --backend pytorch.")
        reporter.progress(Progress(phase="Loading"))
        program = _loaded(torch, path)
        arrays, by_name = _ordered(program, feeds)
        run = program.module() if self._device == "cpu" else _placed(program)
        if request.threads:
            torch.set_num_threads(request.threads)
        calls = [self._call(torch, run, arrays, request) for _ in range(request.streams)]
        for call in calls:
            _first(call)
        gpu: tuple[GpuSample, ...] = ()
        notes: tuple[Finding, ...] = ()
        with _running():
            if self._device == "cuda":
                found, gpu, notes = watched(lambda: clocked(calls, request, reporter), bus_id=first_gpu_bus_id())
            else:
                found = clocked(calls, request, reporter)
        return Measured(
            samples_ms=found.samples_ms,
            warmup_ms=found.warmup_ms,
            wall_s=found.wall_s,
            conditions=self._conditions(torch, path, feeds, request),
            gpu=gpu,
            findings=notes if by_name else (_by_order(), *notes),
        )

    def _call(
        self, torch: Any, run: Callable[..., Any], arrays: Sequence[Array], request: LatencyRequest
    ) -> Callable[[], None]:
        """One inference, until its results are there."""
        host = [torch.from_numpy(array.copy()) for array in arrays]
        if self._device == "cpu":

            def on_host() -> None:
                with torch.no_grad():
                    run(*host)

            return on_host
        return _on_gpu(torch, run, host, transfers=request.transfers)

    def _conditions(self, torch: Any, path: Path, feeds: Feeds, request: LatencyRequest) -> LatencyConditions:
        shapes = tuple((name, tuple(array.shape)) for name, array in feeds.items())
        on_gpu = self._device == "cuda"
        device = processor_text(request.threads)
        copies = "inputs in place"
        if on_gpu:
            device = gpu_title(torch.cuda.get_device_name(0), *torch.cuda.get_device_capability(0))
            copies = "with copies from and to pinned memory" if request.transfers else "inputs and outputs on the GPU"
            copies += f", {_tf32(torch)}"
        digest = file_sha256(path)
        streams = "one stream" if request.streams == 1 else f"{request.streams} threads that run at once"
        return LatencyConditions(
            device=device,
            backend=self.name,
            backend_version=str(torch.__version__),
            method=(
                f"Host wall time of one eager run of the exported program {path.name} (sha256 {digest[:12]}) on "
                f"{device}, {copies}, {streams}, after "
                f"{request.warmup} warm-up runs that are kept apart. This is no TensorRT latency."
            ),
            shapes=shapes,
            batch=next((shape[0] for _, shape in shapes if shape), 1),
            threads=request.threads,
            warmup=request.warmup,
            streams=request.streams,
            includes_transfers=on_gpu and request.transfers,
            load_before=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        )


def _placed(program: Any) -> Any:
    """The program's module on the GPU; devices that exporting wrote into its graph are changed, where PyTorch can."""
    try:
        from torch.export.passes import move_to_device_pass
    except ImportError:
        return program.module().to("cuda")
    return move_to_device_pass(program, "cuda").module()


def _on_gpu(torch: Any, run: Callable[..., Any], host: Sequence[Any], *, transfers: bool) -> Callable[[], None]:
    """One inference on a stream of its own: on PyTorch's default stream, calls of several threads take turns."""
    stream = torch.cuda.Stream()
    pinned = [tensor.pin_memory() for tensor in host]
    placed = [tensor.to("cuda") for tensor in host]
    back: list[Any] = []
    torch.cuda.synchronize()

    def with_copies() -> None:
        results = _tensors(run(*(tensor.to("cuda", non_blocking=True) for tensor in pinned)))
        if not back:
            back.extend(torch.empty_like(result, device="cpu", pin_memory=True) for result in results)
        for kept, result in zip(back, results, strict=True):
            kept.copy_(result, non_blocking=True)

    def once() -> None:
        with torch.no_grad(), torch.cuda.stream(stream):
            if transfers:
                with_copies()
            else:
                run(*placed)
        stream.synchronize()

    return once


def _tf32(torch: Any) -> str:
    """Which FP32 products PyTorch may compute in TF32: its default is convolutions only."""
    allowed = [
        name
        for name, place in (("convolutions", torch.backends.cudnn), ("matrix products", torch.backends.cuda.matmul))
        if place.allow_tf32
    ]
    return f"TF32 allowed for {' and '.join(allowed)}" if allowed else "no TF32"


def _loaded(torch: Any, path: Path) -> Any:
    try:
        return torch.export.load(path)
    except Exception as error:
        # PyTorch raises what its readers raise: zipfile's, pickle's and its own errors.
        raise BackendError(
            f"PyTorch cannot read {path.name}: {_line(error)}", remedy="Save it with torch.export.save, same version."
        ) from error


def _ordered(program: Any, feeds: Feeds) -> tuple[list[Array], bool]:
    """The feeds in the program's order, and whether its names told which is which."""
    names = [str(name) for name in program.graph_signature.user_inputs]
    if len(names) != len(feeds):
        raise InvalidData(
            f"The program takes {len(names)} inputs, the model has {len(feeds)}.",
            remedy="Export the program from the model that was uploaded.",
        )
    if set(names) == set(feeds):
        return [feeds[name] for name in names], True
    return list(feeds.values()), False


def _tensors(results: Any) -> list[Any]:
    """The tensors of what a module answers, in its order, however it packs them."""
    if isinstance(results, Mapping):
        results = tuple(results.values())
    if isinstance(results, (tuple, list)):
        return [tensor for result in results for tensor in _tensors(result)]
    return [] if results is None else [results]


def _first(call: Callable[[], None]) -> None:
    try:
        with _running(only_memory=True):
            call()
    except TrtCoreError:
        raise
    except Exception as error:
        raise InvalidData(
            f"The program refuses the input: {_line(error)}",
            remedy="Export it with the same dtypes, and with dynamic shapes where the model has them.",
        ) from error


@contextmanager
def _running(*, only_memory: bool = False) -> Iterator[None]:
    """Translate what PyTorch raises in a run: a sweep goes on with its next point where memory did not suffice."""
    try:
        yield
    except TrtCoreError:
        raise
    except Exception as error:
        # torch.OutOfMemoryError is a RuntimeError; the class has moved between releases, its name has not.
        is_memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
        if only_memory and not is_memory:
            raise
        remedy = "Take a smaller batch or fewer streams." if is_memory else "Look at the job's log."
        raise BackendError(f"PyTorch failed in a run: {_line(error)}", remedy=remedy) from error


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def _by_order() -> Finding:
    return Finding(
        rule="program-inputs-by-order",
        severity=Severity.NOTE,
        message="The program's inputs have other names than the model's: they were given in the model's order.",
        remedy="Export both from the same module, with the same names.",
    )


def program_outputs(path: Path, feeds: Feeds) -> list[Array]:
    """What an exported program answers, on the processor, in its order; raises as `TorchMeter.measure` does."""
    import torch

    program = _loaded(torch, path)
    arrays, _ = _ordered(program, feeds)
    found: list[Any] = []

    def once() -> None:
        with torch.no_grad():
            results = program.module()(*(torch.from_numpy(array.copy()) for array in arrays))
        found.extend((one.float() if one.is_floating_point() else one).numpy() for one in _tensors(results))

    _first(once)
    return found
