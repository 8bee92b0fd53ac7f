"""What a backend cannot build, said before anything is queued."""

from __future__ import annotations

from trt_core.domain.capabilities import Capabilities
from trt_core.domain.option_support import unsupported_option, why_not_dla
from trt_core.domain.precision import Precision
from trt_core.domain.precision_support import why_not_precision
from trt_core.domain.requests import BuildSpec
from trt_core.errors import UnsupportedRequest


def check_limits(spec: BuildSpec, capabilities: Capabilities) -> None:
    """Raise UnsupportedRequest for an option, a DLA core or a precision that the backend does not have."""
    precision = spec.variant.recipe.precision
    if reason := unsupported_option(spec.options, capabilities):
        raise UnsupportedRequest(reason, remedy="Leave it out, or build where it is there.")
    if reason := why_not_dla(precision, spec.options):
        raise UnsupportedRequest(reason, remedy="Build FP16 or INT8 for it, or leave the DLA core out.")
    if reason := why_not_precision(precision, capabilities, spec.target):
        able = [item.value for item in Precision if not why_not_precision(item, capabilities, spec.target)]
        raise UnsupportedRequest(reason, remedy=f"Build {', '.join(able)}, or choose another target.")
