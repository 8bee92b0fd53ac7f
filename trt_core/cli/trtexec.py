"""trtexec's JSON files of an engine or a run."""

from __future__ import annotations

import argparse

from trt_core.cli.answers import Answer, Console
from trt_core.cli.lab import study_of
from trt_core.cli.wishes import ARTIFACT_ID
from trt_core.domain.artifacts import ArtifactKind
from trt_core.errors import InvalidInput
from trt_core.services.trtexec_export import files_of_run, files_of_study
from trt_core.workbench import Workbench


def export_trtexec(bench: Workbench, options: argparse.Namespace, console: Console) -> Answer:
    """Write what is known of an engine (its id, or a recording's name) or of a TensorRT run into a folder."""
    del console
    text = options.subject
    if ARTIFACT_ID.fullmatch(text) and text[0] == ArtifactKind.LATENCY.value:
        files = files_of_run(bench.latency.run(text))
    else:
        files = files_of_study(study_of(bench, text), options.dialect)
    options.output.mkdir(parents=True, exist_ok=True)
    paths = [options.output / name for name in files]
    if taken := next((path for path in paths if path.exists()), None):
        raise InvalidInput(f"{str(taken)!r} is there already.", remedy="Give an empty folder with -o.")
    for path, content in zip(paths, files.values(), strict=True):
        path.write_text(content, encoding="utf-8")
    return Answer(plain={"files": [str(path) for path in paths]}, lines=[str(path) for path in paths])
