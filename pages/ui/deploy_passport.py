"""The passport of an engine, as a card."""

from __future__ import annotations

import streamlit as st

from pages.ui import text
from pages.ui.frame import Metric, metrics, verdict
from pages.ui.tables import show_table
from pages.ui.theme import PRECISION_LABELS
from trt_core.deploy.names import tag_of
from trt_core.domain.passport import Passport
from trt_core.workbench import Workbench


def show_passport(bench: Workbench, passport: Passport) -> None:
    """The verdict, the four facts that decide where it loads, and the rest behind a click."""
    home = bench.deploy.target_of_home(passport)
    answer = bench.deploy.will_it_load(passport.build_id, home)
    place = text.plain(home.name)
    if passport.backend == "rtx":
        verdict("This plan runs in TensorRT-RTX only. For Triton it is built anew on the target.")
    elif answer.loads:
        verdict(f"This engine loads in {place}.")
    elif answer.loads is None:
        verdict(f"Whether this engine loads in {place} cannot be told.")
    else:
        verdict(f"No known Triton image has this engine's TensorRT. The newest is {place}.")
    library = "TensorRT-RTX" if passport.backend == "rtx" else "TensorRT"
    where = "read from the plan's header" if passport.header else "from the build's record"
    metrics(
        [
            Metric(label=library, value=passport.tensorrt or "–", how=f"The version that built it, {where}."),
            Metric(label="Architecture", value=", ".join(map(str, passport.targets)) or "–", how=passport.gpu),
            Metric(label="Precision", value=PRECISION_LABELS[passport.precision], how="As asked for."),
            Metric(label="Size", value=text.mebibytes(passport.engine_bytes)),
        ]
    )
    st.caption(f"Tag {text.code(tag_of(passport), 120)}")
    with st.expander("The whole passport"):
        show_table(_rows(passport), key="deploy.passport", filename=f"{passport.build_id}.passport.csv")


def _rows(passport: Passport) -> list[dict[str, str]]:
    facts = {
        "Model sha256": passport.model_sha256,
        "Engine sha256": passport.engine_sha256,
        "GPU": passport.gpu,
        "Driver": passport.driver,
        "CUDA": passport.cuda,
        "Operating system": passport.os,
        "Version-compatible": "yes" if passport.version_compatible else "no",
        "Hardware compatibility": passport.hardware_compatibility or "none",
        "Plugins": ", ".join(passport.plugins) or "none",
    }
    for role, specs in (("Input", passport.inputs), ("Output", passport.outputs)):
        formats = dict(passport.formats)
        for spec in specs:
            shape = f"{spec.dtype} {spec.shape_text()}"
            facts[f"{role} {spec.name}"] = f"{shape}, {formats[spec.name]}" if spec.name in formats else shape
    for number, profile in enumerate(passport.profiles):
        for item in profile.ranges:
            sizes = " … ".join("×".join(map(str, shape)) for shape in (item.min, item.opt, item.max))
            facts[f"Profile {number + 1}, {item.tensor}"] = f"{sizes} (min … opt … max)"
    return [{"Fact": name, "Value": value or "not recorded"} for name, value in facts.items()]
