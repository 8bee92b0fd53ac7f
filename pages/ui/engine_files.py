"""An engine's files to take away, and the ranges that TensorRT calibrated for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import streamlit as st

from pages.ui import text
from pages.ui.calibration_form import show_cache
from pages.ui.findings import show_findings
from pages.ui.save import save_button
from trt_core.analysis.requested import requested_findings
from trt_core.domain.recordings import EngineStudy
from trt_core.errors import TrtCoreError
from trt_core.services.calibration_caches import decoded
from trt_core.services.trtexec_export import DIALECTS, files_of_study, stem_for

_USUAL = "10"
_ABOUT = {
    "layers": "Layer information, as --exportLayerInfo writes it",
    "profile": "Layer profile, as --exportProfile writes it",
    "times": "Times of inferences, as --exportTimes writes them",
}


def show_requested(study: EngineStudy) -> None:
    """What was asked for and hardly runs, with its cause: before everything else."""
    found = requested_findings(study)
    if found:
        show_findings(found)


def show_files(study: EngineStudy) -> None:
    """Trtexec's JSON files of an engine."""
    dialect = st.segmented_control(
        "In the words of TensorRT",
        DIALECTS,
        default=_USUAL,
        key="engines.dialect",
        help="Only the layer information differs: 11 writes format and dtype apart.",
    )
    try:
        files = files_of_study(study, dialect or _USUAL)
    except TrtCoreError as error:
        st.info(text.plain(str(error)))
        return
    download_files(lambda: files, list(files), key="engines.files_json")
    st.caption(
        "Importing these files on this page gives the same engine again. Left out is what was not kept: medians of "
        "layers, single copies. Inferences are laid end to end."
    )


def download_files(made: Callable[[], Mapping[str, str]], names: list[str], *, key: str) -> None:
    """A button for each of trtexec's files; `made` is asked when one is pressed."""
    with st.container(horizontal=True):
        for name in names:
            part = name.rsplit(".", 2)[1]
            save_button(
                f"{part}.json",
                partial(_file_of, made, name),
                filename=name,
                mime="application/json",
                key=f"{key}.{part}",
                help=_ABOUT[part],
                in_row=True,
            )


def _file_of(made: Callable[[], Mapping[str, str]], name: str) -> str:
    return made()[name]


def show_ranges(study: EngineStudy) -> None:
    """The table of ranges out of the calibration cache."""
    if not study.calibration_cache:
        st.info("No calibration cache is known of this engine: TensorRT did not calibrate it, or its file is missing.")
        return
    show_cache(decoded(study.title, study.calibration_cache), key="engines.ranges", filename=stem_for(study.title))
