"""Which precision can be asked for, and why not."""

from __future__ import annotations

import pytest

from trt_core.domain.capabilities import Capabilities
from trt_core.domain.engine import Sm
from trt_core.domain.precision import Precision
from trt_core.domain.precision_support import why_not_precision

ALL = Capabilities(backend="rtx", title="A compiler", precisions=tuple(Precision))
ADA, AMPERE, TURING = (Sm(major=major, minor=minor) for major, minor in ((8, 9), (8, 6), (7, 5)))


@pytest.mark.parametrize(
    ("precision", "target", "possible"),
    [
        (Precision.FP8, ADA, True),
        (Precision.FP8, AMPERE, False),
        (Precision.BF16, AMPERE, True),
        (Precision.BF16, TURING, False),
        (Precision.INT8, TURING, True),
    ],
)
def test_a_format_needs_the_tensor_cores_that_have_it(precision, target, possible):
    reason = why_not_precision(precision, ALL, target)

    assert (reason == "") is possible
    assert possible or str(target) in reason


def test_a_backend_without_the_precision_says_so():
    assert "does not build FP8" in why_not_precision(Precision.FP8, Capabilities(backend="x", title="X"), ADA)
