from __future__ import annotations

import gzip

import pytest

from tests.analysis.trt86 import FOLDER
from trt_core.backends.causes import cause_of, named_nodes, one_sentence, parser_reason, without_noise

NO_DRIVER = (
    "[checkMacros.cpp::catchCudaError::250] Error Code 1: Cuda Runtime (In catchCudaError at /_src/common/dispatch/"
    "checkMacros.cpp:250 (cudaError 35: CUDA driver version is insufficient for CUDA runtime version))"
)
NMS = (
    "[tacticSupply.cpp::getSupportedFormats::48] Error Code 2: Internal Error (Assertion !layerImpls.empty() failed. "
    "nms_0_0 has no runners that implement it In getSupportedFormats at /_src/optimizer/builder/tacticSupply.cpp:48)"
)
FP8 = (
    "IBuilder::buildSerializedNetwork: Error Code 1: Myelin ([pass.cpp:1500: run_passes] Cannot compile for target(s) "
    "sm86, because the model contains HW-specific datatypes: fp8_e4m3. In compileGraph at "
    "/_src/optimizer/myelin/codeGenerator.cpp:2012)"
)


def test_what_a_machine_without_a_driver_adds_is_not_a_cause():
    assert without_noise(f"Invalid Node - bad\n{NO_DRIVER}") == "Invalid Node - bad"
    assert cause_of([NMS, NO_DRIVER]).sentence == "The compiler has no implementation for nms_0_0."


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (NMS, "The compiler has no implementation for nms_0_0."),
        (
            "4: [network.cpp::validate::3027] Error Code 4: Internal Error (size: optimization profile is missing values for shape input)",
            "The model computes shapes from the values of its input size, and the profile does not give them.",
        ),
        (
            "4: [network.cpp::validate::3032] Error Code 4: Internal Error (y: dynamic input is missing dimensions in profile 0.)",
            "Optimization profile 0 has no shapes for the dynamic input y.",
        ),
        (
            (
                "Error Code 10: Internal Error (Could not find any implementation for node "
                "{ForeignNode[/encoder/layer.0/query/MatMul.../encoder/layer.11/output/Add_1]}.)"
            ),
            (
                "The compiler found no implementation for "
                "{ForeignNode[/encoder/layer.0/query/MatMul.../encoder/layer.11/output/Add_1]}."
            ),
        ),
        (
            "Error Code 10: Internal Error (Could not find any implementation for node /layer.0/Conv + /layer.0/Relu.)",
            "The compiler found no implementation for /layer.0/Conv + /layer.0/Relu.",
        ),
        (
            "In function parseNode:\n[5] Assertion failed: (ctx->tensors().count(inputName)): Node input was not registered.",
            "The parser does not know an input of this node; it never does where a Loop leaves out its condition.",
        ),
        (FP8, "The target sm86 does not have the data type fp8_e4m3."),
        (
            (
                "IBuilder::buildSerializedNetwork: Error Code 1: Myelin ([pass.cpp:337: check_turing_op_compatibility] "
                "Cannot compile operation 'mm' for Turing (SM75): FP32 GEMM is not supported. In compileGraph at /a.cpp:1)"
            ),
            "The target has no FP32 matrix multiplication in TensorRT-RTX.",
        ),
        (
            (
                "IBuilder::buildSerializedNetwork: Error Code 4: API Usage Error (Network has dynamic or shape inputs, but "
                "no optimization profile has been defined. In validate at /_src/optimizer/api/network.cpp:4023)"
            ),
            "The model has dynamic inputs and no optimization profile was given.",
        ),
        (
            (
                "IBuilder::buildSerializedNetwork: Error Code 4: API Usage Error (Dynamic-shaped input tensor x has 2 "
                "dimensions but profile 0 has 3 dimensions. In validate at /_src/optimizer/api/network.cpp:4048)"
            ),
            "Optimization profile 0 gives x 3 dimensions; the model has 2.",
        ),
    ],
)
def test_a_known_message_becomes_one_sentence_with_its_own_values(message, sentence):
    cause = cause_of([message])
    assert cause.sentence == sentence
    assert cause.remedy


def test_an_unknown_message_is_kept_without_the_library_s_own_places():
    message = (
        "IBuilder::buildSerializedNetwork: Error Code 9: Internal Error ([pass.cpp:12: run] The moon is in the way. "
        "In compileGraph at /_src/optimizer/myelin/codeGenerator.cpp:2012)"
    )
    assert cause_of([message]).sentence == "The moon is in the way."


def test_the_last_known_message_wins_over_later_unknown_ones():
    assert cause_of([NMS, "Something else happened afterwards"]).nodes == ("nms_0_0",)


def test_no_message_at_all_is_said_as_such():
    assert cause_of([]).sentence == "The library gave no engine and no reason."


@pytest.mark.parametrize(
    ("message", "nodes", "node_range"),
    [
        (NMS, ("nms_0_0",), None),
        ("Cannot compile operation 'mm' for Turing", ("mm",), None),
        ("IConditionalOutputLayer if0_OutputLayer: Must have inputs with equal ranks", ("if0_OutputLayer",), None),
        ("Could not find any implementation for node {ForeignNode[a/b...c/d]}.", (), ("a/b", "c/d")),
        ("Invalid Node - my node\nITensor::getDimensions: Error Code 4", ("my node",), None),
        ("nothing is named here", (), None),
    ],
)
def test_nodes_are_read_out_of_messages(message, nodes, node_range):
    assert named_nodes(message) == (nodes, node_range)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            'creator && "Plugin not found, are the plugin name, version, and namespace correct?"',
            "Plugin not found, are the plugin name, version, and namespace correct?",
        ),
        (
            "Assertion failed: creator && version(creator) == V3ONE: NonZero plugin creator version 1 was not found.",
            "NonZero plugin creator version 1 was not found.",
        ),
        (
            (
                "Invalid Node - bad\nITensor::getDimensions: Error Code 4: Shape Error (reshape changes volume. Reshaping "
                f"[1,4] to [3,5]. In operator() at /_src/optimizer/shapeContext.cpp:4633)\n{NO_DRIVER}"
            ),
            "reshape changes volume. Reshaping [1,4] to [3,5].",
        ),
        ("false", ""),
    ],
)
def test_the_parser_s_reason_is_freed_from_its_code(text, reason):
    assert parser_reason(text) == reason


def test_a_very_long_message_is_shortened():
    assert len(one_sentence("long " * 1000)) < 450


OTHER_GPU = (
    "6: The engine plan file is generated on an incompatible device, expecting compute 9.0 got compute 8.9, please "
    "rebuild."
)
OTHER_VERSION = (
    "6: The engine plan file is not compatible with this version of TensorRT, expecting library version 8.5.1.7 got "
    "8.5.3.1, please rebuild."
)
VERSION_TAG = (
    "1: [stdArchiveReader.cpp::StdArchiveReaderInitCommon::46] Error Code 1: Serialization (Serialization assertion "
    "stdVersionRead == serializationVersion failed.Version tag does not match. Note: Current Version: 236, Serialized "
    "Engine Version: 232)"
)
TRUNCATED = (
    "1: [runtime.cpp::parsePlan::314] Error Code 1: Serialization (Serialization assertion plan->header.size == "
    "blobSize failed.)"
)
SAID_LAST = (
    "4: [runtime.cpp::deserializeCudaEngine::50] Error Code 4: Internal Error (Engine deserialization failed.)",
    (
        "2: [engine.cpp::deserializeEngine::1312] Error Code 2: Internal Error (Assertion engine->deserialize(start, size, "
        "allocator, runtime) failed. )"
    ),
)


@pytest.mark.parametrize("last", SAID_LAST)
@pytest.mark.parametrize(
    ("message", "sentence", "remedy"),
    [
        (OTHER_GPU, "The engine was built for a GPU of SM 8.9; this one is SM 9.0.", "on this GPU"),
        (OTHER_VERSION, "The engine was built by TensorRT 8.5.3.1; this is 8.5.1.7.", "with the version that runs it"),
        (VERSION_TAG, "The engine was built by another version of TensorRT.", "with the version that runs it"),
        (TRUNCATED, "The engine's file is damaged or incomplete.", "copy it again in full"),
    ],
)
def test_why_an_engine_does_not_load_is_not_hidden_by_what_is_said_last(message, sentence, remedy, last):
    cause = cause_of([message, last])

    assert cause.sentence == sentence
    assert remedy in cause.remedy


@pytest.mark.parametrize("last", SAID_LAST)
def test_where_nothing_else_is_said_an_engine_that_does_not_load_is_damaged(last):
    assert cause_of([last]).sentence == "The engine's file is damaged or incomplete."


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (
            (
                "4: [network.cpp::validate::3019] Error Code 4: Internal Error (Network has dynamic or shape inputs, but no "
                "optimization profile has been defined.)"
            ),
            "The model has dynamic inputs and no optimization profile was given.",
        ),
        (
            (
                "3: [optimizationProfile.cpp::setDimensions::119] Error Code 3: API Usage Error (Dimension mismatch for "
                "tensor x and profile 1)"
            ),
            "Optimization profile 1 changes a dimension of x that is fixed in the model.",
        ),
    ],
)
def test_a_profile_that_cannot_be_built_names_itself(message, sentence):
    assert cause_of([message]).sentence == sentence


def test_the_recorded_failure_of_the_quantized_encoder_has_its_cause():
    said = gzip.decompress((FOLDER / "enc_int8_qdq.log.gz").read_bytes()).decode()
    errors = [line[2:] for line in said.split("\n") if line.startswith("E ")]

    cause = cause_of(errors)

    assert cause.sentence == "TensorRT 8.6 cannot take INT8 constants into a transformer block."
    assert "FP32 weights, Q and DQ" in cause.remedy
