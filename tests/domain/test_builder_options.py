"""What a compiler can be told beside the network: checked at birth, and part of an engine's id."""

from __future__ import annotations

from dataclasses import replace

import pytest

from trt_core.domain.artifacts import ArtifactKind
from trt_core.domain.capabilities import Capabilities
from trt_core.domain.codec import from_plain, to_plain
from trt_core.domain.engine import BuilderOptions, BuildRequest, Sm
from trt_core.domain.option_support import unsupported_option, why_not_dla, why_not_option
from trt_core.domain.precision import Precision, Recipe
from trt_core.domain.profiles import OptimizationProfile, range_from_text
from trt_core.errors import InvalidInput
from trt_core.services.context import content_id

GPU = Capabilities(
    backend="tensorrt",
    title="TensorRT 8.6.0 on a GPU",
    has_sparsity=True,
    has_refit=True,
    memory_pools=("tactic_dram",),
    tactic_sources=("JIT_CONVOLUTIONS",),
    plugins=("libfish.so",),
)


def request(**options) -> BuildRequest:
    profile = OptimizationProfile(ranges=(range_from_text("x=1x8:2x8:4x8"),))
    return BuildRequest(
        variant_id="v-0123456789ab",
        backend="tensorrt",
        target=Sm(major=8, minor=6),
        profiles=(profile,),
        options=BuilderOptions(**options),
    )


def build_id(wanted: BuildRequest) -> str:
    return content_id(ArtifactKind.BUILD, {"request": wanted.identity, "version": "10.7.0"})


def test_engines_that_were_stored_before_an_option_existed_keep_their_ids():
    first = {"optimization_level": 3, "workspace_mb": 512, "tf32": True, "timing_cache": "ab"}

    assert build_id(request()) == "b-4b11731fc844"
    assert build_id(request(**first, calibration="implicit")) == "b-da08686a34dd"


def test_a_recipe_that_was_stored_before_attention_could_be_quantized_keeps_its_id():
    recipe = Recipe(precision=Precision.INT8, data_sha256="d" * 64)
    first = {
        "precision": "int8", "rest": "fp16", "method": "entropy", "percentile": 99.99, "keep": [], "normalize": True,
        "data_sha256": "d" * 64,
    }  # fmt: skip

    assert recipe.identity == first
    assert replace(recipe, attention=True).identity == first | {"attention": True}
    assert replace(request(), calibrated=recipe).identity["calibrated"] == first


SWITCHES = [
    {"sparsity": True},
    {"refit": True},
    {"memory_pools_mb": (("tactic_dram", 64),)},
    {"tactic_sources": ("JIT_CONVOLUTIONS",)},
    {"dla_core": 0},
    {"plugins": ("libfish.so",)},
]


@pytest.mark.parametrize("options", SWITCHES)
def test_an_option_that_is_set_makes_another_engine(options):
    assert build_id(request(**options)) != build_id(request())
    assert from_plain(BuildRequest, to_plain(request(**options))) == request(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"memory_pools_mb": (("workspace", 64),)},
        {"memory_pools_mb": (("tactic_dram", 0),)},
        {"memory_pools_mb": (("tactic_dram", 1), ("tactic_dram", 2))},
        {"dla_core": -1},
        {"tactic_sources": ("CUBLAS,CUDNN",)},
        {"plugins": ("/tmp/libfish.so",)},
        {"plugins": ("..\\libfish.so",)},
    ],
)
def test_an_impossible_option_is_refused_at_birth(options):
    with pytest.raises(InvalidInput):
        BuilderOptions(**options)


def test_an_option_that_the_backend_has_is_let_through():
    wanted = BuilderOptions(
        sparsity=True,
        refit=True,
        memory_pools_mb=(("tactic_dram", 64),),
        tactic_sources=("JIT_CONVOLUTIONS",),
        plugins=("libfish.so",),
    )

    assert unsupported_option(wanted, GPU) == ""


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dla_core": 0}, "finds no DLA here"),
        ({"version_compatible": True}, "lean runtime"),
        ({"memory_pools_mb": (("dla_local_dram", 64),)}, "no memory pool 'dla_local_dram'"),
        ({"tactic_sources": ("CUDNN",)}, "no tactic source 'CUDNN' here. It has: JIT_CONVOLUTIONS."),
        ({"plugins": ("libother.so",)}, "no plugin library 'libother.so'"),
    ],
)
def test_an_option_that_it_lacks_is_refused_with_the_reason(options, said):
    assert said in unsupported_option(BuilderOptions(**options), GPU)


def test_a_core_beyond_the_last_is_refused():
    orin = Capabilities(backend="tensorrt", title="Orin", dla_cores=2)

    assert unsupported_option(BuilderOptions(dla_core=1), orin) == ""
    assert "has 2, counted from 0" in unsupported_option(BuilderOptions(dla_core=2), orin)


@pytest.mark.parametrize(
    ("precision", "runs"), [(Precision.FP16, True), (Precision.INT8, True), (Precision.BF16, False)]
)
def test_a_dla_runs_two_precisions(precision, runs):
    assert (why_not_dla(precision, BuilderOptions(dla_core=0)) == "") is runs
    assert why_not_dla(precision, BuilderOptions()) == ""


def test_options_without_effect_are_no_reason_to_refuse():
    bare = Capabilities(backend="rtx", title="A compiler")

    assert unsupported_option(BuilderOptions(optimization_level=5, timing_cache="ab"), bare) == ""
    assert "No effect" in why_not_option("optimization_level", bare)
