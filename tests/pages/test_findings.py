"""Findings in plain HTML: whatever a model calls its parts, they hold words only."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.findings import _box
from trt_core.domain.findings import Finding, Severity

HOSTILE = '<img src=x onerror=alert(1)> $x$ ![](http://e) "&amp;'


class Read(HTMLParser):
    """The tags with their attributes, and the words of each paragraph as a reader sees them."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags, self.words = [], []
        self.feed(markup)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, [name for name, _ in attrs]))
        if tag == "p":
            self.words.append("")

    def handle_data(self, data):
        if self.words:
            self.words[-1] += data


@pytest.mark.parametrize("severity", list(Severity))
def test_hostile_text_stays_text_in_every_part_of_a_finding(severity):
    box = _box(
        Finding(rule="r", severity=severity, message=HOSTILE, remedy=HOSTILE, nodes=(HOSTILE,), evidence=HOSTILE)
    )

    read = Read(box)
    assert {tag for tag, _ in read.tags} == {"div", "p", "span", "b", "code"}
    assert {name for _, names in read.tags for name in names} == {"class"}
    assert len(read.words) == 4
    assert all(said.removesuffix(".").endswith(HOSTILE) for said in read.words)
    assert box.count("&lt;img src=x onerror=alert(1)&gt; $x$ ![](http://e) &quot;&amp;amp;") == 4


def _shown() -> None:
    from pages.ui.findings import show_findings
    from trt_core.domain.findings import Finding, Severity

    show_findings([Finding(rule="r", severity=Severity.NOTE, message="$x$ ![](http://e) :red[x]")])


def test_findings_are_no_markdown_which_would_read_formulas_and_pictures():
    app = AppTest.from_function(_shown).run()

    assert not app.markdown
    assert "$x$ ![](http://e) :red[x]" in app.get("html")[0].proto.body
