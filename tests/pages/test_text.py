from __future__ import annotations

import math

import pytest

from pages.ui import text
from pages.ui.tables import csv_text

HOSTILE = [
    "![](http://evil.example/p.png)",
    "<img src=x onerror=alert(1)>",
    "$\\frac{1}{0}$",
    ":material/delete: :smile: :red[danger]",
    "[click](javascript:alert(1))",
    "`code` ``more``",
    "www.evil.example https://evil.example me@evil.example",
    "line\nbreak\r\n# heading\n- item",
    "\u202egnp.exe\u2066",
    "x" * 5000,
    "",
]


def _read_as_text(markdown: str) -> str:
    """What CommonMark shows of backslash escapes: the punctuation itself."""
    shown, at = "", 0
    while at < len(markdown):
        at += markdown[at] == "\\"
        shown += markdown[at]
        at += 1
    return shown.replace("\u2060", "")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_fills_exactly_one_code_span(name):
    span = text.code(name)

    fence = span[: len(span) - len(span.lstrip("`"))]
    inside = span[len(fence) : -len(fence)]
    assert span.endswith(fence)
    assert fence
    assert fence not in inside
    assert "\n" not in span
    assert len(inside) <= text.NAME_LIMIT + 2


@pytest.mark.parametrize("name", HOSTILE)
def test_escaped_text_has_no_live_punctuation_and_shows_the_same_characters(name):
    escaped = text.plain(name)

    assert _read_as_text(escaped) == text.clean(name, 1200)
    bare = escaped.replace("\\\\", "")
    for sign in "[]()<>$`*_!#":
        assert bare.count(sign) == bare.count(f"\\{sign}")


def test_icons_and_bare_addresses_are_broken_up():
    assert ":material" not in text.plain(":material/delete:")
    assert ":smile:" not in text.plain("a :smile: b")
    assert "://" not in text.plain("https://evil.example").replace("\\", "")
    assert "www." not in text.plain("www.evil.example").replace("\\", "")


@pytest.mark.parametrize("write", [text.clean, text.code, text.plain, text.chart, text.markup, text.cell])
def test_control_characters_and_direction_overrides_never_reach_the_screen(write):
    written = write("a\u202eb\u2067c\x00d\x1b[31me\u200bf")

    assert not any(sign in written for sign in "\u202e\u2067\x00\x1b\u200b")
    assert written.count("\ufffd") == 5


def test_plotly_reads_neither_html_nor_latex_in_a_name():
    assert text.chart('<a href="x">$y$</a>') == '&lt;a href="x"&gt;&#36;y&#36;&lt;/a&gt;'


def test_own_html_is_safe_in_attributes_too():
    assert text.markup("\"'<&>") == "&quot;&#x27;&lt;&amp;&gt;"


def test_a_long_name_is_cut_in_the_middle_and_keeps_both_ends():
    cut = text.cut("encoder.layers.0" + "x" * 5000 + "output.dense", 40)

    assert len(cut) == 40
    assert cut.startswith("encoder.layers.0")
    assert cut.endswith("output.dense")


def test_a_list_of_names_says_how_many_more_there_are():
    assert text.names(["a", "b", "c"], most=2) == "`a`, `b` and 1 more"


def test_a_cell_that_a_spreadsheet_would_run_is_disarmed_in_csv():
    written = csv_text([{"name": '=HYPERLINK("http://evil.example")', "value": -1.5}])

    assert "\"'=HYPERLINK(" in written
    assert ",-1.5" in written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0"),
        (0.01234, "0.0123"),
        (0.9999, "1.00"),
        (4.567, "4.57"),
        (99.96, "100"),
        (1234.5, "1,230"),
        (-0.5, "-0.500"),
        (1e-7, "1.00e-07"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (math.nan, "–"),
        (None, "–"),
    ],
)
def test_figures_have_three_significant_digits(value, written):
    assert text.figure(value) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.0123, "12.3 µs"), (0.1, "0.100 ms"), (12.345, "12.3 ms"), (1500, "1.50 s"), (0, "0 ms"), (None, "–")],
)
def test_durations_are_in_ms_and_in_microseconds_below_a_tenth(value, written):
    assert text.milliseconds(value) == written


@pytest.mark.parametrize(("value", "written"), [(3.914, "3.91 s"), (125, "2 min 5 s"), (7260, "2 h 1 min")])
def test_long_durations_read_as_minutes(value, written):
    assert text.seconds(value) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [(0, "0 bytes"), (2048, "2.00 KiB"), (397_000, "0.379 MiB"), (102 << 20, "102 MiB"), (3 << 30, "3.00 GiB")],
)
def test_sizes_are_in_mib(value, written):
    assert text.mebibytes(value) == written


def test_a_ratio_carries_its_interval():
    assert text.ratio(1.4812, (1.4519, 1.512)) == "1.48× (1.45–1.51)"
    assert text.ratio(2) == "2.00×"
