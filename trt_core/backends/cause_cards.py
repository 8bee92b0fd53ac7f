"""The messages of TensorRT that are known, each with its cause in one sentence and the next step."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Card:
    """One known message. `sentence` may use the pattern's groups by name."""

    pattern: re.Pattern[str]
    sentence: str
    remedy: str
    op_type: str = ""


def _card(pattern: str, sentence: str, remedy: str, op_type: str = "") -> Card:
    compiled = re.compile(pattern, re.IGNORECASE | re.DOTALL)
    return Card(pattern=compiled, sentence=sentence, remedy=remedy, op_type=op_type)


_COPY_AGAIN = "Build it again, or copy it again in full."
_LEAVE_TO_ORT = "Extract it and leave it to ONNX Runtime"

# The first card that matches wins: the more specific message stands before the more general one.
CARDS: tuple[Card, ...] = (
    _card(
        r"given name exceeds the limit \((?P<most>\d+) characters\)",
        "A node or tensor has a name of more than {most} characters, which the library refuses.",
        "Shorten the model's names, then bring it in again.",
    ),
    _card(
        r"(?P<node>[^\s\"']+) has no runners that implement it",
        "The compiler has no implementation for {node}.",
        f"{_LEAVE_TO_ORT}, or build for a GPU whose TensorRT implements it.",
    ),
    _card(
        # Names hold dots themselves (layer.0): only one before the end, or before a bracket, ends a name.
        r"Could not find any implementation for node "
        r"(?P<node>\{?ForeignNode\[[^\]]+\]\}?|\S+?(?: \+ \S+?)*)(?=\.?\)*(?:\s|$))",
        "The compiler found no implementation for {node}.",
        f"{_LEAVE_TO_ORT}, or raise the workspace limit.",
    ),
    _card(
        r"Attention operation was not supported by a dedicated kernel",
        "The Attention op has no dedicated kernel for this precision.",
        "Build an FP16 or BF16 variant, or export attention as MatMul, Softmax and MatMul.",
        op_type="Attention",
    ),
    _card(
        r"Cannot compile for target\(?s?\)? (?P<target>[\w, ]+?),? because the model contains HW-specific datatypes: "
        r"(?P<dtype>[\w, ]+)",
        "The target {target} does not have the data type {dtype}.",
        "Choose a newer target (FP8 needs SM 8.9, BF16 needs SM 8.0) or another precision.",
    ),
    _card(
        r"FP32 GEMM is not supported",
        "The target has no FP32 matrix multiplication in TensorRT-RTX.",
        "Build an FP16 variant, or choose SM 8.0 or newer.",
    ),
    _card(
        r"Must have inputs with equal ranks when condition is not a build-time constant",
        "The two branches of an If give tensors of different rank.",
        "Export the model with the condition fixed, or make both branches give the same rank.",
    ),
    _card(
        r"dynamic or shape inputs, but no optimization profile",
        "The model has dynamic inputs and no optimization profile was given.",
        "Give min, opt and max shapes for every dynamic input.",
    ),
    _card(
        r"no tactics to implement the operation within workspace limit|insufficient workspace",
        "No implementation fits into the workspace limit.",
        "Raise the workspace limit, or leave it at the library's default.",
    ),
    _card(
        r"BuildCanceled|build (?:was )?cancel",
        "The build was cancelled.",
        "Start it again when you want the engine.",
    ),
    _card(
        r"Quantized constant .* is only allowed before DQ",
        "A quantized constant without dimensions cannot be built.",
        "Quantize only Conv, Gemm and MatMul, or give the constant the shape (1,).",
    ),
    _card(
        r"Non-zero zero point is not supported",
        "A Q/DQ pair has a zero point other than 0.",
        "Quantize symmetrically: zero point 0 for activations and weights.",
    ),
    _card(
        r"Scale coefficients must all be positive",
        "A Q/DQ scale is zero or negative.",
        "Calibrate again with data that reach that tensor; a tensor that stays zero needs a scale of 1.",
    ),
    _card(
        r"has type Int32 but must have type FP8",
        "A bias is quantized to INT32, which the parser refuses.",
        "Leave biases in floating point when quantizing.",
    ),
    _card(
        r"missing values for shape input tensor (?P<tensor>\S+?)\.?(?:\s|$)|"
        r"(?P<input>[^\s:()]+): optimization profile is missing values for shape input",
        "The model computes shapes from the values of its input {tensor}{input}, and the profile does not give them.",
        "Give their range, as in size=[1x1]:[2x2]:[4x4], or make those values constant in the model.",
    ),
    _card(
        r"(?:Dynamic input tensor (?P<tensor>\S+)|(?P<input>[^\s:()]+): dynamic input) is missing dimensions in "
        r"profile (?P<profile>\d+)",
        "Optimization profile {profile} has no shapes for the dynamic input {tensor}{input}.",
        "Give it min, opt and max.",
    ),
    _card(
        r"Dimension mismatch for tensor (?P<tensor>\S+) and profile (?P<profile>\d+)",
        "Optimization profile {profile} changes a dimension of {tensor} that is fixed in the model.",
        "Use the model's own size there, or export the model with that dimension dynamic.",
    ),
    _card(
        r"tensor (?P<tensor>\S+) has (?P<own>\d+) dimensions but profile (?P<profile>\d+) has (?P<given>\d+)",
        "Optimization profile {profile} gives {tensor} {given} dimensions; the model has {own}.",
        "Give one size for each dimension.",
    ),
    _card(
        r"Assertion params\.weights\.type\(\) != DataType::kINT8",
        "TensorRT 8.6 cannot take INT8 constants into a transformer block.",
        "Build with FP32 weights, Q and DQ instead of INT8 constants, or keep the block's MatMul nodes in FP16.",
    ),
    _card(
        r"expecting compute (?P<own>\d+\.\d+) got compute (?P<built>\d+\.\d+)",
        "The engine was built for a GPU of SM {built}; this one is SM {own}.",
        "Build it again on this GPU, or with hardware compatibility.",
    ),
    _card(
        r"expecting library version (?P<own>[\d.]+?) got (?P<built>[\d.]+?)[,.]? ",
        "The engine was built by TensorRT {built}; this is {own}.",
        "Build it again with the version that runs it, or version-compatible.",
    ),
    _card(
        r"Version tag does not match",
        "The engine was built by another version of TensorRT.",
        "Build it again with the version that runs it, or version-compatible.",
    ),
    _card(
        r"(?:header\.size == blobSize|Magic tag does not match|magicTag|engine plan file is (?:corrupt|truncated)|"
        r"deserialization error|Unexpected end of|bytes remaining)",
        "The engine's file is damaged or incomplete.",
        _COPY_AGAIN,
    ),
    _card(
        r"Calibration failure|calibrat\w+ (?:failed|failure)",
        "INT8 calibration did not finish.",
        "Check that the calibration data fill at least one batch of the model's inputs.",
    ),
    _card(
        r"libnvinfer_lean|VERSION_COMPATIBLE",
        "A version-compatible engine needs the lean runtime, which is not installed.",
        "Build without version compatibility.",
    ),
    _card(
        r"Network must have at least one output",
        "The network has no output.",
        "Mark an output in the ONNX file.",
    ),
    _card(
        r"Node input was not registered",
        "The parser does not know an input of this node; it never does where a Loop leaves out its condition.",
        "Give the Loop a constant condition that is true, or export the model again.",
    ),
    _card(
        r"Plugin not found|creator not (?:found|in registry)|Unable to find plugin|not registered",
        "No importer and no plugin is known for this op.",
        f"Provide a plugin for it on the target, or {_LEAVE_TO_ORT[0].lower()}{_LEAVE_TO_ORT[1:]}.",
    ),
    _card(
        r"Failed to import initializer",
        "The weights of an initializer could not be read, or have a type that is not supported.",
        "Keep the external data file beside the model and use FP32, FP16, BF16, INT8 or INT4 weights.",
    ),
    _card(
        r"Unsupported (?:ONNX )?data type|Failed to convert ONNX dat[ae] type",
        "A tensor has a data type that the parser does not support.",
        "Cast it to FP32, FP16, INT32 or INT64 before export.",
    ),
    _card(
        r"out of memory|OutOfMemory|bad_alloc",
        "Memory ran out.",
        "Close other work, or build with smaller max shapes.",
    ),
)

# What the library says last whatever went wrong before: of use only where no other card knows a message.
SUMMARIES: tuple[Card, ...] = (
    _card(r"deserializ\w*(?:\([^)]*\))? failed", "The engine's file is damaged or incomplete.", _COPY_AGAIN),
)
