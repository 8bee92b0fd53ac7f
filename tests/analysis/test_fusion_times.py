from __future__ import annotations

from trt_core.analysis.fusion_times import NOT_TIMED, heat_keys, layer_times
from trt_core.domain.fusion import FusionMap, MappedLayer, NodeFate, NodeState
from trt_core.domain.precision import Precision


def mapped(*names: str) -> FusionMap:
    layers = tuple(
        MappedLayer(index=index, name=name, kind="conv", kernel="", precision=Precision.FP16, nodes=(index,))
        for index, name in enumerate(names)
    )
    nodes = tuple(
        NodeFate(index=index, name=f"n{index}", op_type="Conv", state=NodeState.MAPPED, layers=(index,))
        for index in range(len(names))
    )
    return FusionMap(build_id="b-000000000000", stamp="", layers=layers, nodes=nodes)


def test_a_profile_is_laid_over_layers_by_name_and_one_name_twice_shares_its_time():
    fusion = mapped("a", "copy", "copy", "b")
    found = layer_times(fusion, [("a", "", 0.4), ("copy", "", 0.2), ("stranger", "", 9.0)])
    assert found == {0: 0.4, 1: 0.1, 2: 0.1}


def test_a_node_is_as_dark_as_its_layers_share_and_what_was_not_timed_says_so():
    fusion = mapped("a", "b", "c", "d")
    assert heat_keys(fusion, {0: 0.85, 1: 0.145, 2: 0.005}) == {
        0: "≥30 %",
        1: "≥10 %",
        2: "<1 %",
        3: NOT_TIMED,
    }
