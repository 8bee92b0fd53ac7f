"""What CUDA's driver calls the first GPU, for libraries that use it without saying which it is."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

_LIBRARY = "libcuda.so.1"
_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR
_ROOM = 256


def gpu_title(name: str, major: int, minor: int) -> str:
    """`NVIDIA H200 (SM 9.0)`: every meter writes it like this, so that runs on one GPU are seen to be."""
    return f"{name.strip()} (SM {major}.{minor})"


def first_gpu() -> str:
    """The first GPU that this process may use, as `gpu_title`; "CUDA device 0" where the driver does not answer."""
    name, numbers = ctypes.create_string_buffer(_ROOM), [ctypes.c_int(), ctypes.c_int()]

    def ask(driver: Any, device: ctypes.c_int) -> list[int]:
        asked = [
            driver.cuDeviceGetAttribute(ctypes.byref(number), attribute, device)
            for number, attribute in zip(numbers, (_MAJOR, _MINOR), strict=True)
        ]
        return [driver.cuDeviceGetName(name, _ROOM, device), *asked]

    if not _answered(ask):
        return "CUDA device 0"
    return gpu_title(name.value.decode("utf-8", "replace"), *(number.value for number in numbers))


def first_gpu_bus_id() -> str:
    """The PCI address of that GPU, by which NVML knows it; "" where the driver does not answer."""
    address = ctypes.create_string_buffer(_ROOM)
    answered = _answered(lambda driver, device: [driver.cuDeviceGetPCIBusId(address, _ROOM, device)])
    return address.value.decode("ascii", "replace") if answered else ""


def _answered(ask: Callable[[Any, ctypes.c_int], list[int]]) -> bool:
    """Whether the driver is there and gave every call on its first GPU the status 0."""
    try:
        driver, device = ctypes.CDLL(_LIBRARY), ctypes.c_int()
        statuses = [driver.cuInit(0), driver.cuDeviceGet(ctypes.byref(device), 0)]
        return not any([*statuses, *ask(driver, device)])
    except (OSError, AttributeError):
        return False
