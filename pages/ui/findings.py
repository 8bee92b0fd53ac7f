"""Findings: severity in words, what was seen, what to do, and where."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from pages.ui import text
from pages.ui.theme import SEVERITY_BADGES, SEVERITY_LABELS
from trt_core.domain.findings import Finding, most_severe_first

Action = Callable[[Finding], None]


def show_findings(
    findings: Sequence[Finding],
    *,
    empty: str = "Nothing was found that needs attention.",
    actions: Mapping[str, Action] | None = None,
    most: int = 12,
) -> None:
    """Draw findings, the most severe first; `actions` draws a button or a link for a rule's finding."""
    ordered = most_severe_first(tuple(findings))
    if not ordered:
        st.caption(empty)
    for finding in ordered[:most]:
        _show(finding, (actions or {}).get(finding.rule))
    if len(ordered) > most:
        with st.expander(f"{len(ordered) - most} more"):
            for finding in ordered[most:]:
                _show(finding, (actions or {}).get(finding.rule))


def _show(finding: Finding, action: Action | None) -> None:
    with st.container(border=True, gap="xsmall"):
        badge = f":{SEVERITY_BADGES[finding.severity]}-badge[{SEVERITY_LABELS[finding.severity]}]"
        st.markdown(f"{badge} {text.plain(finding.message)}")
        if finding.remedy:
            st.markdown(f"**What to do:** {text.plain(finding.remedy)}")
        if finding.nodes:
            st.caption(f"At {text.names(finding.nodes)}.")
        if finding.evidence:
            st.caption(f"Evidence: {text.plain(finding.evidence)}")
        if action is not None:
            action(finding)
