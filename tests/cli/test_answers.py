from __future__ import annotations

from trt_core.cli.answers import finding_lines
from trt_core.domain.findings import Finding, Severity


def finding(*nodes: str) -> Finding:
    return Finding(rule="clipping", severity=Severity.WARNING, message="It clips.", remedy="Use MinMax.", nodes=nodes)


def test_a_finding_is_one_line_with_its_first_node():
    assert finding_lines((finding(), finding("/up/MatMul"), finding("a", "b", "c"))) == [
        "warning: It clips. Use MinMax.",
        "warning: It clips. Use MinMax. At /up/MatMul.",
        "warning: It clips. Use MinMax. At a and 2 more.",
    ]


def test_a_name_out_of_a_model_does_not_steer_the_terminal():
    (line,) = finding_lines((finding("a\x1b[2J" + "b" * 500),))
    assert "\x1b" not in line
    assert len(line) < 130
