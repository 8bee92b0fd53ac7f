from __future__ import annotations

from dataclasses import replace

import pytest

from tests import models
from trt_core.analysis.recurrent_rules import default_profile, fixed_batch_findings, profile_findings
from trt_core.domain.findings import Severity
from trt_core.domain.profiles import profile_from_texts, static_profile
from trt_core.onnx_graph.read import read_graph


def graph(*given, **known):
    return read_graph(models.recurrent(*given, **known))


def sizes(found) -> tuple[tuple[int, ...], ...]:
    (only,) = default_profile(found, open_batch=True).ranges
    return only.min, only.opt, only.max


@pytest.mark.parametrize("op", ["GRU", "LSTM"])
def test_the_batch_of_a_recurrent_node_is_left_open_by_default(op):
    assert sizes(graph(op)) == ((1, 10, 8), (1, 10, 8), (8, 10, 8))
    assert sizes(graph(op, steps="time")) == ((1, 1, 8), (1, 1, 8), (8, 1, 8))  # the number of steps is no batch


def test_the_batch_is_found_where_it_is_no_first_dimension_and_where_it_has_no_name():
    assert sizes(graph(batch_first=False, steps="time")) == ((1, 1, 8), (1, 1, 8), (1, 8, 8))
    assert sizes(graph(batch=None, batch_first=False)) == ((10, 1, 8), (10, 1, 8), (10, 8, 8))
    assert sizes(graph(batch=None)) == ((1, 10, 8), (1, 10, 8), (8, 10, 8))


def test_a_node_says_itself_where_its_batch_is():
    found = graph(batch_first=False, steps="rows", batch=12)
    nodes = tuple(replace(node, attributes=(("layout", "1"),)) for node in found.nodes)
    assert sizes(replace(found, nodes=nodes)) == ((1, 12, 8), (1, 12, 8), (8, 12, 8))


def test_other_models_and_other_libraries_keep_size_one():
    plain, recurrent = read_graph(models.mlp()), graph()
    assert default_profile(plain, open_batch=True) == static_profile(plain.inputs)
    assert default_profile(recurrent, open_batch=False) == static_profile(recurrent.inputs)
    assert profile_findings(plain, [static_profile(plain.inputs)]) == ()


def test_a_batch_that_the_file_fixes_at_one_is_told_with_what_to_do():
    (found,) = fixed_batch_findings(graph(batch=1))
    assert (found.rule, found.severity, found.nodes) == ("recurrent-batch-of-one", Severity.WARNING, ("cell",))
    assert found.message.startswith("1 GRU node has a batch of exactly 1 in the file.")
    assert "dynamic batch" in found.remedy
    assert "cancel" in found.remedy
    assert profile_findings(graph(batch=1), []) == (found,)
    assert fixed_batch_findings(graph(batch=2)) == fixed_batch_findings(graph()) == ()


def test_a_profile_is_told_what_it_means_before_the_build():
    def rules(text: str) -> list[str]:
        return [item.rule for item in profile_findings(graph(), [profile_from_texts([text])])]

    assert rules("x=1x10x8") == ["recurrent-batch-of-one"]
    assert rules("x=1x10x8:1x10x8:8x10x8") == ["recurrent-batch-open"]  # the default
    assert rules("x=2x10x8") == rules("x=1x10x8:2x10x8:4x10x8") == []
