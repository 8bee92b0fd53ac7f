"""What CUDA's driver calls the first GPU, for libraries that use it without saying which it is."""

from __future__ import annotations

import ctypes

_LIBRARY = "libcuda.so.1"
_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR
_ROOM = 256


def gpu_title(name: str, major: int, minor: int) -> str:
    """`NVIDIA H200 (SM 9.0)`: every meter writes it like this, so that runs on one GPU are seen to be."""
    return f"{name.strip()} (SM {major}.{minor})"


def first_gpu() -> str:
    """The first GPU that this process may use, as `gpu_title`; "CUDA device 0" where the driver does not answer."""
    try:
        driver = ctypes.CDLL(_LIBRARY)
        device, name = ctypes.c_int(), ctypes.create_string_buffer(_ROOM)
        numbers = [ctypes.c_int(), ctypes.c_int()]
        answers = [driver.cuInit(0), driver.cuDeviceGet(ctypes.byref(device), 0)]
        answers.append(driver.cuDeviceGetName(name, _ROOM, device))
        for number, attribute in zip(numbers, (_MAJOR, _MINOR), strict=True):
            answers.append(driver.cuDeviceGetAttribute(ctypes.byref(number), attribute, device))
    except (OSError, AttributeError):
        return "CUDA device 0"
    if any(answers):
        return "CUDA device 0"
    return gpu_title(name.value.decode("utf-8", "replace"), *(number.value for number in numbers))
