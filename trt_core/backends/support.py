"""Layer support: the parser's answer for every node of a file."""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trt_core.backends.inquiry import Inquiry, Verdict, blame, node_answers, not_proved
from trt_core.backends.names import lookup
from trt_core.backends.native_log import NativeLog, logger_of
from trt_core.backends.parser_errors import NativeParserError, parser_errors
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.graph import Graph, is_long_name
from trt_core.domain.jobs import Progress
from trt_core.domain.support import Evidence, SupportReport
from trt_core.errors import InvalidInput
from trt_core.onnx_graph.extract import extract_nodes
from trt_core.onnx_graph.inference import Inferred, infer_types
from trt_core.onnx_graph.load import load_model
from trt_core.protocols import Reporter

MAX_PARSES = 30
MAX_SECONDS = 10.0
_SHORT = 200
_NOT_ASKED = "The parser was not asked again about this node: the limit of repeated parses was reached."


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The library whose parser is asked. `calls` listens to it, `target` is what it would build for, as text."""

    trt: Any
    backend: str
    title: str
    target: str
    calls: Callable[[str], AbstractContextManager[NativeLog]]


def ask_parser(path: Path, graph: Graph, *, asked: Asked, reporter: Reporter) -> SupportReport:
    """Ask about the whole file; where it is refused, take the refused nodes out and ask about the rest.

    The parser names every node that its static check refuses, but only the first one that its importer refuses: the
    rest is asked again until it is settled, at most MAX_PARSES times or MAX_SECONDS long. A node is `supported` only
    where a parse that contained it succeeded. `graph` must be that of the file.
    """
    inquiry = Inquiry(path=path.resolve(), graph=graph, title=asked.title)
    reporter.check()
    reporter.progress(Progress(phase="Asking the parser", step=1))
    accepted, errors = _ask_file(asked, inquiry)
    if accepted:
        inquiry.settle(inquiry.open_nodes(), Verdict(supported=True, evidence=Evidence.PARSER))
    elif blame(inquiry, errors, inquiry.open_nodes(), Evidence.PARSER):
        _ask_about_the_rest(asked, inquiry, reporter)
    return SupportReport(
        backend=asked.backend,
        backend_version=asked.trt.__version__,
        target=asked.target,
        nodes=tuple(node_answers(inquiry)),
        findings=tuple(inquiry.findings),
    )


def _ask_about_the_rest(asked: Asked, inquiry: Inquiry, reporter: Reporter) -> None:
    deadline = time.monotonic() + MAX_SECONDS
    model = _as_it_is_built(load_model(inquiry.path, weights=False))
    inferred = infer_types(model)
    for parse in range(2, MAX_PARSES + 1):
        reporter.check()
        part, indices = _rest_of(model, inquiry, inferred)
        if not indices:
            return
        if time.monotonic() > deadline:
            break
        reporter.progress(Progress(phase="Asking the parser about the remaining nodes", step=parse))
        accepted, errors = _ask(asked, part.SerializeToString(), inquiry.path, "check the rest of the model")
        if accepted:
            inquiry.settle(indices, Verdict(supported=True, evidence=Evidence.SUBGRAPH))
            return
        if not blame(inquiry, errors, indices, Evidence.SUBGRAPH):
            return
    left = inquiry.open_nodes()
    inquiry.settle(left, Verdict(supported=None, evidence=Evidence.PARSER, reason=_NOT_ASKED))
    inquiry.findings.append(
        Finding(
            rule="support-not-settled",
            severity=Severity.WARNING,
            message=f"{len(left)} nodes are not settled: the parser refuses one node at a time here.",
            remedy="Deal with the refused nodes, then ask again.",
        )
    )


def _rest_of(model: Any, inquiry: Inquiry, inferred: Inferred) -> tuple[Any, list[int]]:
    """The open nodes as a model of their own, and their indices in its order.

    A node that reads a tensor of unknown type or rank out of a refused node cannot be asked about: it is settled as
    not proved, and so is what depends on it in the same way.
    """
    while indices := inquiry.open_nodes():
        try:
            part = extract_nodes(model, indices, inferred=inferred)
        except InvalidInput as error:
            not_proved(inquiry, indices, f"The remaining nodes could not be extracted: {error.message}")
            break
        own = {spec.name for spec in inquiry.graph.inputs}
        unknown = [value.name for value in part.graph.input if value.name not in own and not _is_typed(value)]
        if not unknown:
            return part, indices
        if not sum(_shape_not_known(inquiry, tensor) for tensor in unknown):
            not_proved(inquiry, indices, f"The shape of {unknown[0]!r} is not known.")
    return None, []


def _as_it_is_built(model: Any) -> Any:
    """The model with the node names that a build would shorten shortened: a name says nothing of its op."""
    for index, node in enumerate(model.graph.node):
        if is_long_name(node.name):
            node.name = f"{node.name[:_SHORT]}_{index}"
    return model


def _is_typed(value: Any) -> bool:
    return bool(value.type.tensor_type.elem_type) and value.type.tensor_type.HasField("shape")


def _shape_not_known(inquiry: Inquiry, tensor: str) -> int:
    reason = (
        f"It passes the parser's static check, and no more can be asked: the shape of {tensor!r} is not known "
        "without the refused nodes before it."
    )
    return not_proved(inquiry, inquiry.graph.consumers_of.get(tensor, ()), reason)


def _ask_file(asked: Asked, inquiry: Inquiry) -> tuple[bool, list[NativeParserError]]:
    path, what = inquiry.path, f"check {inquiry.path.name}"
    if any(is_long_name(node.name) for node in inquiry.graph.nodes):
        return _ask(asked, _as_it_is_built(load_model(path, weights=False)).SerializeToString(), path, what)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        return _ask(asked, mapped, path, what)


def _ask(asked: Asked, model: Any, path: Path, what: str) -> tuple[bool, list[NativeParserError]]:
    """The parser's answer for serialized bytes. The path is where external data are looked for: that of the file."""
    trt = asked.trt
    with asked.calls(what):
        builder = trt.Builder(logger_of(trt))
        # A parser that has answered leaves a filled network: each question needs its own. The parser keeps no reference
        # to it, and crashes the process when the network goes first.
        network = builder.create_network(explicit_batch(trt))
        parser = trt.OnnxParser(network, logger_of(trt))
        if hasattr(parser, "supports_model_v2"):
            accepted = parser.supports_model_v2(model, str(path))
        else:  # TensorRT 8.6: a verdict and its subgraphs
            accepted, _ = parser.supports_model(bytes(model), str(path))
        return bool(accepted), [] if accepted else parser_errors(parser)


def explicit_batch(trt: Any) -> int:
    """The creation flag that TensorRT 8.6 wants for an ONNX file; 0 where every network is of that kind."""
    names = lookup(trt, "NetworkDefinitionCreationFlag").__members__
    return 1 << int(names["EXPLICIT_BATCH"]) if "EXPLICIT_BATCH" in names else 0
