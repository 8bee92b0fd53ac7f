"""What the recorded engines tell: each story opens with one click, also in an empty workspace."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from pages.ui.notices import announce
from pages.ui.state import select
from trt_core.workbench import Workbench


@dataclass(frozen=True, kw_only=True)
class Story:
    """A question, and the engines and the view that answer it."""

    question: str
    engine: str
    against: str = ""
    view: str = ""


STORIES: tuple[Story, ...] = (
    Story(question="ResNet-50: why is calibrated INT8 no faster?", engine="r50_fp16", against="r50_int8_calib"),
    Story(question="ResNet-50: why is Q/DQ INT8 faster?", engine="r50_fp16", against="r50_int8_qdq"),
    Story(question="ResNet-18: what does INT8 save, and where?", engine="r18_fp16", against="r18_int8_qdq"),
    Story(question="ResNet-18: which tactics were timed?", engine="r18_fp16", view="Tactics"),
    Story(question="Encoder: did INT8 run at all?", engine="enc_fp16", against="enc_int8_calib"),
)


def show_stories(bench: Workbench) -> None:
    """A button a story; the recordings are taken in first, by a job, where they are not there."""
    if bench.recordings.samples_folder() is None:
        st.caption("The recordings come with the samples, which are not installed here.")
        return
    with st.container(horizontal=True, gap="small"):
        for number, story in enumerate(STORIES):
            if st.button(story.question, key=f"engines.story.{number}", icon=":material/auto_stories:"):
                _open(bench, story)


def _open(bench: Workbench, story: Story) -> None:
    known = {item.name: item.id for item in bench.recordings.recordings()}
    if story.engine in known and (not story.against or story.against in known):
        chosen = {"engine": known[story.engine], "against": known.get(story.against, "")}
        select(chosen | {"view": story.view})
        announce("The answer is at the top of this page.")
    else:
        job = bench.intake.submit_samples(engine=story.engine, against=story.against)
        select({"job": job.id, "view": story.view})
        announce("The recordings are read first: see the top of this page.")
    st.rerun()
