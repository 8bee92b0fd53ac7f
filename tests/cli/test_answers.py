from __future__ import annotations

from types import SimpleNamespace

import pytest

from trt_core.cli.answers import Console, finding_lines, finished
from trt_core.domain.findings import Finding, Severity
from trt_core.domain.jobs import Job, JobKind


def finding(*nodes: str) -> Finding:
    return Finding(rule="clipping", severity=Severity.WARNING, message="It clips.", remedy="Use MinMax.", nodes=nodes)


def test_a_finding_is_one_line_with_its_first_node():
    assert finding_lines((finding(), finding("/up/MatMul"), finding("a", "b", "c"))) == [
        "warning: It clips. Use MinMax.",
        "warning: It clips. Use MinMax. At /up/MatMul.",
        "warning: It clips. Use MinMax. At a and 2 more.",
    ]


def test_where_it_is_asked_for_a_finding_ends_with_its_evidence():
    told = Finding(rule="r", severity=Severity.NOTE, message="It does not fit.", evidence="Scale of x: 1, 0.02 fits.")

    assert finding_lines((told, finding()), with_evidence=True) == [
        "note: It does not fit. Scale of x: 1, 0.02 fits.",
        "warning: It clips. Use MinMax.",
    ]


def test_a_name_out_of_a_model_does_not_steer_the_terminal():
    (line,) = finding_lines((finding("a\x1b[2J" + "b" * 500),))
    assert "\x1b" not in line
    assert len(line) < 130


def test_ctrl_c_stops_the_job_and_not_just_the_wait():
    job = Job(id="j-0123456789ab", kind=JobKind.BENCH, title="a measurement", request={}, created_at=0.0)
    stopped: list[str] = []

    def interrupted(*_: object, **__: object) -> Job:
        raise KeyboardInterrupt

    bench = SimpleNamespace(jobs=SimpleNamespace(wait=interrupted, stop=stopped.append))
    with pytest.raises(KeyboardInterrupt):
        finished(bench, job, Console(quiet=True))
    assert stopped == [job.id]
