"""The engine's record out of TensorRT-RTX's verbose build log. Pure text: needs neither the library nor a GPU.

The compiler writes one multi-line record that begins with `Layers:`, only at DETAILED profiling verbosity. Names may
hold brackets, braces and commas, so fields are found by the keys that follow them, in the order in which the compiler
writes them, and never by balancing brackets inside a name. Every step moves forward: the time is linear in the log.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from trt_core.backends.layer_names import source_names
from trt_core.backends.layer_precision import precision_of_layer
from trt_core.domain.engine import EngineLayer, EngineRecord, EngineTensor

_SEVERITY = re.compile(r"^(?:\[[^\]]{1,40}\] ?)*")
_PASS = re.compile(r"^(?:Original|After (?P<name>[^:]{1,80})): (?P<count>\d{1,9}) layers$")
_MEMORY = re.compile(r"Total (?P<what>Activation|Weights) Memory: (?P<count>\d{1,18}) bytes")
_TENSOR_KEY = re.compile(
    r"(?:, |\{ )(Dimensions|Strides|StrideOrder|Datatype|DataType|Format|Location|IOMode|IsShapeInferenceIO"
    r"|ProfileInfo): "
)
_END_OF_TENSOR = re.compile(r" ?\}(?:, \{|\])")


def engine_record_from_log(log: str) -> EngineRecord:
    """What the compiler recorded of the last build in a verbose log.

    Lines may carry a `[SEVERITY]` in front. A line that cannot be read is left out; a log without `Layers:` gives a
    record without layers. Sizes are bytes.
    """
    layers: list[EngineLayer] = []
    tensors: list[EngineTensor] = []
    counts: list[tuple[str, int]] = []
    memory: dict[str, int] = {}
    section = ""
    for line in log.split("\n"):
        text = _SEVERITY.sub("", line, count=1)
        if text == "Layers:":
            section, layers, tensors = "layers", [], []
        elif text in ("I/O Tensors:", "Engine Metadata:"):
            section = text
        elif section == "layers" and line.startswith("Name: "):
            layer = _layer(line, len(layers))
            layers += [layer] if layer else []
        elif section == "I/O Tensors:" and line.startswith(" Name: "):
            tensors.append(_tensor(line[len(" Name: ") :]))
        else:
            _note_counter(text, counts, memory)
    return EngineRecord(
        layers=tuple(layers),
        io_tensors=tuple(tensors),
        passes=tuple(_passes(counts)),
        activation_bytes=memory.get("Activation"),
        weight_bytes=memory.get("Weights"),
    )


def _note_counter(text: str, counts: list[tuple[str, int]], memory: dict[str, int]) -> None:
    counted = _PASS.match(text)
    if counted:
        if counted["name"] is None:
            counts.clear()  # a new network begins
        counts.append((counted["name"] or "", int(counted["count"])))
        return
    found = _MEMORY.search(text) if text.startswith("Total ") else None
    if found:
        memory[found["what"]] = int(found["count"])


def _passes(counts: list[tuple[str, int]]) -> Iterator[tuple[str, int, int]]:
    for (_, before), (name, after) in pairwise(counts):
        yield name, before, after


def _layer(line: str, index: int) -> EngineLayer | None:
    """One line of the dump; None when its first keys are not there."""
    name, rest = _cut(line[len("Name: ") :], ", LayerType: ")
    kind, rest = _cut(rest, ", Inputs: ")
    if not name or not kind:
        return None
    inputs, rest = _tensors(rest)
    constants: tuple[EngineTensor, ...] = ()
    if rest.startswith(", Constants: "):
        constants, rest = _tensors(rest[len(", Constants: ") :])
    outputs: tuple[EngineTensor, ...] = ()
    if rest.startswith(", Outputs: "):
        outputs, rest = _tensors(rest[len(", Outputs: ") :])
    fields, _, metadata = rest.partition(", Metadata: ")
    kernel = re.search(r", Tactic(?:Name|Value): (.*?)(?=, \w+: |$)", fields)
    stream = re.search(r", StreamId: (\d{1,6})", fields)
    tactic = kernel[1] if kernel else ""
    return EngineLayer(
        index=index,
        name=name,
        kind=kind,
        kernel=tactic,
        precision=precision_of_layer(
            name=name, kind=kind, kernel=tactic, inputs=inputs, outputs=outputs, constants=constants
        ),
        source_names=source_names(metadata),
        stream=int(stream[1]) if stream else 0,
        inputs=inputs,
        outputs=outputs,
        constants=constants,
    )


def _cut(text: str, key: str) -> tuple[str, str]:
    before, found, after = text.partition(key)
    return (before, after) if found else ("", "")


def _tensors(text: str) -> tuple[tuple[EngineTensor, ...], str]:
    """The tensors of a list that begins at `[`, and the text behind it."""
    if text.startswith("[]"):
        return (), text[2:]
    found: list[EngineTensor] = []
    position = text.find("{ Name: ")
    if position < 0 or position > 2:
        return (), text
    has_keys = True  # once a search found none, none are left: searching again would cost quadratic time
    while True:
        start = position + len("{ Name: ")
        keyed = _TENSOR_KEY.search(text, start) if has_keys else None
        has_keys = keyed is not None
        end = _END_OF_TENSOR.search(text, keyed.end() if keyed else start)
        if end is None:
            return tuple(found), ""
        found.append(_tensor(text[start : end.start()]))
        position = end.end() - 1
        if text[position] == "]":
            return tuple(found), text[position + 1 :]


def _tensor(text: str) -> EngineTensor:
    """`x, Dimensions: [1,2], ..., Datatype: Half, Format: ...` (what follows `Name: `)."""
    parts = _TENSOR_KEY.split(text)
    fields = dict(zip(parts[1::2], parts[2::2], strict=False))
    dtype = fields.get("Datatype") or fields.get("DataType", "")
    return EngineTensor(
        name=parts[0],
        dtype=dtype.strip().lower(),
        shape=_sizes(fields.get("Dimensions", "")),
        format=fields.get("Format", "").strip(" }]"),
    )


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(size) for size in re.findall(r"-?\b\d{1,18}\b", text, re.ASCII))
