"""The living summary beside the build form: what will happen, the profiles drawn, the same wish for other tools."""

from __future__ import annotations

from functools import partial
from pathlib import PurePath

import streamlit as st

from pages.ui import text
from pages.ui.build_form import BuildWish
from pages.ui.findings import show_findings
from pages.ui.links import link_to
from pages.ui.profile_bars import show_profiles
from pages.ui.tabs import show_tabs
from pages.ui.theme import PRECISION_LABELS
from trt_core.deploy.command_words import CommandLine, FileNames
from trt_core.deploy.commands import command_lines
from trt_core.domain.artifacts import ModelRecord
from trt_core.domain.precision import Recipe
from trt_core.domain.requests import BuildSpec
from trt_core.services.outlook import BuildOutlook
from trt_core.workbench import Workbench


def show_summary(bench: Workbench, model: ModelRecord, wish: BuildWish) -> None:
    """Draw the summary of what the form holds now."""
    with st.container(border=True):
        st.markdown("**What will happen**")
        if wish.spec is None:
            st.caption("The form is not complete yet: its fields or its button say what is missing.")
        else:
            outlook = bench.outlook.of_build(wish.spec)
            st.markdown("\n".join(f"1. {sentence}" for sentence in _steps(wish.spec, wish, outlook)))
            _expect(outlook)
            if outlook.findings:
                show_findings(outlook.findings)
    if wish.rows and all(low <= opt <= high for sizes in wish.rows for low, opt, high in sizes.values()):
        st.markdown("**Profiles**")
        show_profiles(wish.rows)
    if wish.spec is not None:
        st.markdown("**The same for other tools**")
        _commands(model, wish.spec, wish)


def _steps(spec: BuildSpec, wish: BuildWish, outlook: BuildOutlook) -> list[str]:
    recipe = spec.variant.recipe
    if spec.is_implicit:
        return [*_implicit_steps(recipe, wish), *_last_steps(spec)]
    data = wish.data
    wanted = PRECISION_LABELS[recipe.precision]
    steps = []
    if outlook.has_variant:
        steps.append(f"Take the {wanted} variant that the store has.")
    else:
        if recipe.normalize:
            steps.append("Fold BatchNormalization and constants, and give every node a unique name.")
        if recipe.needs_data and data is not None:
            samples = text.counted(data.samples, "sample")
            steps.append(
                f"Calibrate on {samples} of {text.code(data.name, 40)} ({recipe.method.value}), FP32 on the CPU."
            )
        kept = f", {text.counted(len(recipe.keep), 'node')} kept higher" if recipe.keep else ""
        rest = f", the rest in {PRECISION_LABELS[recipe.rest]}" if recipe.precision.is_quantized else ""
        steps.append(f"Write the {wanted} variant{rest}{kept}.")
    return steps + _last_steps(spec)


def _implicit_steps(recipe: Recipe, wish: BuildWish) -> list[str]:
    """TensorRT starts from the FP32 file and takes INT8 where it is faster."""
    steps = ["Fold BatchNormalization and constants, and give every node a unique name."] if recipe.normalize else []
    if wish.cache is not None:
        steps.append(f"Take the scales out of {text.code(wish.cache.name, 40)}; no samples are run.")
    elif wish.data is not None:
        samples = text.counted(wish.data.samples, "sample")
        steps.append(f"Calibrate on {samples} of {text.code(wish.data.name, 40)} ({recipe.method.value}), in TensorRT.")
    others = PRECISION_LABELS[recipe.rest]
    return [*steps, f"Let TensorRT choose which layers run in INT8; the others in {others}, where that is faster."]


def _last_steps(spec: BuildSpec) -> list[str]:
    steps = []
    profiles = f" for {text.counted(len(spec.profiles), 'optimization profile')}" if spec.profiles else ""
    steps.append(f"Compile it for {spec.target or 'the GPU of this machine'}{profiles}, in a process of its own.")
    steps.append("Map every node to the engine layers, from the compiler's own record.")
    return steps


def _expect(outlook: BuildOutlook) -> None:
    if outlook.stored is not None:
        st.success("The store has this engine: the answer comes at once.", icon=":material/bolt:")
        link_to("fusion", label="Open its fusion map", changes={"build": outlook.stored.id})
    elif outlook.expected_s is None:
        st.caption("Expected time: no build of this model yet, so there is nothing to tell it from.")
    else:
        st.caption(f"Expected time: about {text.seconds(outlook.expected_s)}, the median of {outlook.based_on}.")


def _commands(model: ModelRecord, spec: BuildSpec, wish: BuildWish) -> None:
    lines = command_lines(spec, _names(model, spec, wish))
    show_tabs({line.tool: partial(_command, line) for line in lines}, key="build.tool", name="tool")


def _command(line: CommandLine) -> None:
    if line.refused:
        st.info(text.plain(line.refused))
    else:
        st.code(text.cell(line.text), language="bash", wrap_lines=True)
        st.caption(line.note)


def _names(model: ModelRecord, spec: BuildSpec, wish: BuildWish) -> FileNames:
    stem = PurePath(model.name).stem
    precision = spec.variant.recipe.precision.value
    file = "fp32" if spec.is_implicit else precision
    return FileNames(
        model=f"{stem}.onnx",
        variant=f"{stem}.{file}.onnx",
        engine=f"{stem}.{precision}.engine",
        data=PurePath(wish.data.name).name if wish.data else "calibration.npz",
        calibration=PurePath(wish.cache.name).name if wish.cache else "calibration.cache",
    )
