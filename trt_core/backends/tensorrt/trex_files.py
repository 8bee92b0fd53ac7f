"""What TREx keeps beside an engine: `*.metadata.json`, in which trtexec's own words stand as options.

Three files are known: options of the build, options and summary of the profiled run, and a list of devices. All of them
come from strangers; what is not of the expected type is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trt_core.domain.precision import Precision

_LONGEST = 200
_LOWEST_LAST = (Precision.FP32, Precision.TF32, Precision.BF16, Precision.FP16, Precision.INT8, Precision.FP8)


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """`options` are the run's, as trtexec prints them; `asked` is the lowest precision that the build may use."""

    device: str = ""
    asked: Precision = Precision.UNKNOWN
    options: tuple[tuple[str, str], ...] = ()

    def merged(self, other: Metadata) -> Metadata:
        """What either of two files says; the first one counts where both do."""
        return Metadata(
            device=self.device or other.device,
            asked=self.asked if self.asked is not Precision.UNKNOWN else other.asked,
            options=self.options or other.options,
        )


def metadata_of(value: object) -> Metadata | None:
    """What a decoded file says; None for a file of another kind."""
    if isinstance(value, list) and value and isinstance(value[0], dict) and "ComputeCapability" in value[0]:
        return Metadata(device=_word(value[0].get("Name")))
    if not isinstance(value, dict):
        return None
    build, run, device = (
        _words(value.get(key)) for key in ("build_options", "inference_options", "device_information")
    )
    if not (build or run or device):
        return None
    return Metadata(
        device=device.get("Selected Device", ""), asked=_lowest(build.get("Precision", "")), options=tuple(run.items())
    )


def _lowest(words: str) -> Precision:
    """`FP32+FP16+INT8` is INT8; a word behind a precision in brackets, as trtexec adds, does not count."""
    said = {word.strip().partition(" ")[0].upper() for word in words.split("+")}
    return next((item for item in reversed(_LOWEST_LAST) if item.value.upper() in said), Precision.UNKNOWN)


def _words(value: object) -> dict[str, str]:
    fields: Mapping[Any, Any] = value if isinstance(value, dict) else {}
    return {str(key)[:_LONGEST]: _word(item) for key, item in list(fields.items())[:_LONGEST] if isinstance(item, str)}


def _word(value: object) -> str:
    return value[:_LONGEST] if isinstance(value, str) else ""
