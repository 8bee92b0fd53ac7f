"""Will it load there? One column a place, each with the rule that decides."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import streamlit as st

from pages.ui import text
from pages.ui.errors import boundary
from trt_core.deploy.targets import gpus, named_target, sources, triton_release, triton_releases
from trt_core.domain.passport import LoadAnswer, Passport, Target
from trt_core.workbench import Workbench

_WORDS = {True: ("green", "loads"), False: ("red", "does not load"), None: ("orange", "cannot tell")}


def show_targets(bench: Workbench, passport: Passport) -> None:
    """The engine's own place, and those that the reader names."""
    st.subheader("Will it load there?", anchor=False)
    left, middle, right = st.columns(3)
    with left:
        releases = [item.release for item in reversed(triton_releases())]
        chosen = st.multiselect(
            "Triton releases", releases, key="deploy.releases", max_selections=3, placeholder="Choose"
        )
    with middle:
        version = st.text_input("TensorRT version", key="deploy.tensorrt", placeholder="10.7 or 8.6.1", max_chars=20)
    with right:
        names = [item.name for item in gpus()]
        gpu_name = st.selectbox("GPU", names, index=None, key="deploy.gpu", placeholder="The engine's own")
    with boundary("deploy"):
        places = [bench.deploy.target_of_home(passport)]
        places += [bench.deploy.named(passport, triton=release, gpu=gpu_name or "") for release in chosen]
        if version.strip() or (gpu_name and not chosen):
            places.append(_unnamed(passport, version.strip(), gpu_name or ""))
        for column, place in zip(st.columns(max(2, len(places))), places, strict=False):
            with column:
                _show_answer(place, bench.deploy.will_it_load(passport.build_id, place))
    st.caption(f"Tables from {', '.join(f'<{address}>' for address in sources()[:2])} and others.")


def _unnamed(passport: Passport, version: str, gpu_name: str) -> Target:
    """A place that is a version and a GPU and nothing more; what is not named is the engine's own."""
    runtime = "tensorrt" if version else passport.backend
    place = named_target(tensorrt=version or passport.tensorrt, gpu_name=gpu_name, runtime=runtime)
    return place if gpu_name or not passport.targets else replace(place, sm=passport.targets[0], gpu=passport.gpu)


def _show_answer(place: Target, answer: LoadAnswer) -> None:
    color, words = _WORDS[answer.loads]
    with st.container(border=True, height="stretch"):
        st.markdown(f"**{text.plain(place.name)}**")
        st.markdown(f":{color}-badge[{words}] {text.plain(answer.reason)}")
        if answer.cost:
            st.caption(f"The price: {text.plain(answer.cost)}")
        if answer.remedy:
            st.markdown(f"**What to do:** {text.plain(answer.remedy)}")
        facts = [f"TensorRT {place.tensorrt}" if place.tensorrt else "", f"CUDA {place.cuda}" if place.cuda else ""]
        st.caption(text.plain(", ".join(fact for fact in (*facts, f"rule {answer.rule}") if fact)))
        if place.triton:
            st.caption(text.plain(f"What Triton {place.triton} holds, from {triton_release(place.triton).source}."))


def show_foreign_engine(bench: Workbench) -> None:
    """The version of an engine from elsewhere, out of its first bytes."""
    with st.expander("An engine from elsewhere"):
        st.caption("Its header is read, nothing else: the engine is never deserialized here.")
        upload = st.file_uploader("Engine", key="deploy.foreign", type=["engine", "plan", "trt"])
        if upload is not None:
            with boundary("deploy"), tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "foreign.engine")
                path.write_bytes(upload.getbuffer()[:64])
                header = bench.deploy.foreign_header(path)
                library = "TensorRT-RTX" if header.runtime == "rtx" else "TensorRT"
                targets = ", ".join(map(str, header.targets))
                st.success(f"{library} {header.version}" + (f", for {targets}" if targets else ""))
                if header.runtime == "tensorrt":
                    st.caption("The header of a TensorRT engine has no architecture: ask whoever built it.")
