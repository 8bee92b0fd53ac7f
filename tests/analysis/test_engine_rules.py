from __future__ import annotations

import pytest

from tests.analysis.graphs import graph_of, layer, record_of
from trt_core.analysis.engine_rules import engine_findings
from trt_core.analysis.fusion_map import map_fusion
from trt_core.domain.engine import EngineRecord
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.graph import Graph
from trt_core.domain.precision import Precision, Provenance

CHAIN = graph_of(
    ("a", "Conv", ["x", "w"], ["p"]),
    ("b", "Conv", ["p", "w"], ["q"]),
    ("c", "Conv", ["q", "w"], ["y"]),
    initializers=["w"],
)


def findings(
    record: EngineRecord, requested: Precision, graph: Graph = CHAIN, *, implicit: bool = False
) -> dict[str, Finding]:
    fusion = map_fusion(
        build_id="b", stamp="", graph=graph, provenance=Provenance(), variant_graph=graph, record=record
    )
    found = engine_findings(record, requested, fusion, implicit=implicit)
    return {finding.rule: finding for finding in found}


def chain(*precisions: Precision, dtype: str = "half") -> EngineRecord:
    names, reads, writes = "abc", "xpq", "pqy"
    return record_of(
        *(
            layer(i, [names[i]], [reads[i]], [writes[i]], kind="correlation", precision=precision, dtype=dtype)
            for i, precision in enumerate(precisions)
        )
    )


def test_a_precision_that_no_layer_runs_in_blocks_and_comes_first() -> None:
    found = findings(chain(Precision.FP32, Precision.FP32, Precision.FP32), Precision.INT8)
    assert next(iter(found)) == "precision-not-reached"
    assert found["precision-not-reached"].severity is Severity.BLOCKER
    assert found["precision-not-reached"].message == "INT8 was asked for; no engine layer runs in it."
    assert found["precision-not-reached"].evidence == "3 fp32"


def test_what_to_do_depends_on_who_chose_the_quantized_layers() -> None:
    record = chain(Precision.FP32, Precision.FP32, Precision.FP32)

    told = findings(record, Precision.INT8)["precision-not-reached"].remedy
    chosen = findings(record, Precision.INT8, implicit=True)["precision-not-reached"].remedy

    assert "without Q/DQ pairs on every input" in told
    assert "every tensor has a scale" in chosen
    assert "biases" in chosen


@pytest.mark.parametrize("requested", [Precision.FP32, Precision.TF32])
def test_a_file_that_is_lower_than_the_request_is_told_from_one_that_holds_it(requested: Precision) -> None:
    found = findings(chain(Precision.FP16, Precision.FP32, Precision.FP16), requested)
    message = found["precision-below-request"].message
    assert message == f"{requested.value.upper()} was asked for; 2 of 3 layers run lower: 2 FP16."
    assert found["precision-below-request"].nodes == ("a", "c")
    assert findings(chain(Precision.FP32, Precision.TF32, Precision.UNKNOWN), requested) == {}


def test_less_than_half_of_the_layers_warns_and_names_the_others() -> None:
    found = findings(chain(Precision.INT8, Precision.FP16, Precision.FP16), Precision.INT8)
    assert "1 of 3 layers run in it (33%)" in found["precision-share-low"].message
    assert found["precision-share-low"].nodes == ("b", "c")


def test_quantized_products_alone_are_enough_for_int8() -> None:
    record = record_of(
        layer(0, ["a"], ["x"], ["p"], kind="correlation", precision=Precision.INT8, dtype="int8"),
        layer(1, ["b"], ["p"], ["q"], precision=Precision.FP16),
        layer(2, ["c"], ["q"], ["y"], precision=Precision.FP16),
    )
    assert set(findings(record, Precision.INT8)) == {"precision-reached"}


def test_a_full_precision_request_and_a_reached_one_have_no_finding() -> None:
    assert findings(chain(Precision.FP32, Precision.FP32, Precision.FP32), Precision.FP32) == {}
    assert findings(chain(Precision.FP16, Precision.FP16, Precision.FP16), Precision.FP16) == {}


def test_quantized_convolutions_that_write_a_floating_dtype_are_counted() -> None:
    found = findings(chain(Precision.INT8, Precision.INT8, Precision.INT8), Precision.INT8)
    assert found["quantized-convolution-writes-floating"].message.startswith("3 of 3 quantized convolutions")
    quantized = findings(chain(Precision.INT8, Precision.INT8, Precision.INT8, dtype="int8"), Precision.INT8)
    assert "quantized-convolution-writes-floating" not in quantized


def test_layers_that_only_cast_or_copy_are_counted_once_there_are_three() -> None:
    def record(count: int) -> EngineRecord:
        return record_of(
            *(layer(i, [], [f"t{i}"], [f"t{i + 1}"], name=f"__myl_CastTran_myl0_{i}") for i in range(count)),
            layer(9, ["a"], ["t9"], ["y"], name="__myl_CastMulAddRelu_myl0_9"),
        )

    assert "casts-and-reformats" not in findings(record(2), Precision.FP32)
    found = findings(record(3), Precision.FP32)
    assert found["casts-and-reformats"].message.startswith("3 of 4 layers")
    assert found["layers-without-nodes"].message.startswith("3 of 4 layers name no node")


def test_expected_fusions_that_did_not_happen_are_counted_with_a_reason() -> None:
    graph = graph_of(("conv", "Conv", ["x", "w"], ["a"]), ("relu", "Relu", ["a"], ["y"]), initializers=["w"])
    record = record_of(
        layer(0, ["conv"], ["x"], ["a"], kind="correlation"), layer(1, ["relu"], ["a"], ["y"], name="__myl_Relu_myl0_1")
    )
    found = findings(record, Precision.FP32, graph)["not-fused-conv-activation"]
    assert found.message == "1 of 1 expected fusions conv+activation are not in one engine layer."
    assert found.nodes == ("conv", "relu")
    assert "Relu in layer 1" in found.evidence
