"""Builder options as the library takes them, over a configuration that remembers, or forgets as the real one can."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.backends.tensorrt.library import Config, DeafTo, builder_of, install, library, members
from trt_core.backends.tensorrt import meter, observer, runner
from trt_core.backends.tensorrt import options as told
from trt_core.backends.tensorrt.compiler import TrtCompiler
from trt_core.backends.tensorrt.meter import TrtMeter
from trt_core.backends.tensorrt.observer import TrtObserver
from trt_core.backends.tensorrt.options import create_config, dla_answer, installed_sources
from trt_core.backends.tensorrt.plugins import chosen_plugins, plugin_libraries
from trt_core.backends.tensorrt.runner import TrtRunner
from trt_core.domain.engine import BuilderOptions
from trt_core.domain.latency import LatencyRequest
from trt_core.domain.precision import Precision
from trt_core.errors import BackendError, UnsupportedRequest
from trt_core.testing import CollectingReporter


@pytest.fixture
def told_to(monkeypatch):
    """Options into a configuration of a version: through Polygraphy, whose library it is, too."""

    def configure(wanted: BuilderOptions, *, version: str = "10.16.1", config: Config | None = None, **more):
        return create_config(install(monkeypatch, library(version)), builder_of(config or Config()), wanted, **more)

    return configure


def test_every_switch_reaches_the_library(told_to):
    wanted = BuilderOptions(
        sparsity=True,
        refit=True,
        tf32=True,
        version_compatible=True,
        optimization_level=2,
        hardware_compatibility="ampere_plus",
        workspace_mb=1,
        memory_pools_mb=(("tactic_dram", 2), ("dla_local_dram", 3)),
        tactic_sources=("CUBLAS", "JIT_CONVOLUTIONS", "cublas"),
        dla_core=1,
    )

    config, notes = told_to(wanted, precisions={Precision.FP16, Precision.INT8}, constraints="obey")

    assert config.flags == {
        "SPARSE_WEIGHTS", "REFIT", "TF32", "VERSION_COMPATIBLE", "GPU_FALLBACK",
        "FP16", "INT8", "OBEY_PRECISION_CONSTRAINTS",
    }  # fmt: skip
    assert config.pools == {"WORKSPACE": 1 << 20, "TACTIC_DRAM": 2 << 20, "DLA_LOCAL_DRAM": 3 << 20}
    assert config.sources == 0b10001
    assert (config.default_device_type.name, config.DLA_core) == ("DLA", 1)
    assert (config.builder_optimization_level, config.hardware_compatibility_level.name) == (2, "AMPERE_PLUS")
    assert config.profiling_verbosity.name == "DETAILED"
    assert [note.rule for note in notes] == ["dla-with-gpu-fallback"]


def test_nothing_is_told_that_was_not_asked_for(told_to):
    config, notes = told_to(BuilderOptions())

    assert notes == ()
    assert (config.flags, config.pools, config.sources, config.features) == (set(), {}, -1, {})
    assert config.DLA_core == -1


def test_on_8_6_profiles_are_shared_and_its_other_preview_features_stay_as_they_are(told_to, monkeypatch):
    monkeypatch.setattr(told, "real_library", lambda name, _function: name.startswith("libcublas.so"))

    config, notes = told_to(BuilderOptions(), version="8.6.0")

    assert config.features == {"PROFILE_SHARING_0806": True}
    assert config.sources == 0b11001
    assert [note.message for note in notes] == [
        "Tactics of CUDNN, CUBLAS_LT are not tried: their libraries are not installed."
    ]


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        (Config("SPARSE_WEIGHTS"), BuilderOptions(sparsity=True)),
        (Config("REFIT"), BuilderOptions(refit=True)),
        (Config("TF32"), BuilderOptions(tf32=True)),
        (Config("VERSION_COMPATIBLE"), BuilderOptions(version_compatible=True)),
        (Config("GPU_FALLBACK"), BuilderOptions(dla_core=0)),
        (Config("TACTIC_DRAM"), BuilderOptions(memory_pools_mb=(("tactic_dram", 2),))),
        (Config("WORKSPACE"), BuilderOptions(workspace_mb=2)),
        (Config("SOURCES"), BuilderOptions(tactic_sources=("CUBLAS",))),
        (DeafTo("builder_optimization_level", 3), BuilderOptions(optimization_level=5)),
        (DeafTo("hardware_compatibility_level", 0), BuilderOptions(hardware_compatibility="ampere_plus")),
        (DeafTo("DLA_core", -1), BuilderOptions(dla_core=0)),
    ],
)
def test_what_the_library_drops_in_silence_is_refused_aloud(told_to, config, wanted):
    with pytest.raises(UnsupportedRequest, match="TensorRT refused"):
        told_to(wanted, config=config)


def test_precisions_that_the_library_drops_in_silence_are_refused_aloud(told_to):
    with pytest.raises(UnsupportedRequest, match="TensorRT refused INT8"):
        told_to(BuilderOptions(), config=Config("INT8"), precisions={Precision.INT8})


def test_a_flag_that_a_version_lacks_is_refused_with_the_versions_that_have_it(monkeypatch):
    trt = install(monkeypatch, library("11.4.0"))
    trt.BuilderFlag = members("BuilderFlag", "TF32")
    with pytest.raises(UnsupportedRequest, match=r"11\.4\.0 has no BuilderFlag\.FP16.*TensorRT 8\.6, TensorRT 10\.16"):
        create_config(trt, builder_of(Config()), BuilderOptions(), precisions={Precision.FP16})


def test_a_tactic_source_that_a_version_does_not_have_is_refused(told_to):
    with pytest.raises(UnsupportedRequest, match="no tactic source 'CUSPARSE'"):
        told_to(BuilderOptions(tactic_sources=("CUSPARSE",)))


def test_kept_timings_are_read_from_their_file(told_to, tmp_path):
    (tmp_path / "kept").write_bytes(b"timings")
    with (tmp_path / "kept").open("rb") as file:
        config, _ = told_to(BuilderOptions(), timings=file)
    assert config.timings.data == b"timings"
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]  # no lock beside it


def test_the_configuration_is_polygraphy_s(told_to, monkeypatch):
    monkeypatch.setattr("polygraphy.backend.trt.CreateConfig.call_impl", lambda *_: "its own")
    monkeypatch.setattr(told, "version_of", lambda _: (10, 0))

    assert told_to(BuilderOptions())[0] == "its own"


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
