"""Names that each target accepts: derived ones are made safe, given ones are refused with a proposal."""

from __future__ import annotations

import re

from trt_core.domain.passport import Passport
from trt_core.errors import InvalidInput

_TRITON = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?")  # RFC 1123, with room for suffixes such as -build


def triton_name(text: str) -> str:
    """A model name that is a plain folder name as well: letters, digits, `_` and `-`."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_-")[:63]
    return plain or "model"


def checked_triton_name(text: str) -> str:
    """The name as given; InvalidInput when Triton or a file system would not take it."""
    if not _TRITON.fullmatch(text):
        raise InvalidInput(
            f"{text[:80]!r} cannot name a model in Triton's repository.",
            remedy=f"Use letters, digits, _ and -, at most 63: {triton_name(text)} would do.",
        )
    return text


def kubernetes_name(text: str) -> str:
    """A label of RFC 1123 made from any text: lower case, digits and `-`."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:53].strip("-")
    return plain or "model"


def checked_kubernetes_name(text: str) -> str:
    """The name as given; InvalidInput when Kubernetes would refuse it."""
    if not _LABEL.fullmatch(text):
        raise InvalidInput(
            f"Kubernetes refuses the name {text[:80]!r}.",
            remedy=f"Use lower-case letters, digits and -, at most 53: {kubernetes_name(text)} would do.",
        )
    return text


def tag_of(passport: Passport) -> str:
    """`model_trt8.6_cuda12_sm90_fp16`: what an engine is bound to, in its name; what is not known is left out."""
    version = ".".join(passport.tensorrt.split(".")[:2])
    library = "rtx" if passport.backend == "rtx" else "trt"
    parts = [triton_name(passport.name).lower(), f"{library}{version}"]
    if passport.cuda:
        parts.append(f"cuda{passport.cuda.split('.')[0]}")
    if passport.targets:
        parts.append("sm" + "-".join(str(item.number) for item in passport.targets))
    return "_".join([*parts, passport.precision.value])
