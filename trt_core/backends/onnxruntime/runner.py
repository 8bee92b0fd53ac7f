"""Models in ONNX Runtime on this machine's processor, inner tensors included."""

from __future__ import annotations

import contextlib
import mmap
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from trt_core.backends.gpu_name import first_gpu
from trt_core.backends.host_clock import processor_text
from trt_core.backends.onnxruntime import arrays, gate
from trt_core.domain.capabilities import Capabilities
from trt_core.domain.precision import Precision
from trt_core.domain.tensors import TensorSpec
from trt_core.errors import BackendError, DependencyMissing, GpuUnavailable, InvalidData, NotFound
from trt_core.onnx_graph.load import parse_model
from trt_core.onnx_graph.naming import node_name
from trt_core.onnx_graph.tensors import subgraphs
from trt_core.protocols import Array, Feeds

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
_DATA_FOLDER = "session.model_external_initializers_file_folder_path"
_SILENT = 4
_SAME_NAME = "two nodes with same node name"


class OrtSession:
    """A model loaded in ONNX Runtime. `device` names the processor, `version` the library."""

    def __init__(self, native: Any, *, version: str, device: str, on_gpu: bool = False) -> None:
        self._native = native
        self.on_gpu = on_gpu
        self.version = version
        self.device = device
        self.inputs: tuple[TensorSpec, ...] = tuple(_spec(value) for value in native.get_inputs())
        self.outputs: tuple[str, ...] = tuple(value.name for value in native.get_outputs())

    def run(self, feeds: Feeds, outputs: Sequence[str] | None = None) -> list[Array]:
        """Run once and give the outputs (None: all, in order); their memory is ONNX Runtime's, not a copy.

        bfloat16 and 8-bit floats come as `ml_dtypes` arrays. Raises InvalidData where the feeds do not fit,
        NotFound for an unknown output.
        """
        wanted = list(self.outputs if outputs is None else outputs)
        if unknown := sorted(set(wanted) - set(self.outputs)):
            raise NotFound(f"The session has no output {unknown[0]!r}.", remedy="Ask for it when the model is loaded.")
        with gate.running():
            values = self._native.run_with_ort_values(wanted, self._as_values(feeds))
            return [arrays.to_array(value) for value in values]

    def bound(
        self, feeds: Feeds, outputs: Sequence[str] | None = None, *, with_copies: bool = False
    ) -> Callable[[], None]:
        """A call that runs once on these feeds with everything bound beforehand: nothing to copy, nothing returned.

        On a GPU, `with_copies` binds to the host's memory, so that every run copies to the device and back.
        """
        device = "cuda" if self.on_gpu and not with_copies else "cpu"
        with gate.running():
            binding = self._native.io_binding()
            for name, value in self._as_values(feeds).items():
                binding.bind_ortvalue_input(name, value if device == "cpu" else arrays.on_cuda(value))
            for name in self.outputs if outputs is None else outputs:
                binding.bind_output(name, device)
        native = self._native

        def once() -> None:
            native.run_with_iobinding(binding)

        return once

    def end_profiling(self) -> Path:
        """End ONNX Runtime's own profile and give its file; only for a session from `load_profiled`."""
        with gate.running():
            return Path(self._native.end_profiling())

    def _as_values(self, feeds: Feeds) -> dict[str, Any]:
        expected = {spec.name: spec for spec in self.inputs}
        if missing := [name for name in expected if name not in feeds]:
            raise InvalidData(f"Input {missing[0]!r} is missing.", remedy=f"Give {', '.join(expected)}.")
        if unknown := [name for name in feeds if name not in expected]:
            raise InvalidData(f"The model has no input {unknown[0]!r}.", remedy=f"Give {', '.join(expected)} only.")
        return {name: arrays.to_value(feeds[name], spec) for name, spec in expected.items()}


class OrtRunner:
    """ONNX Runtime; on the processor unless `device` is "cuda" and the installed package can use it."""

    name = "ort"

    def __init__(self, device: str = "cpu") -> None:
        if device not in ("cpu", "cuda"):
            raise ValueError(f"device is 'cpu' or 'cuda', not {device!r}")
        self.device = device

    def check(self) -> None:
        """DependencyMissing where ONNX Runtime, or the CUDA provider that is wanted, is not installed."""
        found = self.capabilities()
        if not found.can_run:
            raise DependencyMissing("ONNX Runtime is not installed.", remedy=found.why_not("run"))
        if self.device == "cuda" and found.why_not("cuda"):
            raise DependencyMissing(
                "The installed ONNX Runtime has no CUDA provider.",
                remedy="On a GPU host: pip install onnxruntime-gpu.",
            )

    def capabilities(self) -> Capabilities:
        """What ONNX Runtime can do here."""
        title = "ONNX Runtime"
        try:
            import onnxruntime
        except ImportError as error:
            reason = f"ONNX Runtime is not installed ({error}). Install it: pip install onnxruntime"
            return Capabilities(backend=self.name, title=title, missing=(("run", reason),))
        missing = () if CUDA in onnxruntime.get_available_providers() else (("cuda", _NO_CUDA),)
        return Capabilities(
            backend=self.name,
            title=title,
            version=onnxruntime.__version__,
            can_run=True,
            precisions=(Precision.FP32,),
            missing=missing,
        )

    def load(
        self, onnx_path: Path, *, extra_outputs: Sequence[str] = (), optimize: bool = True, threads: int = 0
    ) -> OrtSession:
        """Load a model; `extra_outputs` are inner tensors to hand back as well, after the model's own outputs.

        Without `optimize` the graph runs node by node as the file has it. `threads` 0 leaves the number to ONNX
        Runtime. Raises UnreadableModel, UnsupportedRequest (no kernel), NotFound (no such tensor), BackendError.
        """
        options = self._options(optimize=optimize, threads=threads)
        if not onnx_path.is_file():
            raise NotFound(f"There is no file {onnx_path.name!r}.", remedy="Give the path of an ONNX model.")
        source = with_outputs(onnx_path, extra_outputs) if extra_outputs else str(onnx_path)
        try:
            return self._open(source, onnx_path, options, threads)
        except BackendError as error:
            if _SAME_NAME not in error.details:
                raise
        return self._open(with_unique_names(onnx_path, extra_outputs), onnx_path, options, threads)

    def load_profiled(self, onnx_path: Path, *, prefix: Path, threads: int = 0) -> OrtSession:
        """Load an optimized model whose runs are profiled node by node; `OrtSession.end_profiling` gives the file."""
        options = self._options(optimize=True, threads=threads)
        if not onnx_path.is_file():
            raise NotFound(f"There is no file {onnx_path.name!r}.", remedy="Give the path of an ONNX model.")
        options.enable_profiling = True
        options.profile_file_prefix = str(prefix)
        return self._open(with_names(onnx_path), onnx_path, options, threads)

    def _open(self, source: bytes | str, onnx_path: Path, options: Any, threads: int) -> OrtSession:
        import onnxruntime

        if isinstance(source, bytes):
            options.add_session_config_entry(_DATA_FOLDER, str(onnx_path.resolve().parent))
        if self.device == "cuda":
            self.check()
            _load_cuda_libraries(onnxruntime)
        providers = [CUDA, CPU] if self.device == "cuda" else [CPU]
        with gate.loading(onnx_path.name):
            native = onnxruntime.InferenceSession(source, options, providers=providers)
        if isinstance(source, bytes):
            # Kept by the library for a fallback to other providers, which never happens here.
            native._model_bytes = None  # noqa: SLF001
        on_gpu = self.device == "cuda"
        if on_gpu and CUDA not in native.get_providers():
            # It falls back to the processor without a word, and would be timed as a GPU.
            raise GpuUnavailable(
                "ONNX Runtime's CUDA provider did not load.",
                remedy="Install the CUDA and cuDNN libraries that this onnxruntime-gpu names in its log.",
            )
        device = device_text(self.device, threads)
        return OrtSession(native, version=onnxruntime.__version__, device=device, on_gpu=on_gpu)

    def _options(self, *, optimize: bool, threads: int) -> Any:
        try:
            import onnxruntime
        except ImportError as error:
            raise DependencyMissing("ONNX Runtime is not installed.", remedy="pip install onnxruntime") from error
        # Errors reach the caller as exceptions: on standard error they would only be said twice.
        onnxruntime.set_default_logger_severity(_SILENT)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _SILENT
        levels = onnxruntime.GraphOptimizationLevel
        options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimize else levels.ORT_DISABLE_ALL
        options.intra_op_num_threads = threads
        if not optimize:
            # Such sessions take turns with each other and with NumPy: threads that wait by spinning are in the way.
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return options


_NO_CUDA = "The installed ONNX Runtime has no CUDA provider. On a GPU host: pip install onnxruntime-gpu"


def with_outputs(onnx_path: Path, extra_outputs: Sequence[str]) -> bytes:
    """The bytes of the model file with further graph outputs; those that it has already are not added twice.

    Serialized protobuf messages merge when they are joined end to end, repeated fields by appending: so nothing is
    serialized again and the weights are held once. Raises NotFound for a tensor that no top-level node writes.
    """
    import onnx

    graph = parse_model(onnx_path).graph
    present = {value.name for value in graph.output}
    known = {name for node in graph.node for name in node.output if name}
    known |= {tensor.name for tensor in graph.initializer} | {value.name for value in graph.input}
    del graph  # the parsed weights must be gone before the bytes are read
    added = [name for name in dict.fromkeys(extra_outputs) if name not in present]
    if unknown := [name for name in added if name not in known]:
        raise NotFound(f"The model has no tensor {unknown[0][:200]!r}.", remedy="Name a tensor of its top-level graph.")
    outputs = [onnx.ValueInfoProto(name=name) for name in added]
    appended = onnx.ModelProto(graph=onnx.GraphProto(output=outputs)).SerializeToString()
    with onnx_path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        return b"".join((mapped, appended))


def with_names(onnx_path: Path) -> bytes | str:
    """The path, or where nodes are unnamed or share a name the bytes of a copy in which every node has its own."""
    model = parse_model(onnx_path)
    return model.SerializeToString() if _name_nodes(model.graph) else str(onnx_path)


def with_unique_names(onnx_path: Path, extra_outputs: Sequence[str]) -> bytes:
    """The bytes of a copy in which no two nodes share a name: ONNX allows it, and ONNX Runtime refuses the file."""
    model = parse_model(onnx_path)
    _name_nodes(model.graph)
    present = {value.name for value in model.graph.output}
    for name in dict.fromkeys(extra_outputs):
        if name not in present:
            model.graph.output.add().name = name
    return model.SerializeToString()


def _name_nodes(graph: Any) -> bool:
    """Give unnamed nodes the names that we show, and the second of two equal names a number; True for any change."""
    taken = {node_name(node) for node in graph.node}
    used: set[str] = set()
    last: dict[str, int] = {}
    changed = False
    for node in graph.node:
        name, number = node_name(node), last.get(node_name(node), 1)
        unique = name
        while unique in used or (number > 1 and unique in taken):
            number += 1
            unique = f"{name}_{number}"
        last[name] = number
        used.add(unique)
        changed = changed or node.name != unique
        node.name = unique
        for body in subgraphs(node):
            changed = _name_nodes(body) or changed
    return changed


def device_text(device: str, threads: int) -> str:
    """`Intel Xeon Gold 6130 (8 logical CPUs), 4 threads`, or the GPU, which is the driver's first one."""
    return first_gpu() if device == "cuda" else processor_text(threads)


def _spec(value: Any) -> TensorSpec:
    shape = None if value.shape is None else tuple(dim if isinstance(dim, int | str) else None for dim in value.shape)
    return TensorSpec(name=value.name, dtype=arrays.dtype_of(value.type), shape=shape)


def _load_cuda_libraries(onnxruntime: Any) -> None:
    """Load CUDA and cuDNN out of NVIDIA's Python packages, where the loader does not look for them by itself.

    What is not found is only printed: standard output belongs to the command line.
    """
    with contextlib.redirect_stdout(sys.stderr):
        onnxruntime.preload_dlls()
