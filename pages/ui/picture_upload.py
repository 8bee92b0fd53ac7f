"""A folder of pictures with a label file as samples, with the settings that make a model's input of them."""

from __future__ import annotations

import streamlit as st

from pages.ui import text
from trt_core.domain.artifacts import ModelRecord
from trt_core.domain.images import ImageSettings
from trt_core.errors import InvalidInput, TrtCoreError
from trt_core.workbench import Workbench

_KINDS = ["png", "jpg", "jpeg", "bmp", "webp", "gif", "tif", "tiff"]


def upload_pictures(bench: Workbench, model: ModelRecord, *, key: str) -> None:
    """A folded uploader; pictures become samples and labels that can be chosen at once."""
    with st.expander("Upload a folder of pictures", icon=":material/photo_library:"):
        pictures = st.file_uploader("The folder", type=_KINDS, accept_multiple_files="directory", key=f"{key}.pictures")
        labels = st.file_uploader(
            "A CSV with name,class on each line; pictures of one original: name,class,group",
            type=["csv"],
            key=f"{key}.picture_labels",
        )
        with st.container(horizontal=True):
            resize = st.number_input(
                "Shorter side, pixels",
                0,
                16_384,
                0,
                key=f"{key}.resize",
                help="Resized to this, then the middle is cut out. 0: stretched to the model's input.",
            )
            mean = st.text_input("Mean", "0", key=f"{key}.mean", help="Of values from 0 to 1: one, or one a channel.")
            std = st.text_input("Standard deviation", "1", key=f"{key}.std", help="One, or one a channel.")
        ready = bool(pictures) and labels is not None
        pressed = st.button("Use these pictures", key=f"{key}.pictures_add", disabled=not ready)
        if not (pressed and pictures and labels is not None):
            return
        try:
            settings = image_settings(int(resize), mean, std)
            found = {file.name: file for file in pictures}
            data, _ = bench.library.add_pictures(
                found, labels.getvalue(), settings, model_id=model.id, called=labels.name
            )
        except TrtCoreError as error:
            st.error(text.plain(f"{error.message} {error.remedy}".strip()))
            return
        st.toast(f"{text.counted(data.samples, 'picture')} of {text.plain(data.name)} can be chosen now.")
        st.rerun()


def image_settings(resize: int, mean: str, std: str) -> ImageSettings:
    """The settings that two lists of numbers stand for, separated by commas or spaces; InvalidInput for other text."""
    return ImageSettings(resize=resize, mean=_numbers(mean), std=_numbers(std))


def _numbers(words: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in words.replace(",", " ").split())
    except ValueError as error:
        raise InvalidInput(f"{words[:60]!r} is no list of numbers.", remedy="Write 0.485 0.456 0.406.") from error
