"""Whose engine it is: one from elsewhere is not deserialized unless the operator allows it."""

from __future__ import annotations

from trt_core.errors import UnsupportedRequest
from trt_core.settings import Settings
from trt_core.store.decisions import DecisionBook


def check_origin(settings: Settings, build_id: str) -> None:
    """Refuse an engine that came in a project file; deserializing it could run code of whoever made the file."""
    decision = DecisionBook(settings.workspace).all().get(build_id)
    if decision is not None and decision.imported and not settings.foreign_engines:
        raise UnsupportedRequest(
            f"{build_id} came from elsewhere, and engines from elsewhere are not deserialized here.",
            remedy="Build it anew from its variant, or let the operator set ENGINESCOPE_FOREIGN_ENGINES=yes.",
        )
