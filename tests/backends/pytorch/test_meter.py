"""The PyTorch baseline: over a stand-in everywhere, over PyTorch itself where it is installed."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
import threading
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from tests.fake_nvml import FaultyDriver
from trt_core.backends.pytorch import meter
from trt_core.backends.pytorch.meter import TorchMeter, program_outputs
from trt_core.domain.latency import LatencyRequest
from trt_core.errors import BackendError, DependencyMissing, GpuUnavailable, InvalidData
from trt_core.testing import CollectingReporter

FEEDS = {"x": np.ones((2, 4), np.float32), "y": np.zeros((2, 4), np.float32)}
REQUEST = LatencyRequest(warmup=3, iterations=20)


class Stand:
    """As much of PyTorch as the meter touches: `run` is what the exported module does."""

    def __init__(self, names: tuple[str, ...] = ("x", "y")) -> None:
        self.names = names
        self.given: list[np.ndarray] = []
        self.calls = 0

    def run(self, *arrays: np.ndarray) -> np.ndarray:
        if arrays[0].shape[0] != 2:
            raise RuntimeError("Guard failed: shape of x\nand more")
        self.given, self.calls = list(arrays), self.calls + 1
        return arrays[0]

    def load(self, path: Path) -> SimpleNamespace:
        if path.read_bytes() != b"program":
            raise RuntimeError("not a zip archive")
        signature = SimpleNamespace(user_inputs=self.names)
        return SimpleNamespace(module=lambda: self.run, graph_signature=signature)


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Stand:
    made, torch = Stand(), ModuleType("torch")
    torch.__spec__ = ModuleSpec("torch", None)
    torch.__version__ = "2.9"
    torch.from_numpy = lambda array: array
    torch.no_grad = nullcontext
    torch.get_num_threads, torch.set_num_threads = (lambda: 1), (lambda count: None)
    torch.export = SimpleNamespace(load=made.load)
    torch.cuda = SimpleNamespace(is_available=lambda: False)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.9+cpu")
    return made


@pytest.fixture
def program(tmp_path: Path) -> Path:
    (tmp_path / "net.pt2").write_bytes(b"program")
    return tmp_path / "net.pt2"


def measured(path: Path, feeds=FEEDS, request: LatencyRequest = REQUEST, device: str = "cpu"):
    return TorchMeter(device).measure(path, feeds, request, reporter=CollectingReporter())


def test_every_sample_is_kept_with_its_conditions(stand: Stand, program: Path) -> None:
    found = measured(program)
    assert (len(found.samples_ms), len(found.warmup_ms)) == (20, 3)
    assert stand.calls == 24  # the first one, which tells whether the program takes the feeds, is in no statistic
    known = found.conditions
    assert (known.backend, known.backend_version, known.batch) == ("pytorch", "2.9", 2)
    assert "net.pt2 (sha256 " in known.method
    assert "no TensorRT latency" in known.method
    assert not known.includes_transfers
    assert (found.gpu, found.findings) == ((), ())  # a processor has no clocks to sample


def test_inputs_go_by_name_where_names_agree_and_in_order_otherwise(stand: Stand, program: Path) -> None:
    stand.names = ("y", "x")
    assert measured(program).findings == ()
    assert stand.given[0].sum() == 0
    stand.names = ("args_0", "args_1")
    assert "in the model's order" in measured(program).findings[0].message
    assert stand.given[0].sum() == 8


def test_a_program_that_does_not_fit_is_bad_input(stand: Stand, program: Path) -> None:
    with pytest.raises(InvalidData, match="Guard failed: shape of x Export"):
        measured(program, {name: array[:1] for name, array in FEEDS.items()})
    with pytest.raises(InvalidData, match="takes 2 inputs, the model has 1"):
        measured(program, {"x": FEEDS["x"]})


def test_a_file_that_pytorch_does_not_read_is_said_to_be_one(stand: Stand, program: Path) -> None:
    program.write_bytes(b"nonsense")
    with pytest.raises(BackendError, match=r"cannot read net\.pt2"):
        measured(program)


class Held(SimpleNamespace):
    """A tensor, as far as its values are asked for."""

    def is_floating_point(self) -> bool:
        return True

    def float(self) -> Held:
        return self

    def numpy(self) -> np.ndarray:
        return self.values


def test_outputs_come_in_order_however_the_module_packs_them(stand: Stand, program: Path) -> None:
    first, second, third = (Held(values=np.full(2, number)) for number in range(3))
    stand.run = lambda *arrays: {"logits": first, "past": ((second, None), [third])}

    assert [array[0] for array in program_outputs(program, FEEDS)] == [0, 1, 2]


class Tensor(np.ndarray):
    """An array that can be pinned, moved and copied, and says where it was last sent."""

    def pin_memory(self) -> Tensor:
        return self

    def to(self, place: str, non_blocking: bool = False) -> Tensor:
        self.asked = (place, non_blocking)
        return self

    def copy_(self, other: np.ndarray, non_blocking: bool = False) -> None:
        self[...] = other
        self.non_blocking = non_blocking


class Cuda:
    """As much of torch.cuda as a measurement touches: which stream is current by thread, and what was waited for."""

    def __init__(self) -> None:
        self.made: list[Stream] = []
        self.current = threading.local()
        self.whole_device = 0

    def module(self) -> SimpleNamespace:
        return SimpleNamespace(
            is_available=lambda: True,
            Stream=self._stream,
            stream=self._entered,
            synchronize=self._synchronize,
            get_device_name=lambda index: "NVIDIA Z9",
            get_device_capability=lambda index: (9, 0),
        )

    def _stream(self) -> Stream:
        self.made.append(Stream())
        return self.made[-1]

    @contextmanager
    def _entered(self, stream: Stream):
        self.current.stream = stream
        yield
        self.current.stream = None

    def _synchronize(self) -> None:
        self.whole_device += 1


class Stream:
    """A stream that counts what ran on it and how often it was waited for."""

    runs = waits = 0

    def synchronize(self) -> None:
        self.waits += 1


@pytest.fixture
def cuda(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> Cuda:
    made, torch, run = Cuda(), sys.modules["torch"], stand.run
    torch.cuda = made.module()
    torch.from_numpy = lambda array: array.view(Tensor)
    torch.empty_like = lambda result, device, pin_memory: np.zeros_like(result).view(Tensor)
    torch.backends = SimpleNamespace(
        cudnn=SimpleNamespace(allow_tf32=True), cuda=SimpleNamespace(matmul=SimpleNamespace(allow_tf32=False))
    )

    def counted(*arrays: np.ndarray) -> np.ndarray:
        made.current.stream.runs += 1
        return run(*arrays)

    stand.run = counted
    passes = ModuleType("torch.export.passes")
    passes.move_to_device_pass = lambda program, device: program
    monkeypatch.setitem(sys.modules, "torch.export", ModuleType("torch.export"))
    monkeypatch.setitem(sys.modules, "torch.export.passes", passes)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.9")
    return made


def test_threads_on_a_gpu_have_streams_of_their_own_and_wait_for_nothing_else(cuda: Cuda, program: Path) -> None:
    """On one stream, which is PyTorch's default, they would take turns: throughput of one, latency of all."""
    found = measured(program, request=replace(REQUEST, streams=3), device="cuda")
    assert len(cuda.made) == 3
    assert all(stream.runs == stream.waits > 1 for stream in cuda.made)
    assert cuda.whole_device == 3  # once for each, before anything is timed
    assert found.conditions.device == "NVIDIA Z9 (SM 9.0)"
    assert "TF32 allowed for convolutions" in found.conditions.method


def test_copies_go_through_pinned_memory_both_ways(cuda: Cuda, program: Path, stand: Stand) -> None:
    found = measured(program, request=replace(REQUEST, transfers=True), device="cuda")
    assert found.conditions.includes_transfers
    assert stand.given[0].asked == ("cuda", True)
    assert "copies from and to pinned memory" in found.conditions.method


def test_the_gpus_clocks_are_sampled_beside_a_run(cuda: Cuda, program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = FaultyDriver(reasons=0x4)
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    monkeypatch.setattr(meter, "first_gpu_bus_id", lambda: "0000:0F:00.0")
    found = measured(program, device="cuda")
    assert {(sample.sm_mhz, sample.held_back_by) for sample in found.gpu} == {(1980, ("power limit",))}
    assert driver.asked_for == b"0000:0F:00.0"
    assert found.findings == ()
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert [item.rule for item in measured(program, device="cuda").findings] == ["gpu-not-sampled"]


@pytest.mark.parametrize("room", [0, 5])  # in the first run, and while samples are taken
def test_memory_that_does_not_suffice_is_a_failed_run_and_no_bad_input(stand: Stand, program: Path, room: int) -> None:
    class OutOfMemoryError(RuntimeError):
        pass

    def full(*arrays: np.ndarray) -> np.ndarray:
        stand.calls += 1
        if stand.calls > room:
            raise OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return arrays[0]

    stand.run = full
    with pytest.raises(BackendError, match="out of memory") as caught:
        measured(program)
    assert "smaller batch" in caught.value.remedy


def test_a_build_without_cuda_measures_no_gpu(stand: Stand, program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DependencyMissing, match="without CUDA"):
        TorchMeter("cuda").check()
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.9")
    with pytest.raises(GpuUnavailable):
        measured(program, device="cuda")


def test_without_pytorch_the_refusal_says_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DependencyMissing) as caught:
        TorchMeter().check()
    assert "pip install torch" in caught.value.remedy
    assert caught.value.exit_code == 3


def test_a_real_exported_program_is_run(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is no requirement, and is not installed")

    class Net(torch.nn.Module):
        def forward(self, x, y):
            return torch.relu(x @ x.T) + y.sum()

    exported = torch.export.export(Net(), tuple(torch.from_numpy(array) for array in FEEDS.values()))
    torch.export.save(exported, tmp_path / "real.pt2")
    found = measured(tmp_path / "real.pt2")
    assert len(found.samples_ms) == 20
    assert min(found.samples_ms) > 0
    with pytest.raises(InvalidData, match="refuses the input"):
        measured(tmp_path / "real.pt2", {name: np.ones((3, 4), np.float32) for name in FEEDS})
    (answer,) = program_outputs(tmp_path / "real.pt2", FEEDS)
    assert answer.tolist() == [[4.0, 4.0], [4.0, 4.0]]
