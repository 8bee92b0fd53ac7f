"""Builder options as the library takes them, over a configuration that remembers, or forgets as the real one can."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from trt_core.backends.tensorrt import meter, observer, runner
from trt_core.backends.tensorrt import options as told
from trt_core.backends.tensorrt.compiler import TrtCompiler
from trt_core.backends.tensorrt.meter import TrtMeter
from trt_core.backends.tensorrt.observer import TrtObserver
from trt_core.backends.tensorrt.options import configure, dla_answer, installed_sources
from trt_core.backends.tensorrt.plugins import chosen_plugins, plugin_libraries
from trt_core.backends.tensorrt.runner import TrtRunner
from trt_core.domain.engine import BuilderOptions
from trt_core.domain.latency import LatencyRequest
from trt_core.errors import BackendError, UnsupportedRequest
from trt_core.testing import CollectingReporter

SOURCES = {"CUBLAS": 0, "CUBLAS_LT": 1, "CUDNN": 2, "EDGE_MASK_CONVOLUTIONS": 3, "JIT_CONVOLUTIONS": 4}


def names(*members: str) -> SimpleNamespace:
    return SimpleNamespace(**{name: name for name in members})


def library(version: str = "10.16.1") -> SimpleNamespace:
    return SimpleNamespace(
        __name__="tensorrt",
        __version__=version,
        ProfilingVerbosity=names("DETAILED"),
        BuilderFlag=names("TF32", "SPARSE_WEIGHTS", "REFIT", "GPU_FALLBACK", "VERSION_COMPATIBLE"),
        MemoryPoolType=names("WORKSPACE", "TACTIC_DRAM", "DLA_LOCAL_DRAM"),
        TacticSource=SimpleNamespace(__members__=SOURCES),
        DeviceType=names("DLA"),
        PreviewFeature=names("PROFILE_SHARING_0806"),
    )


class Config:
    """A builder configuration; `deaf` names what it drops in silence."""

    def __init__(self, *deaf: str) -> None:
        self.deaf = deaf
        self.flags: set[str] = set()
        self.pools: dict[str, int] = {}
        self.sources = 0
        self.DLA_core = -1

    def set_flag(self, flag: str) -> None:
        self.flags |= set() if flag in self.deaf else {flag}

    def clear_flag(self, flag: str) -> None:
        self.flags.discard(flag)

    def get_flag(self, flag: str) -> bool:
        return flag in self.flags

    def set_memory_pool_limit(self, pool: str, size: int) -> None:
        self.pools[pool] = 0 if pool in self.deaf else size

    def get_memory_pool_limit(self, pool: str) -> int:
        return self.pools[pool]

    def set_tactic_sources(self, mask: int) -> None:
        self.sources = mask

    def get_tactic_sources(self) -> int:
        return self.sources

    def set_preview_feature(self, name: str, wanted: object) -> None:
        pass


def test_every_switch_reaches_the_library():
    config = Config()
    wanted = BuilderOptions(
        sparsity=True,
        refit=True,
        memory_pools_mb=(("tactic_dram", 2), ("dla_local_dram", 3)),
        tactic_sources=("CUBLAS", "JIT_CONVOLUTIONS"),
        dla_core=1,
    )

    notes = configure(library(), config, wanted)

    assert config.flags == {"SPARSE_WEIGHTS", "REFIT", "GPU_FALLBACK"}
    assert config.pools == {"TACTIC_DRAM": 2 << 20, "DLA_LOCAL_DRAM": 3 << 20}
    assert config.sources == 0b10001
    assert (config.default_device_type, config.DLA_core) == ("DLA", 1)
    assert [note.rule for note in notes] == ["dla-with-gpu-fallback"]


def test_nothing_is_told_that_was_not_asked_for():
    config = Config()

    assert configure(library(), config, BuilderOptions()) == ()
    assert (config.flags, config.pools, config.sources, config.DLA_core) == (set(), {}, 0, -1)


@pytest.mark.parametrize(
    ("deaf", "wanted"),
    [
        ("SPARSE_WEIGHTS", BuilderOptions(sparsity=True)),
        ("TACTIC_DRAM", BuilderOptions(memory_pools_mb=(("tactic_dram", 2),))),
    ],
)
def test_what_the_library_drops_in_silence_is_refused_aloud(deaf, wanted):
    with pytest.raises(UnsupportedRequest, match="TensorRT refused"):
        configure(library(), Config(deaf), wanted)


def test_a_tactic_source_that_a_version_does_not_have_is_refused():
    with pytest.raises(UnsupportedRequest, match="no tactic source 'CUSPARSE'"):
        configure(library(), Config(), BuilderOptions(tactic_sources=("CUSPARSE",)))


def test_sources_without_their_libraries_are_not_offered(monkeypatch):
    monkeypatch.setattr(told, "real_library", lambda name, _function: name.startswith("libcublas.so"))

    assert installed_sources(library()) == ["CUBLAS", "EDGE_MASK_CONVOLUTIONS", "JIT_CONVOLUTIONS"]


def test_plugin_libraries_are_chosen_by_name_out_of_the_configured_folder(tmp_path):
    for name in ("libfish.so", "libfowl.so.2", "readme.txt"):
        (tmp_path / name).touch()
    configured = plugin_libraries([tmp_path])

    assert TrtCompiler(plugins=[tmp_path]).capabilities().plugins == ("libfish.so", "libfowl.so.2")
    assert chosen_plugins((), configured) == (tmp_path / "libfish.so", tmp_path / "libfowl.so.2")
    assert chosen_plugins(("libfowl.so.2",), configured) == (tmp_path / "libfowl.so.2",)
    with pytest.raises(UnsupportedRequest, match=r"names no plugin library 'libother\.so'"):
        chosen_plugins(("libother.so",), configured)


@pytest.mark.parametrize("place", [meter, observer, runner])
def test_whatever_loads_an_engine_loads_the_configured_plugins_before(tmp_path, monkeypatch, place):
    (tmp_path / "libfish.so").touch()
    loaded = []

    def engine(_path):
        raise BackendError(f"after {loaded}")

    monkeypatch.setattr(place, "load_plugins", loaded.extend)
    monkeypatch.setattr(place, "load_engine", engine)
    monkeypatch.setattr(place, "this_gpu", lambda: None)
    loads = {
        meter: lambda: TrtMeter(plugins=[tmp_path]).measure(
            Path("a"), {}, LatencyRequest(), reporter=CollectingReporter()
        ),
        observer: lambda: TrtObserver(plugins=[tmp_path]).load(Path("a")),
        runner: lambda: TrtRunner(plugins=[tmp_path]).session(Path("a")),
    }
    with pytest.raises(BackendError, match=r"after .*libfish\.so"):
        loads[place]()


def test_what_the_dla_takes_is_counted_and_what_it_leaves_is_named():
    layers = [SimpleNamespace(name=name) for name in ("conv", "softmax", "resize")]
    network = SimpleNamespace(num_layers=3, get_layer=layers.__getitem__)

    found = dla_answer(network, SimpleNamespace(can_run_on_DLA=lambda layer: layer.name == "conv"))
    assert found.message == "The DLA takes 1 of 3 layers of the network."
    assert found.nodes == ("softmax", "resize")
    assert found.remedy

    every = dla_answer(network, SimpleNamespace(can_run_on_DLA=lambda _: True))
    assert (every.nodes, every.remedy) == ((), "")
