"""Text on screen: foreign text made harmless, and numbers written one way.

Foreign text is everything that comes out of a model, a file name or a library's message. Each destination has one
function: `code` for names in sentences, `plain` for whole sentences and labels, `chart` for Plotly, `cell` for tables
and code blocks, `markup` for HTML of our own. All of them drop control characters and direction overrides.
"""

from __future__ import annotations

import html
import math
import re
import time
from collections.abc import Sequence

from trt_core.domain import findings
from trt_core.domain.validation import bounds_words

NAME_LIMIT = 60
_SENTENCE_LIMIT = 1200
_PUNCTUATION = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$&\"'/=^%,;?])")
# Streamlit looks for :icons:, and Markdown for bare addresses, after backslashes are gone: a word joiner stops both.
_ICON_OR_ADDRESS = re.compile(r"(:(?=\S)|@|(?i:www)(?=\\?\.))")
_JOINER = "\u2060"
_UNSEEN = {0x00AD, 0x061C, 0xFEFF, *range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070)}
_TRANSLATION = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0), *_UNSEEN), "\ufffd") | {9: " ", 10: " ", 13: " "}
_CELL_TRANSLATION = {code: to for code, to in _TRANSLATION.items() if code not in (9, 10, 13)}


def cut(text: str, limit: int = NAME_LIMIT) -> str:
    """The text with its middle left out where it is longer than `limit` characters."""
    if len(text) <= limit:
        return text
    head = limit // 2
    return f"{text[:head]}…{text[len(text) - (limit - 1 - head) :]}"


def clean(text: str, limit: int = NAME_LIMIT) -> str:
    """One line without control characters or direction overrides (each shows as U+FFFD), cut in the middle."""
    short = cut(text, limit)
    # What Python calls printable holds nothing that the table would replace, and most text is.
    return short if short.isprintable() else short.translate(_TRANSLATION)


def code(text: str, limit: int = NAME_LIMIT) -> str:
    """A name as a Markdown code span: nothing in it is read as Markdown, HTML, LaTeX or an icon."""
    inner = clean(text, limit)
    if not inner.strip():
        return "` `"
    fence = "`" * (1 + max((len(run) for run in re.findall(r"`+", inner)), default=0))
    pad = " " if inner[0] in "` " or inner[-1] in "` " else ""
    return f"{fence}{pad}{inner}{pad}{fence}"


def plain(text: str, limit: int = _SENTENCE_LIMIT) -> str:
    """Foreign text as Markdown that shows the same characters: for messages and for labels of widgets and links."""
    escaped = _PUNCTUATION.sub(r"\\\1", clean(text, limit))
    return _ICON_OR_ADDRESS.sub(rf"\1{_JOINER}", escaped)


def chart(text: str, limit: int = NAME_LIMIT) -> str:
    """Foreign text for Plotly, which reads some HTML, and LaTeX between dollar signs."""
    return html.escape(clean(text, limit), quote=False).replace("$", "&#36;")


def markup(text: str, limit: int = NAME_LIMIT) -> str:
    """Foreign text for HTML that we write ourselves, attributes included."""
    return html.escape(clean(text, limit), quote=True)


def cell(text: str, limit: int = 20_000) -> str:
    """Foreign text for a table's cell or a code block, which are drawn as they are: lines stay."""
    short = cut(text, limit)
    return short if short.isprintable() else short.translate(_CELL_TRANSLATION)


def names(items: Sequence[str], *, most: int = 6) -> str:
    """A list of names for a sentence: `a`, `b` and 3 more."""
    return _listed([code(item) for item in items[:most]], len(items) - most)


def names_markup(items: Sequence[str], *, most: int = 6) -> str:
    """The same for HTML that we write ourselves."""
    return _listed([f"<code>{markup(item)}</code>" for item in items[:most]], len(items) - most)


def _listed(shown: Sequence[str], more: int) -> str:
    return f"{', '.join(shown)} and {more} more" if more > 0 else ", ".join(shown)


def figure(value: float | None, *, digits: int = 3) -> str:
    """Three significant digits without an exponent where that reads well: 0.0123, 4.57, 123, 1,230."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    if not -5 <= magnitude < 9:
        return f"{value:.{digits - 1}e}"
    rounded = round(value, digits - 1 - magnitude)
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(rounded))))
    return f"{rounded:,.{decimals}f}"


def count(value: int) -> str:
    """A whole number with thousands separated."""
    return f"{value:,}"


counted = findings.counted


def big(value: float) -> str:
    """A large count in its own unit: 97.1 k, 4.09 G."""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{figure(value / size)} {unit}"
    return f"{value:g}"


def milliseconds(value: float | None) -> str:
    """A duration given in ms: µs below 0.1 ms, s from one second on."""
    if value is None:
        return "–"
    if abs(value) >= 1000:
        return seconds(value / 1000)
    return f"{figure(value * 1000)} µs" if 0 < abs(value) < 0.1 else f"{figure(value)} ms"


def seconds(value: float | None) -> str:
    """A duration given in s: ms below one second, minutes from 100 s on."""
    if value is None:
        return "–"
    if abs(value) < 1:
        return milliseconds(value * 1000)
    if value < 100:
        return f"{figure(value)} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def mebibytes(value: float | None) -> str:
    """Bytes in MiB; KiB below 0.1 MiB, GiB from 1,024 MiB on."""
    if value is None:
        return "–"
    if abs(value) >= 1 << 30:
        return f"{figure(value / (1 << 30))} GiB"
    if abs(value) < 0.1 * (1 << 20):
        return f"{figure(value / 1024)} KiB" if value >= 1024 else f"{round(value)} bytes"
    return f"{figure(value / (1 << 20))} MiB"


def ratio(value: float, interval: tuple[float, float] | None = None) -> str:
    """`1.48×`, with its interval where there is one: `1.48× (1.45–1.51)`."""
    text = f"{figure(value)}×"
    return f"{text} ({figure(interval[0])}–{figure(interval[1])})" if interval else text


def decibels(value: float | None) -> str:
    """An SQNR: one decimal is more than it deserves; ∞ where the tensors are equal."""
    return "–" if value is None else f"{figure(value)} dB"


def interval(bounds: tuple[float, float] | None, unit: str = "") -> str:
    """`1.45–1.51 ms`; says so where there is none."""
    return f"{figure(bounds[0])}–{figure(bounds[1])} {unit}".rstrip() if bounds else "no interval"


def percent(share: float) -> str:
    """A share of one: 0.123 is 12.3 %."""
    return f"{figure(share * 100)} %"


def bounds(low: float, high: float) -> str:
    """Both bounds on a relative drop."""
    return bounds_words(low, high, percent)


def clock(epoch_s: float) -> str:
    """A moment in the server's local time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(epoch_s))
