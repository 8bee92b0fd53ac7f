"""TensorRT's build objects in plain Python, under Polygraphy and under our code alike: they remember what they are told.

Like the real ones they refuse in silence: `deaf` names what a configuration drops.
"""

from __future__ import annotations

import enum
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

FLAGS = (
    "FP16 INT8 BF16 TF32 REFIT SPARSE_WEIGHTS GPU_FALLBACK VERSION_COMPATIBLE "
    "PREFER_PRECISION_CONSTRAINTS OBEY_PRECISION_CONSTRAINTS"
)
SOURCES = "CUBLAS CUBLAS_LT CUDNN EDGE_MASK_CONVOLUTIONS JIT_CONVOLUTIONS"
FEATURES = "FASTER_DYNAMIC_SHAPES_0805 DISABLE_EXTERNAL_TACTIC_SOURCES_FOR_CORE_0805 PROFILE_SHARING_0806"
POOLS = "WORKSPACE TACTIC_DRAM DLA_LOCAL_DRAM DLA_MANAGED_SRAM"


def members(owner: str, names: str) -> Any:
    return enum.IntEnum(owner, names, start=0)


class Calibrator:
    """A base class of the library: it must have been initialized before the builder takes it."""

    def __init__(self) -> None:
        self.is_bound = True


def library(version: str = "10.16.1") -> Any:
    return SimpleNamespace(
        __name__="tensorrt",
        __version__=version,
        ProfilingVerbosity=members("ProfilingVerbosity", "NONE DETAILED"),
        BuilderFlag=members("BuilderFlag", FLAGS),
        MemoryPoolType=members("MemoryPoolType", POOLS),
        TacticSource=members("TacticSource", SOURCES),
        DeviceType=members("DeviceType", "GPU DLA"),
        NetworkDefinitionCreationFlag=members("NetworkDefinitionCreationFlag", "EXPLICIT_BATCH"),
        DataType=members("DataType", "FLOAT HALF INT8"),
        PreviewFeature=members("PreviewFeature", FEATURES),
        HardwareCompatibilityLevel=members("HardwareCompatibilityLevel", "NONE AMPERE_PLUS"),
        IInt8EntropyCalibrator2=type("IInt8EntropyCalibrator2", (Calibrator,), {}),
        IInt8MinMaxCalibrator=type("IInt8MinMaxCalibrator", (Calibrator,), {}),
        IInt8LegacyCalibrator=type("IInt8LegacyCalibrator", (Calibrator,), {}),
        IInt8Calibrator=type("IInt8Calibrator", (Calibrator,), {}),
    )


class TimingCache:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def serialize(self) -> bytes:
        return self.data

    def combine(self, other: TimingCache, ignore_mismatch: bool) -> bool:
        self.data += b"" if (ours := other.data.startswith(b"other")) else other.data
        return not ours


class Config:
    """A builder configuration; timings that begin with "other" are another GPU's."""

    def __init__(self, *deaf: str) -> None:
        self.deaf = deaf
        self.flags = set() if "TF32" in deaf else {"TF32"}
        self.pools: dict[str, int] = {}
        self.features: dict[str, bool] = {}
        self.sources = -1
        self.timings: TimingCache | None = None
        self.profiles: list[Any] = []
        self.DLA_core = -1

    def set_flag(self, flag: Any) -> None:
        self.flags |= set() if flag.name in self.deaf else {flag.name}

    def clear_flag(self, flag: Any) -> None:
        self.flags.discard(flag.name)

    def get_flag(self, flag: Any) -> bool:
        return flag.name in self.flags

    def set_memory_pool_limit(self, pool: Any, size: int) -> None:
        self.pools[pool.name] = 0 if pool.name in self.deaf else size

    def get_memory_pool_limit(self, pool: Any) -> int:
        return self.pools[pool.name]

    def set_tactic_sources(self, mask: int) -> bool:
        self.sources = 0 if "SOURCES" in self.deaf else mask
        return True

    def get_tactic_sources(self) -> int:
        return self.sources

    def set_preview_feature(self, feature: Any, wanted: bool) -> None:
        self.features[feature.name] = wanted

    def create_timing_cache(self, data: bytes) -> TimingCache:
        return TimingCache(data)

    def set_timing_cache(self, cache: TimingCache, ignore_mismatch: bool) -> bool:
        if is_taken := not cache.data.startswith(b"other"):
            self.timings = cache
        return is_taken

    def get_timing_cache(self) -> TimingCache | None:
        return self.timings

    def add_optimization_profile(self, profile: Any) -> int:
        self.profiles.append(profile)
        return len(self.profiles) - 1

    def set_calibration_profile(self, profile: Any) -> bool:
        self.calibration_profile = profile
        return True


class DeafTo(Config):
    """Drops what is assigned to one property."""

    def __init__(self, name: str, value: Any) -> None:
        super().__init__()
        self.__dict__[name] = value
        self.__dict__["dropped"] = name

    def __setattr__(self, name: str, value: Any) -> None:
        if name != self.__dict__.get("dropped"):
            super().__setattr__(name, value)


def builder_of(config: Config) -> Any:
    return SimpleNamespace(create_builder_config=lambda: config)


class Profile:
    """An optimization profile: true once it has shapes."""

    def __init__(self) -> None:
        self.shapes: dict[str, tuple[Any, ...]] = {}

    def set_shape(self, name: str, *shapes: Any) -> None:
        self.shapes[name] = shapes

    def __bool__(self) -> bool:
        return bool(self.shapes)


class Network:
    """x (n, 8) through one layer."""

    def __init__(self) -> None:
        dtype = SimpleNamespace(name="FLOAT")
        self.input = SimpleNamespace(name="x", dtype=dtype, shape=(-1, 8), is_shape_tensor=False)
        self.layer = SimpleNamespace(name="mm", num_outputs=0)
        self.num_inputs = self.num_layers = 1

    def get_input(self, _at: int) -> Any:
        return self.input

    def get_layer(self, _at: int) -> Any:
        return self.layer


class FakeBuilder:
    """Calibrates where it has a calibrator, and lets the timings grow. What it was given stays readable."""

    def __init__(self) -> None:
        self.network = Network()
        self.batches: list[list[int]] = []
        self.read: bytes | None = None

    def create_builder_config(self) -> Config:
        self.config = Config()
        return self.config

    def create_optimization_profile(self) -> Profile:
        return Profile()

    def build_serialized_network(self, _network: Any, config: Config) -> bytes:
        if hasattr(config, "int8_calibrator"):
            self._calibrate(config.int8_calibrator)
        if config.timings is not None:
            config.timings.data += b"+grown"
        return b"ftrt"

    def _calibrate(self, calibrator: Any) -> None:
        self.batches, self.batch_size = [], calibrator.get_batch_size()
        self.read = calibrator.read_calibration_cache()
        if self.read is None:
            while batch := calibrator.get_batch(["x"]):
                self.batches.append(batch)
            if self.batches:
                calibrator.write_calibration_cache(memoryview(b"TRT-8600-EntropyCalibration2\nx: 3c010a14\n"))


class FakeMemory:
    """A buffer of host or GPU memory, or a stream; `taken` has the first value of each batch that came in."""

    def __init__(self, size_bytes: int) -> None:
        self.address = id(self)
        self.taken: list[float] = []
        self.closed = False
        self._bytes = np.zeros(size_bytes, np.uint8)

    def view(self, shape: tuple[int, ...], dtype: Any) -> Any:
        return self._bytes.view(dtype).reshape(shape)

    def take(self, other: FakeMemory) -> None:
        self.taken.append(float(other._bytes.view(np.float32)[0]))

    def synchronize(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def install(monkeypatch: pytest.MonkeyPatch, trt: Any) -> Any:
    """Make it the library that Polygraphy speaks to."""
    from trt_core.backends.polygraphy_gate import polygraphy

    polygraphy()
    for module in ("config", "calibrator", "util"):
        monkeypatch.setattr(sys.modules[f"polygraphy.backend.trt.{module}"], "trt", trt)
    return trt
