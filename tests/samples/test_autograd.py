"""The gradients that trained the samples agree with finite differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from samples.training.autograd import Tensor, convolve, cross_entropy, gelu, normalize, relu, softmax

RNG = np.random.default_rng(3)
CHANNELS = Tensor(RNG.normal(size=4)), Tensor(RNG.normal(size=4))
KERNEL = Tensor(RNG.normal(size=(3, 3, 4, 2)))
LABELS = np.array([1, 3])


@pytest.mark.parametrize(
    "through",
    [
        relu,
        gelu,
        softmax,
        lambda x: normalize(x, *CHANNELS, (-1,)),
        lambda x: normalize(x, *CHANNELS, (0, 1, 2)),
        lambda x: convolve(x, KERNEL, 1),
        lambda x: convolve(x, KERNEL, 2),
        lambda x: x.transpose(0, 2, 1, 3) @ x.transpose(0, 2, 3, 1),
    ],
    ids=["relu", "gelu", "softmax", "layer norm", "batch norm", "conv", "strided conv", "matmul"],
)
def test_gradient_agrees_with_finite_differences(through: Callable[[Tensor], Tensor]) -> None:
    rng = np.random.default_rng(4)
    start = rng.normal(size=(2, 6, 6, 4)).astype(np.float32)
    head = Tensor(rng.normal(size=(through(Tensor(start)).value[0].size, 5)) * 0.1)
    direction = rng.normal(size=start.shape).astype(np.float32)

    def loss(x: Tensor) -> Tensor:
        return cross_entropy(through(x).reshape(2, -1) @ head, LABELS)

    x = Tensor(start)
    loss(x).backward()
    step = 1e-3
    ahead, behind = (float(loss(Tensor(start + sign * step * direction)).value) for sign in (1, -1))

    assert float((x.grad * direction).sum()) == pytest.approx((ahead - behind) / (2 * step), rel=0.02, abs=2e-3)
