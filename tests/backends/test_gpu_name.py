from __future__ import annotations

import ctypes
from types import SimpleNamespace

import pytest

from trt_core.backends.gpu_name import first_gpu, first_gpu_bus_id


def driver(*, broken: str = "") -> SimpleNamespace:
    """CUDA's driver as far as a name goes; `broken` is the call that answers with an error."""

    def answer(call: str) -> int:
        return 100 if call == broken else 0

    def name(buffer, room, device) -> int:
        buffer.value = b"NVIDIA Z9"
        return answer("name")

    def address(buffer, room, device) -> int:
        buffer.value = b"0000:0f:00.0"
        return answer("address")

    def attribute(number, which, device) -> int:
        ctypes.cast(number, ctypes.POINTER(ctypes.c_int))[0] = {75: 9, 76: 0}[which]
        return answer("attribute")

    return SimpleNamespace(
        cuInit=lambda flags: answer("init"),
        cuDeviceGet=lambda device, index: answer("get"),
        cuDeviceGetName=name,
        cuDeviceGetAttribute=attribute,
        cuDeviceGetPCIBusId=address,
    )


def test_the_driver_names_the_gpu_as_tensorrt_does(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: driver())
    assert first_gpu() == "NVIDIA Z9 (SM 9.0)"


@pytest.mark.parametrize("broken", ["init", "get", "name", "attribute"])
def test_a_driver_that_does_not_answer_names_nothing(monkeypatch: pytest.MonkeyPatch, broken):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: driver(broken=broken))
    assert first_gpu() == "CUDA device 0"


def test_without_a_driver_nothing_is_named(monkeypatch: pytest.MonkeyPatch):
    def missing(name: str):
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert first_gpu() == "CUDA device 0"
    assert first_gpu_bus_id() == ""


def test_the_driver_gives_the_address_by_which_nvml_knows_the_gpu(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: driver())
    assert first_gpu_bus_id() == "0000:0f:00.0"
    monkeypatch.setattr(ctypes, "CDLL", lambda name: driver(broken="address"))
    assert first_gpu_bus_id() == ""
