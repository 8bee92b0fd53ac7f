from __future__ import annotations

import pytest

from trt_core.backends.proof import prove_by_build
from trt_core.domain.support import Evidence, NodeSupport, SupportReport
from trt_core.errors import BuildFailed


def report(*ops: str, supported: bool | None = True) -> SupportReport:
    nodes = tuple(
        NodeSupport(
            index=index,
            name=f"n{index}",
            op_type=op,
            domain="",
            supported=supported,
            evidence=Evidence.PARSER,
            partition=0,
        )
        for index, op in enumerate(ops)
    )
    return SupportReport(backend="rtx", backend_version="1", target="SM 8.6", nodes=nodes)


def test_an_engine_proves_every_node():
    proved = prove_by_build(report("Relu", "Conv", supported=None), None)
    assert proved.build_proved is True
    assert proved.fully_supported
    assert {node.evidence for node in proved.nodes} == {Evidence.BUILD}


def test_a_failed_build_refuses_the_node_that_its_message_names():
    failure = BuildFailed(
        "No.",
        remedy="Extract it.",
        details="[VERBOSE] n0 has no runners that implement it\n[ERROR] n1_0 has no runners that implement it",
    )
    refuted = prove_by_build(report("Relu", "NonMaxSuppression", "Relu"), failure)
    assert refuted.build_proved is False
    assert [node.supported for node in refuted.nodes] == [True, False, True]
    assert refuted.nodes[1].evidence is Evidence.BUILD
    assert refuted.nodes[1].remedy == "Extract it."
    assert [node.partition for node in refuted.nodes] == [0, -1, 1]


def test_the_library_s_own_layer_names_lead_back_to_their_node():
    details = "[ERROR] IConditionalOutputLayer n2_OutputLayer: Must have inputs with equal ranks"
    refuted = prove_by_build(report("Relu", "Relu", "If"), BuildFailed("x", details=details))
    assert [node.supported for node in refuted.nodes] == [True, True, False]


def test_a_message_about_an_op_refuses_every_node_of_that_op():
    failure = BuildFailed("x", details="[ERROR] Attention operation was not supported by a dedicated kernel.")
    refuted = prove_by_build(report("Attention", "Relu", "Attention"), failure)
    assert [node.supported for node in refuted.nodes] == [False, True, False]


def test_a_fused_part_is_open_again_because_any_of_its_nodes_may_be_to_blame():
    failure = BuildFailed("x", details="[ERROR] Could not find any implementation for node {ForeignNode[n1...n2]}.")
    refuted = prove_by_build(report("Relu", "A", "B", "Relu"), failure)
    assert [node.supported for node in refuted.nodes] == [True, None, None, True]


@pytest.mark.parametrize(
    "details", ["[ERROR] {ForeignNode[n0...n3]}", "[ERROR] {ForeignNode[elsewhere...n3]}", "[ERROR] no name at all", ""]
)
def test_a_message_that_blames_no_part_stands_for_the_whole_model(details):
    before = report("Relu", "A", "B", "Relu")
    refuted = prove_by_build(before, BuildFailed("It did not work.", details=details))
    assert refuted.nodes == before.nodes
    assert refuted.build_reason == "It did not work."
    assert not refuted.fully_supported
