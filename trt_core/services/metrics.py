"""Metrics by name: the built-in ones, and those of the operator's own folder."""

from __future__ import annotations

import importlib.util
import re
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trt_core.analysis.top_k import Metric, top_k
from trt_core.domain.validation import FLOOR_METRICS, LABEL_METRICS
from trt_core.errors import InvalidInput
from trt_core.protocols import Array
from trt_core.settings import Settings

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


def metric_names(settings: Settings) -> tuple[str, ...]:
    """Every metric that can be asked for: built in, then the Python files of the configured folder."""
    folder = settings.metrics
    files = sorted(folder.glob("*.py")) if folder is not None and folder.is_dir() else []
    own = (path.stem for path in files if _NAME.fullmatch(path.stem))
    return (*LABEL_METRICS, *FLOOR_METRICS, *(name for name in own if name not in (*LABEL_METRICS, *FLOOR_METRICS)))


def check_metric(name: str, settings: Settings) -> None:
    """InvalidInput for a metric that is neither built in nor a file of the folder."""
    known = metric_names(settings)
    if name not in known:
        raise InvalidInput(
            f"The metric {name[:80]!r} is not known.",
            remedy=f"Choose among {', '.join(known)}, or set ENGINESCOPE_METRICS to a folder that holds {name}.py.",
        )


def check_output(output: str, metric: str, outputs: Sequence[str]) -> None:
    """InvalidInput for an output to be scored that the model does not have, or that the metric does not ask for."""
    if output and metric not in (*LABEL_METRICS, *FLOOR_METRICS):
        raise InvalidInput(
            f"The metric {metric} is given every output, and chooses by itself.", remedy="Name no output to be scored."
        )
    if output and output not in outputs:
        raise InvalidInput(
            f"The model has no output {output[:80]!r}.", remedy=f"Score one of {', '.join(outputs)[:200]}."
        )


def label_metric(name: str, settings: Settings, output: str = "") -> Metric:
    """The function of a metric that reads labels; `output` is the one that top-k reads, "" for the first that fits."""
    check_metric(name, settings)
    if name in LABEL_METRICS:
        return top_k(int(name.removeprefix("top")), output)
    if settings.metrics is None:
        raise InvalidInput(f"The metric {name} needs no labels.", remedy="Use top1 or top5 with labels.")
    return _own(name, settings.metrics / f"{name}.py")


def _own(name: str, path: Path) -> Metric:
    """`score(outputs, labels)` of a file that the operator put there: NumPy arrays in, one number a sample out.

    Larger is better, and the model's own mean is above zero: a verdict is about a relative drop.
    """
    spec = importlib.util.spec_from_file_location(f"enginescope_metric_{name}", path)
    if spec is None or spec.loader is None:
        raise InvalidInput(f"{path.name} cannot be loaded.", remedy="Write it as a Python file.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # a file that ends the process would pass for a crash of ours
        raise InvalidInput(
            f"{path.name} fails when it is loaded{_where(error, path)}: {error!r}.", remedy="Repair the file."
        ) from error
    found: Any = getattr(module, "score", None)
    if not callable(found):
        raise InvalidInput(f"{path.name} has no function score(outputs, labels).", remedy="Define it.")

    def score(outputs: Mapping[str, Array], labels: Array) -> npt.NDArray[np.float32]:
        try:
            return np.asarray(found(outputs, labels), np.float32)
        except (Exception, SystemExit) as error:
            raise InvalidInput(
                f"The metric {name} fails{_where(error, path)}: {error!r}.", remedy="Repair its file."
            ) from error

    return score


def _where(error: BaseException, path: Path) -> str:
    """At which line of the file, the innermost that an error came through."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f" at line {lines[-1]}" if lines else ""
