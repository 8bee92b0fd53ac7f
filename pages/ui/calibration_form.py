"""How INT8 ranges are chosen: Q/DQ pairs in the file, or TensorRT's own calibration from samples or from a cache."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import PurePath
from typing import Any

import streamlit as st

from pages.ui import text
from pages.ui.expanders import show_expander
from pages.ui.findings import show_findings
from pages.ui.save import save_button
from pages.ui.tables import show_table
from trt_core.deploy.command_words import FileNames
from trt_core.deploy.commands import cli_line
from trt_core.domain.artifacts import CacheRecord, ModelRecord
from trt_core.domain.capabilities import Capabilities
from trt_core.domain.engine import BuilderOptions
from trt_core.domain.option_support import why_not_option
from trt_core.domain.precision import Precision, Recipe, TensorRange
from trt_core.domain.requests import BuildSpec, QuantizeSpec
from trt_core.errors import InvalidInput
from trt_core.services.calibration_caches import CacheView
from trt_core.workbench import Workbench

_EXPLICIT, _IMPLICIT = "Q/DQ pairs in the file", "TensorRT, implicitly"
_WANTED = "build.cache_wanted"
_SAMPLES, _CACHE = "Samples", "A calibration cache"


def wants_implicit(capabilities: Capabilities, precision: Precision) -> bool:
    """True when TensorRT is to calibrate by itself; where it cannot, the reason is said."""
    if precision is not Precision.INT8:
        return False
    if reason := why_not_option("calibration", capabilities):
        st.caption(f"Implicit calibration is not here: {text.plain(reason)}")
        return False
    chosen = st.segmented_control(
        "Ranges are written by",
        [_EXPLICIT, _IMPLICIT],
        default=_EXPLICIT,
        key="build.calibration",
        help="Q/DQ pairs say which layers are quantized, and the engine follows. Implicitly the library starts from "
        "the FP32 file and takes INT8 only where it is faster; TensorRT 11 no longer has this.",
    )
    return bool(chosen == _IMPLICIT)


def implicitly(options: BuilderOptions, cache_id: str, *, has_data: bool) -> dict[str, Any]:
    """What these fields hold for a build with such options, by their keys."""
    fields: dict[str, Any] = {"build.calibration": _IMPLICIT if options.calibration == "implicit" else _EXPLICIT}
    if has_data:
        fields["build.scales"] = _CACHE if cache_id else _SAMPLES
    return fields | ({_WANTED: cache_id} if cache_id else {})


def pick_cache(bench: Workbench, model: ModelRecord) -> tuple[CacheRecord | None, bool]:
    """The calibration cache that stands in for samples, and whether one is wanted."""
    chosen = st.segmented_control(
        "Scales come from", [_SAMPLES, _CACHE], default=_SAMPLES, key="build.scales", help="A cache runs no data."
    )
    if chosen != _CACHE:
        return None, False
    record = _choose(bench, model)
    show_expander(
        "Upload a calibration cache",
        partial(_upload, bench, model),
        key="build.cache_file",
        icon=":material/upload:",
    )
    if record is not None:
        if record.findings:
            show_findings(record.findings)
        ranges = partial(_show_ranges, bench, record)
        show_expander("Its ranges", ranges, key="build.cache_ranges", icon=":material/table_rows:")
    return record, True


def cache_shelf(bench: Workbench, model: ModelRecord, recipe: Recipe) -> None:
    """The model's calibration caches where no backend calibrates: looked at, brought in, and the line that uses one."""
    if found := bench.caches.caches(model.id):
        st.caption(f"{text.counted(len(found), 'calibration cache')} of this model: not for this backend.")
    shelf = partial(_shelf, bench, model, recipe)
    # No count in the label: with another label it is another box, and folded.
    show_expander("Calibration caches of this model", shelf, key="build.caches", icon=":material/table_rows:")


def _shelf(bench: Workbench, model: ModelRecord, recipe: Recipe) -> None:
    record = _choose(bench, model)
    if record is not None:
        _show_ranges(bench, record)
        st.caption("On a GPU host with TensorRT 8.6 or 10:")
        st.code(text.cell(_line(model, record, recipe)), language="bash", wrap_lines=True)
    _upload(bench, model)


def _show_ranges(bench: Workbench, record: CacheRecord) -> None:
    show_cache(bench.caches.view(record.id), key="build.cache", filename=record.id)


def _line(model: ModelRecord, record: CacheRecord, recipe: Recipe) -> str:
    variant = QuantizeSpec(model_id=model.id, recipe=replace(recipe, method=record.method), data_id=record.id)
    spec = BuildSpec(variant=variant, backend="tensorrt", options=BuilderOptions(calibration="implicit"))
    stem = PurePath(model.name).stem
    names = FileNames(model=f"{stem}.onnx", engine=f"{stem}.int8.engine", calibration=PurePath(record.name).name)
    return cli_line(spec, names).text


def _choose(bench: Workbench, model: ModelRecord) -> CacheRecord | None:
    found = {record.id: record for record in bench.caches.caches(model.id)}
    key = f"build.{model.id}.cache"
    wanted = st.session_state.pop(_WANTED, st.session_state.get(key))
    st.session_state[key] = wanted if wanted in found else next(iter(found), None)
    picked = st.selectbox(
        "Calibration cache",
        list(found),
        key=key,
        format_func=lambda item: _title(found[item]),
        placeholder="None yet: upload one, or bring that of a build here",
    )
    return found.get(picked or "")


def _title(record: CacheRecord) -> str:
    scaled = record.tensors - record.without_scale
    return f"{text.clean(record.name, 40)} · TensorRT {record.version} · {record.method.value} · {scaled} scales"


def _upload(bench: Workbench, model: ModelRecord) -> None:
    file = st.file_uploader(
        "A text that begins with TRT-…; a calibrator or trtexec --calib wrote it",
        key="build.cache_upload",
        max_upload_size=16,
    )
    if file is not None and st.button("Use this cache", key="build.cache_add"):
        try:
            record = bench.caches.add(file, name=file.name, model_id=model.id)
        except InvalidInput as error:
            st.error(text.plain(str(error)), icon=":material/error:")
            return
        offer_cache(record)
        st.rerun()


def offer_cache(record: CacheRecord) -> None:
    """Let the form's list of caches begin with this one at the next run."""
    st.session_state[_WANTED] = record.id


def show_cache(view: CacheView, *, key: str, filename: str) -> None:
    """A cache as a table of tensor ranges, with the file itself for download."""
    cache = view.cache
    st.caption(
        f"{text.counted(len(cache.ranges), 'tensor')} with a scale, {len(cache.without_scale)} without: these stay out "
        f"of INT8. {text.plain(cache.algorithm)}; ranges are symmetric, the largest magnitude is 127 scales."
    )
    rows = range_rows(cache.ranges) + [_without(name) for name in cache.without_scale]
    show_table(rows, key=f"{key}.ranges", filename=f"{filename}-ranges.csv", height=420)
    save_button(
        "Calibration cache",
        lambda: view.text,
        filename=f"{filename}.calib",
        mime="text/plain",
        key=f"{key}.download",
    )


def range_rows(ranges: tuple[TensorRange, ...]) -> list[dict[str, Any]]:
    """Ranges as plain values."""
    return [{"tensor": item.tensor, "low": item.low, "high": item.high, "scale": item.scale} for item in ranges]


def _without(name: str) -> dict[str, Any]:
    return {"tensor": name, "low": None, "high": None, "scale": None}
