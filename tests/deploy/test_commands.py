"""Equivalent command lines: the same wish, said to other tools."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from trt_core.cli.arguments import parser
from trt_core.cli.wishes import _keep, _profiles
from trt_core.deploy.command_words import FileNames
from trt_core.deploy.commands import cli_line, command_lines
from trt_core.deploy.polygraphy import polygraphy_line
from trt_core.deploy.trtexec import trtexec_line
from trt_core.domain.engine import BuilderOptions, Sm
from trt_core.domain.precision import KeepRule, Precision, Recipe
from trt_core.domain.profiles import OptimizationProfile, ShapeRange, profile_from_texts
from trt_core.domain.requests import BuildSpec, QuantizeSpec

NAMES = FileNames(model="net.onnx", variant="net.int8.onnx", engine="net.engine", data="calibration.npz")
SMALL = OptimizationProfile(ranges=(ShapeRange(tensor="x", min=(1, 3), opt=(4, 3), max=(8, 3)),))
LARGE = OptimizationProfile(ranges=(ShapeRange(tensor="x", min=(8, 3), opt=(16, 3), max=(32, 3)),))


def wish(precision=Precision.INT8, *, profiles=(SMALL,), options=None, **recipe):
    return BuildSpec(
        variant=QuantizeSpec(model_id="m-1", recipe=Recipe(precision=precision, **recipe), data_id="n-1"),
        target=Sm(major=8, minor=6),
        profiles=profiles,
        options=options or BuilderOptions(),
    )


def words(line):
    return shlex.split(line.text)


def test_our_own_line_is_understood_by_our_own_grammar():
    kept = (KeepRule(node="a=b", precision=Precision.FP32),)

    line = cli_line(wish(profiles=(SMALL, LARGE), keep=kept, normalize=False), NAMES)

    program = words(line)
    assert program[:3] == ["python", "-m", "trt_core"]
    options = parser().parse_args(program[3:])
    assert _profiles(options.profile_words) == (SMALL, LARGE)
    assert tuple(_keep(text) for text in options.keep) == kept
    assert (options.precision, options.rest, options.sm, options.no_normalize) == ("int8", "fp16", "86", True)


def test_names_from_a_model_stay_one_word_in_every_shell_line():
    evil = "x; rm -rf $HOME `id` '\n"
    profile = OptimizationProfile(ranges=(ShapeRange(tensor=evil, min=(1,), opt=(1,), max=(1,)),))
    kept = (KeepRule(node="--output=" + evil, precision=Precision.FP16),)

    for line in command_lines(wish(profiles=(profile,), keep=kept), FileNames(model="-rf.onnx", variant=evil)):
        found = words(line)
        assert "rm" not in found
        assert any(evil in word for word in found)


def test_trtexec_10_takes_precision_from_the_file():
    line = trtexec_line(wish(), NAMES, "10.x")

    assert "--stronglyTyped" in words(line)
    assert not {"--fp16", "--int8"} & set(words(line))
    assert "--minShapes=x:1x3" in words(line)


def test_trtexec_11_needs_no_flag_for_strong_typing():
    assert "--stronglyTyped" not in words(trtexec_line(wish(), NAMES, "11.x"))


def test_trtexec_8_6_is_told_by_flags_what_the_file_needs():
    assert {"--fp16", "--int8"} <= set(words(trtexec_line(wish(), NAMES, "8.6")))
    assert "--fp16" not in words(trtexec_line(wish(rest=Precision.FP32), NAMES, "8.6"))


@pytest.mark.parametrize("precision", [Precision.BF16, Precision.FP8, Precision.INT4])
def test_trtexec_8_6_refuses_formats_that_came_later(precision):
    line = trtexec_line(wish(precision), NAMES, "8.6")

    assert line.text == ""
    assert precision.value.upper() in line.refused


def test_values_of_a_shape_tensor_stand_in_every_line_and_are_read_back():
    spec = wish(profiles=(profile_from_texts(["x=1x4:2x4:8x4", "size=[1x4]:[4x4]:[8x4]"]),))

    options = parser().parse_args(words(cli_line(spec, NAMES))[3:])

    assert _profiles(options.profile_words) == spec.profiles
    assert "--minShapes=x:1x4,size:1x4" in words(trtexec_line(spec, NAMES, "10.x"))
    assert " ".join(words(polygraphy_line(spec, NAMES))).count("x:[8,4] size:[8,4]") == 1


def test_several_profiles_are_numbered_and_too_many_for_8_6():
    spec = wish(profiles=(SMALL, LARGE))

    line = words(trtexec_line(spec, NAMES, "11.x"))

    assert line.index("--profile=0") < line.index("--minShapes=x:1x3") < line.index("--profile=1")
    assert "one optimization profile" in trtexec_line(spec, NAMES, "8.6").refused


def test_a_tensor_name_with_a_colon_is_quoted_the_way_trtexec_wants():
    profile = OptimizationProfile(ranges=(ShapeRange(tensor="in:0", min=(1,), opt=(1,), max=(1,)),))

    assert "--minShapes='in:0':1" in words(trtexec_line(wish(profiles=(profile,)), NAMES, "10.x"))


@pytest.mark.parametrize(("precision", "allowed"), [(Precision.TF32, True), (Precision.FP32, False)])
def test_tf32_is_off_unless_it_was_asked_for(precision, allowed):
    spec = wish(precision)

    assert ("--noTF32" in words(trtexec_line(spec, NAMES, "11.x"))) is not allowed
    assert ("--tf32" in words(polygraphy_line(spec, NAMES))) is allowed


def test_polygraphy_gets_one_triple_of_shapes_a_profile():
    line = words(polygraphy_line(wish(profiles=(SMALL, LARGE)), NAMES))

    assert line.count("--trt-opt-shapes") == 2
    assert "x:[16,3]" in line


def test_builder_options_reach_every_line():
    options = BuilderOptions(optimization_level=4, workspace_mb=512, version_compatible=True)

    for line in command_lines(wish(options=replace(options, hardware_compatibility="ampere_plus")), NAMES):
        assert "512" in line.text
        assert "4" in line.text
        assert "ersion" in line.text
        assert "ampere" in line.text
