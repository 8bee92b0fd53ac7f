from __future__ import annotations

import pytest

from trt_core.backends.crashes import cause_of_death
from trt_core.backends.native_log import NativeLog

CRASH = 'Fatal Python error: Segmentation fault\n\nCurrent thread 0x01 (most recent call first):\n  File "a.py", line 1'


@pytest.mark.parametrize(
    ("log", "sentence"),
    [
        (CRASH, "Native code crashed: Segmentation fault."),
        (
            f"[ERROR] Could not find any implementation for node {{ForeignNode[/layer.0/a.../layer.1/b]}}.\n{CRASH}",
            "The compiler found no implementation for {ForeignNode[/layer.0/a.../layer.1/b]}.",
        ),
        (
            f"python: /src/pool.cpp:12: void Pool::grow(int): Assertion `size > 0' failed.\n{CRASH}",
            "An assertion failed in native code: size > 0.",
        ),
        (
            "terminate called after throwing an instance of 'std::bad_alloc'\n  what(): std::bad_alloc",
            "Memory ran out.",
        ),
        (
            "terminate called after throwing an instance of 'nvinfer1::Error'\nFatal Python error: Aborted",
            "Native code threw nvinfer1::Error, which nothing caught.",
        ),
    ],
)
def test_a_dead_workers_log_gives_the_cause_in_one_sentence(log: str, sentence: str):
    cause = cause_of_death(log)
    assert cause is not None
    assert cause.sentence == sentence
    assert cause.remedy


@pytest.mark.parametrize("log", ["", "heartbeat: database is locked", "a warning: op Foo is not registered"])
def test_a_log_without_a_last_word_gives_none(log: str):
    assert cause_of_death(log) is None


def test_errors_are_handed_on_when_they_are_said_and_other_records_are_not():
    heard: list[str] = []
    log = NativeLog(on_error=heard.append)
    log.add("VERBOSE", "Timing")
    log.add("ERROR", "out of memory")
    assert heard == ["[ERROR] out of memory"]
