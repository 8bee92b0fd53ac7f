"""Builder switches and implicit calibration in the equivalent command lines."""

from __future__ import annotations

import argparse
from dataclasses import replace

import pytest

from tests.deploy.test_commands import NAMES, wish, words
from tests.deploy.trtexec_table import flags_of_major
from trt_core.cli.arguments import parser
from trt_core.cli.switches import switches
from trt_core.deploy.commands import cli_line
from trt_core.deploy.polygraphy import polygraphy_line
from trt_core.deploy.trtexec import trtexec_line
from trt_core.domain.engine import BuilderOptions
from trt_core.domain.precision import KeepRule, Precision

SWITCHED = BuilderOptions(
    tf32=True,
    sparsity=True,
    refit=True,
    memory_pools_mb=(("dla_local_dram", 64),),
    tactic_sources=("JIT_CONVOLUTIONS",),
    dla_core=0,
    plugins=("libfish.so",),
)


@pytest.mark.parametrize("release", ["8.6", "10.x"])
def test_every_switch_is_one_that_the_release_of_trtexec_has(release):
    line = words(trtexec_line(wish(Precision.FP16, options=SWITCHED), NAMES, release))

    assert {word.partition("=")[0] for word in line[1:]} <= flags_of_major(release)
    assert {"--sparsity=enable", "--refit", "--useDLACore=0", "--allowGPUFallback", "--fp16"} <= set(line)
    assert "--memPoolSize=dlaLocalDRAM:64M" in line
    assert "--tacticSources=-CUBLAS,-CUBLAS_LT,-CUDNN,-EDGE_MASK_CONVOLUTIONS,+JIT_CONVOLUTIONS" in line
    assert "--staticPlugins=libfish.so" in line
    assert not {"--noTF32", "--stronglyTyped"} & set(line)


def test_trtexec_11_has_fewer_tactic_sources_and_no_dla_for_its_strong_types():
    own = BuilderOptions(tactic_sources=("JIT_CONVOLUTIONS",))

    assert "--tacticSources=-EDGE_MASK_CONVOLUTIONS,+JIT_CONVOLUTIONS" in words(
        trtexec_line(wish(options=own), NAMES, "11.x")
    )
    assert "CUDNN" in trtexec_line(wish(options=BuilderOptions(tactic_sources=("CUDNN",))), NAMES, "11.x").refused
    assert "DLA" in trtexec_line(wish(options=BuilderOptions(dla_core=0)), NAMES, "11.x").refused


def test_a_pool_that_trtexec_cannot_limit_is_said_and_polygraphy_takes_it():
    spec = wish(options=BuilderOptions(memory_pools_mb=(("tactic_dram", 64),)))

    assert "tactic_dram" in trtexec_line(spec, NAMES, "10.x").refused
    assert "tactic_dram:64M" in words(polygraphy_line(spec, NAMES))


def test_implicit_calibration_is_the_fp32_file_with_its_cache():
    kept = (KeepRule(node="fc", precision=Precision.FP16),)
    spec = wish(options=BuilderOptions(calibration="implicit"), keep=kept)

    for release in ("8.6", "10.x"):
        line = words(trtexec_line(spec, NAMES, release))
        assert {"--int8", "--fp16", "--calib=calibration.cache", "--layerPrecisions=fc:fp16"} <= set(line)
        assert "--stronglyTyped" not in line
        assert {word.partition("=")[0] for word in line[1:]} <= flags_of_major(release)
    assert "no implicit calibration" in trtexec_line(spec, NAMES, "11.x").refused
    poly = words(polygraphy_line(spec, NAMES))
    assert poly[poly.index("--calibration-cache") + 1] == "calibration.cache"
    assert "--strongly-typed" not in poly


def test_our_own_line_gives_every_switch_back():
    line = words(cli_line(wish(options=replace(SWITCHED, calibration="implicit")), NAMES))
    options = parser().parse_args(line[3:])

    assert BuilderOptions(**switches(options), calibration=options.calibration) == replace(
        SWITCHED, calibration="implicit"
    )


def test_polygraphy_itself_understands_the_switches():
    from polygraphy.tools.convert import Convert

    found = words(polygraphy_line(wish(Precision.FP16, options=SWITCHED), NAMES))
    grammar = argparse.ArgumentParser()
    Convert().setup_parser(grammar.add_subparsers())
    options = grammar.parse_args(found[1:])

    assert (options.sparse_weights, options.refittable, options.use_dla, options.allow_gpu_fallback) == (True,) * 4
    assert options.plugins == ["libfish.so"]


@pytest.mark.parametrize(("cache", "flag"), [("off", "--noBuilderCache"), ("ab12", "--timingCacheFile=timing.cache")])
def test_timing_every_tactic_anew_is_not_a_cache_of_that_name(cache, flag):
    spec = wish(options=BuilderOptions(timing_cache=cache))

    for release in ("8.6", "10.x", "11.x"):
        assert flag in words(trtexec_line(spec, NAMES, release))
        assert flag.partition("=")[0] in flags_of_major(release)
    assert ("--load-timing-cache" in words(polygraphy_line(spec, NAMES))) is (cache != "off")
    line = words(cli_line(spec, NAMES))
    assert line[line.index("--timing-cache") + 1] == ("off" if cache == "off" else "timing.cache")
