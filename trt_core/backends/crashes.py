"""What a process wrote down before native code ended it."""

from __future__ import annotations

import re

from trt_core.backends.causes import Cause, known_cause, one_sentence

_ASSERTION = re.compile(r"^\S{1,200}: .{0,400}Assertion [`'](?P<code>.{1,400}?)' failed\.")
_THROWN = re.compile(r"^terminate called after throwing an instance of '(?P<kind>[^']{1,200})'")
_FATAL = re.compile(r"^Fatal Python error: (?P<what>[A-Za-z ]{1,60})")
_SAID = ("[ERROR] ", "[INTERNAL_ERROR] ")  # as `NativeLog.on_error` hands them on
_AGAIN = "Read the job's log; build the model's parts alone, or with a lower optimization level."


def cause_of_death(log: str) -> Cause | None:
    """The cause in the last lines of a dead worker's log; None where they say nothing of it.

    Errors of the library come first, then assertions and exceptions of C++, last the signal that Python saw.
    """
    lines = [line.strip() for line in log.split("\n") if line.strip()]
    for line in reversed(lines):
        if (line.startswith(_SAID) or _THROWN.match(line)) and (found := known_cause(line)):
            return found
    for pattern, sentence in (
        (_ASSERTION, "An assertion failed in native code: {found}."),
        (_THROWN, "Native code threw {found}, which nothing caught."),
        (_FATAL, "Native code crashed: {found}."),
    ):
        for line in reversed(lines):
            if matched := pattern.match(line):
                return Cause(sentence=one_sentence(sentence.format(found=matched[1].strip())), remedy=_AGAIN)
    return None
