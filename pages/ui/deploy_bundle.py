"""The bundle: what for, how, which files, and one click for all of them."""

from __future__ import annotations

from pathlib import PurePosixPath

import streamlit as st

from pages.ui import text
from pages.ui.findings import show_findings
from trt_core.deploy.batching import batching_of
from trt_core.deploy.targets import triton_releases
from trt_core.domain.deployment import Bundle, DeployWish, GeneratedFile
from trt_core.domain.passport import Passport
from trt_core.services.deploy import zipped
from trt_core.workbench import Workbench

_TITLES = {"triton": "Triton", "compose": "Docker Compose", "kubernetes": "Kubernetes", "commands": "Commands"}
_LANGUAGES = {".sh": "bash", ".py": "python", ".json": "json", ".yaml": "yaml", ".yml": "yaml", ".pbtxt": "protobuf"}
_FIRST = ("docker-compose.yml", "base/deployment.yaml", "commands/enginescope.sh", "config.pbtxt")
_SHOWN_BYTES = 200_000


def show_bundle(bench: Workbench, passport: Passport) -> None:
    """Form, findings, the tree of files with a preview, and the zip."""
    st.subheader("Files for production", anchor=False)
    wish = _form(passport)
    bundle = _bundle(bench, wish)
    st.caption(
        f"{text.counted(len(bundle.files), 'file')} for {text.plain(bundle.target.name)}; "
        f"image {text.code(bundle.target.image, 80)}."
    )
    left, right = st.columns([1, 1.6], gap="large")
    with left:
        chosen = _tree(bundle, key=f"deploy.file.{wish.to}")
    with right:
        _preview(chosen)
    st.download_button(
        "Download all as zip",
        data=lambda: zipped(bundle),
        file_name=f"{bundle.tag}_{wish.to}.zip",
        mime="application/zip",
        key="deploy.zip",
        type="primary",
        on_click="ignore",
        icon=":material/download:",
    )
    st.code(_line(wish), language="bash", wrap_lines=True)
    show_findings(bundle.findings, empty="Nothing speaks against this bundle.")


@st.cache_data(max_entries=16, ttl=300, show_spinner="Writing the files")
def _bundle(_bench: Workbench, wish: DeployWish) -> Bundle:
    """Kept for a while, because the smoke test's recording runs the model once."""
    return _bench.deploy.bundle(wish)


def _form(passport: Passport) -> DeployWish:
    to = st.segmented_control(
        "For", list(_TITLES), format_func=lambda item: _TITLES[item], default="triton", key="deploy.to"
    )
    batching = batching_of(passport)
    columns = st.columns(5)
    with columns[0]:
        batch = st.number_input(
            "Largest batch",
            min_value=0,
            max_value=max(batching.largest, 1),
            value=batching.largest,
            key=f"deploy.{passport.build_id}.batch",
            disabled=batching.largest == 0,
            help=batching.why_not or "0 sends one request at a time. The profiles end at the largest value.",
        )
    with columns[1]:
        instances = st.number_input("Instances a GPU", 1, 64, 1, key="deploy.instances")
    with columns[2]:
        count = st.number_input("GPUs", 1, 64, 1, key="deploy.gpus")
    with columns[3]:
        delay = st.number_input("Queue delay (µs)", 0, 1_000_000, 100, step=50, key="deploy.delay")
    with columns[4]:
        releases = [item.release for item in reversed(triton_releases())]
        release = st.selectbox("Triton", releases, index=None, key="deploy.triton", placeholder="The engine's own")
    ensemble = st.toggle("Add pre- and post-processing models as stubs", key="deploy.ensemble")
    return DeployWish(
        build_id=passport.build_id,
        to=to or "triton",
        triton=release or "",
        gpu=st.session_state.get("deploy.gpu") or "",
        max_batch=int(batch) if batching.largest else None,
        instances=int(instances),
        gpus=int(count),
        queue_delay_us=int(delay),
        ensemble=ensemble,
    )


def _tree(bundle: Bundle, *, key: str) -> GeneratedFile:
    """Files in the order of the tree, indented by folder."""
    by_path = {item.path: item for item in bundle.files}
    paths = list(by_path)
    if st.session_state.get(key) not in by_path:
        st.session_state[key] = next((path for end in _FIRST for path in paths if path.endswith(end)), paths[0])
    chosen = st.radio("Files", paths, format_func=_indented, key=key)
    return by_path.get(chosen) or bundle.files[0]


def _indented(path: str) -> str:
    parts = PurePosixPath(path).parts
    return text.plain(" / ".join(parts), 120)


def _preview(item: GeneratedFile) -> None:
    size = item.source.stat().st_size if item.source is not None else len(item.content)
    st.markdown(f"{text.code(item.path, 100)} · {text.mebibytes(size)}")
    shown = item.content[:_SHOWN_BYTES]
    try:
        words = "" if item.source is not None else shown.decode()
    except UnicodeDecodeError:
        words = ""
    if words:
        st.code(text.cell(words, _SHOWN_BYTES), language=_LANGUAGES.get(PurePosixPath(item.path).suffix), height=420)
    else:
        st.caption("Not text: it is in the zip.")


def _line(wish: DeployWish) -> str:
    words = ["python -m trt_core deploy", wish.build_id, "--to", wish.to]
    words += ["--triton-release", wish.triton] if wish.triton else []
    words += ["--gpu", f"'{wish.gpu}'"] if wish.gpu else []
    words += ["--max-batch", str(wish.max_batch)] if wish.max_batch is not None else []
    words += ["--instances", str(wish.instances)] if wish.instances > 1 else []
    words += ["--gpus", str(wish.gpus)] if wish.gpus > 1 else []
    words += ["--queue-delay-us", str(wish.queue_delay_us)] if wish.queue_delay_us != 100 else []
    words += ["--ensemble"] if wish.ensemble else []
    return " ".join(words)
