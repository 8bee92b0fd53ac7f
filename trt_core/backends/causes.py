"""What TensorRT's messages mean: the cause in one sentence, what to do next, and the nodes they name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from trt_core.backends.cause_cards import CARDS, SUMMARIES, Card

MAX_SENTENCE = 400

# A machine without a driver adds these to every error; they are not its cause.
_NOISE = re.compile(
    r"catchCudaError|cudaError(?:InsufficientDriver)? ?35|driver version is insufficient|"
    r"^In operator\(\) at .*\.(?:cpp|h):\d+|^\s*$"
)
# `IBuilder::x: Error Code 4: API Usage Error (TEXT In f at /file:12)`: only TEXT says something to a user.
_WRAPPED = re.compile(r"Error Code \d+: [^(]{1,40}\((?P<text>.*?)\)*$", re.DOTALL)
_PLACE_BEFORE = re.compile(r"^(?:\[[^\]]*\]\s*|(?:ERROR: )?[\w./]+\.(?:cpp|h|hpp):\d+:?\s*|In function \w+:\s*)+")
_PLACE_AFTER = re.compile(r"\.? In [\w:()~]+ at \S*?\.(?:cpp|h|hpp):\d+")
_ASSERTION = re.compile(r"^Assertion (?:failed: )?(?P<code>.*?)(?: failed\.|: (?P<said>[A-Z\"'(].*))?$", re.DOTALL)
_QUOTED = re.compile(r"&& \"(?P<said>[^\"]+)\"")


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why a parse or build failed. `nodes` are names as the message spells them; a pair stands for a range."""

    sentence: str
    remedy: str
    nodes: tuple[str, ...] = ()
    node_range: tuple[str, str] | None = None
    op_type: str = ""  # every node of that op, where the message names no node


def without_noise(text: str) -> str:
    """A message without the lines that a machine without a driver adds to every error."""
    return "\n".join(line.rstrip() for line in text.split("\n") if not _NOISE.search(line))


def cause_of(messages: Sequence[str]) -> Cause:
    """The cause behind error messages, given in the order of the log.

    The last message that a card knows wins, because later records sum earlier ones up less precisely only when no card
    knows them; without a card the last message itself is the sentence.
    """
    cleaned = [text for text in map(without_noise, messages) if text]
    for cards in (CARDS, SUMMARIES):
        for text in reversed(cleaned):
            found = known_cause(text, cards)
            if found:
                return found
    if not cleaned:
        return Cause(
            sentence="The library gave no engine and no reason.", remedy="Read the log; try one node less at a time."
        )
    last = cleaned[-1]
    nodes, node_range = named_nodes(last)
    return Cause(
        sentence=one_sentence(last),
        remedy="Read the log; extract the nodes it names and build them alone.",
        nodes=nodes,
        node_range=node_range,
    )


def known_cause(text: str, cards: Sequence[Card] = CARDS) -> Cause | None:
    """The first card whose pattern the message holds, or None."""
    for card in cards:
        found = card.pattern.search(text)
        if not found:
            continue
        groups = {key: (value or "").strip() for key, value in found.groupdict().items()}
        nodes, node_range = named_nodes(text)
        return Cause(
            sentence=card.sentence.format(**groups),
            remedy=card.remedy,
            nodes=nodes,
            node_range=node_range,
            op_type=card.op_type,
        )
    return None


def named_nodes(text: str) -> tuple[tuple[str, ...], tuple[str, str] | None]:
    """Names of ONNX nodes in a message, and the range that a ForeignNode stands for (first, last in file order)."""
    foreign = re.search(r"ForeignNode\[(?P<first>[^\]]+?)\.\.\.(?P<last>[^\]]+)\]", text)
    node_range = (foreign["first"], foreign["last"]) if foreign else None
    names: list[str] = []
    for pattern in (
        r"(?P<name>[^\s\"'{}]+) has no runners that implement it",
        r"\[ONNX Layer: (?P<name>[^\]|]+)\]",
        r"Invalid Node - (?P<name>[^\n]+)",
        r"Cannot compile operation '(?P<name>[^']+)'",
        r"I\w+Layer (?P<name>[^\s:]+):",
        r"(?:Could not find any implementation for node|node) \"?(?P<name>[^\s\"{}:]+)\"?",
    ):
        names += [found["name"].strip().rstrip(".,:") for found in re.finditer(pattern, text)]
    return tuple(dict.fromkeys(name for name in names if name)), node_range


def one_sentence(text: str) -> str:
    """What a message says, without the places in the library that raised it, on one line ended with a full stop."""
    cleaned = without_noise(text)
    wrapped = _WRAPPED.search(cleaned)
    line = wrapped["text"] if wrapped else cleaned
    line = re.sub(r"\s+", " ", _PLACE_AFTER.sub("", _PLACE_BEFORE.sub("", line.strip()))).strip(" ;")
    if len(line) > MAX_SENTENCE:
        return f"{line[:MAX_SENTENCE]} ..."
    return line if not line or line.endswith((".", "?", "!")) else f"{line}."


def parser_reason(text: str) -> str:
    """The parser's reason as a sentence: what stands in quotes or behind the failed assertion, not its code.

    Empty where the parser says nothing but "false".
    """
    lines = [line for line in without_noise(text).split("\n") if not line.startswith("Invalid Node - ")]
    joined = "\n".join(lines).strip()
    quoted = _QUOTED.search(joined)
    if quoted:
        return one_sentence(quoted["said"])
    asserted = _ASSERTION.match(joined)
    if asserted:
        return one_sentence(asserted["said"] or asserted["code"])
    return "" if joined.lower() in {"", "false"} else one_sentence(joined)
