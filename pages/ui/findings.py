"""Findings: severity in words, what was seen, what to do, and where.

Those in a row are one element of plain HTML: as Streamlit's own sentences, each is an element or five of Markdown.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.ui import text
from pages.ui.theme import SEVERITY_BADGES, SEVERITY_LABELS
from trt_core.domain.findings import Finding, most_severe_first

_SENTENCE_LIMIT = 1200
# No foreign text here.
STYLE = """
.findings { display: flex; flex-direction: column; gap: 1rem; }
.findings > div { border: 1px solid light-dark(#d5dcd8, #36403f); border-radius: 4px; padding: 0.9rem 1rem; }
.findings p { margin: 0 0 0.35rem; overflow-wrap: anywhere; unicode-bidi: plaintext; line-height: 1.5; }
.findings p:last-child { margin: 0; }
.findings .small { font-size: 0.875rem; opacity: 0.8; }
.findings .small code { color: inherit; }
.findings .badge { border-radius: 4px; padding: 0.1rem 0.35rem; margin-right: 0.4rem; font-size: 0.875rem;
  white-space: nowrap; }
.findings .red { color: light-dark(#a3162b, #ffb3ba); background: light-dark(#fdecee, #4a1f26); }
.findings .yellow { color: light-dark(#7a4d00, #ffd98a); background: light-dark(#fff6d9, #43360f); }
.findings .gray { color: light-dark(#4a5550, #c9d1cd); background: light-dark(#eef1ef, #303836); }
"""


def show_findings(
    findings: Sequence[Finding], *, empty: str = "Nothing was found that needs attention.", most: int = 12
) -> None:
    """Draw findings, the most severe first."""
    ordered = most_severe_first(tuple(findings))
    if not ordered:
        st.caption(empty)
        return
    _show(ordered[:most])
    if len(ordered) > most:
        with st.expander(f"{len(ordered) - most} more"):
            _show(ordered[most:])


def _show(findings: Sequence[Finding]) -> None:
    st.html(f'<div class="findings">{"".join(map(_box, findings))}</div>')


def _box(finding: Finding) -> str:
    badge = f'<span class="badge {SEVERITY_BADGES[finding.severity]}">{SEVERITY_LABELS[finding.severity]}</span>'
    lines = [f"<p>{badge}{_sentence(finding.message)}</p>"]
    if finding.remedy:
        lines.append(f"<p><b>What to do:</b> {_sentence(finding.remedy)}</p>")
    if finding.nodes:
        lines.append(f'<p class="small">At {text.names_markup(finding.nodes)}.</p>')
    if finding.evidence:
        lines.append(f'<p class="small">Evidence: {_sentence(finding.evidence)}</p>')
    return f"<div>{''.join(lines)}</div>"


def _sentence(foreign: str) -> str:
    return text.markup(foreign, _SENTENCE_LIMIT)
