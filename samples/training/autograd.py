"""Reverse-mode differentiation over NumPy arrays: just the operators that the two classifiers need."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

Array = NDArray[np.float32]
Pull = Callable[[Array], Sequence[Array]]


class Tensor:
    """An array that remembers which operator made it, so that gradients can flow back."""

    def __init__(self, value: Array, parents: Sequence[Tensor] = (), pull: Pull | None = None) -> None:
        self.value = np.asarray(value, np.float32)
        self.grad: Array | None = None
        self.parents = parents
        self.pull = pull

    def __add__(self, other: Tensor) -> Tensor:
        return Tensor(
            self.value + other.value,
            (self, other),
            lambda g: (_summed_to(g, self.value.shape), _summed_to(g, other.value.shape)),
        )

    def __matmul__(self, other: Tensor) -> Tensor:
        return Tensor(
            self.value @ other.value,
            (self, other),
            lambda g: (
                _summed_to(g @ other.value.swapaxes(-1, -2), self.value.shape),
                _weight_gradient(self.value, g, other.value.shape),
            ),
        )

    def scaled(self, factor: float) -> Tensor:
        return Tensor(self.value * np.float32(factor), (self,), lambda g: (g * np.float32(factor),))

    def reshape(self, *shape: int) -> Tensor:
        return Tensor(self.value.reshape(shape), (self,), lambda g: (g.reshape(self.value.shape),))

    def transpose(self, *axes: int) -> Tensor:
        back = tuple(np.argsort(axes))
        return Tensor(self.value.transpose(axes), (self,), lambda g: (g.transpose(back),))

    def mean(self, axes: tuple[int, ...]) -> Tensor:
        count = int(np.prod([self.value.shape[axis] for axis in axes]))

        def pull(g: Array) -> Sequence[Array]:
            return (np.broadcast_to(np.expand_dims(g, axes), self.value.shape) / np.float32(count),)

        return Tensor(self.value.mean(axis=axes), (self,), pull)

    def backward(self) -> None:
        """Fill `grad` of every tensor that this scalar depends on."""
        self.grad = np.ones_like(self.value)
        for node in reversed(_topological(self)):
            if node.pull is None or node.grad is None:
                continue
            for parent, grad in zip(node.parents, node.pull(node.grad), strict=True):
                parent.grad = grad if parent.grad is None else parent.grad + grad


def relu(x: Tensor) -> Tensor:
    return Tensor(np.maximum(x.value, 0), (x,), lambda g: (g * (x.value > 0),))


def gelu(x: Tensor) -> Tensor:
    """Gaussian error linear unit in its exact, error-function form."""
    cdf = np.float32(0.5) * (1 + erf(x.value / np.float32(np.sqrt(2)))).astype(np.float32)
    density = np.exp(-(x.value**2) / 2) / np.float32(np.sqrt(2 * np.pi))
    return Tensor(x.value * cdf, (x,), lambda g: (g * (cdf + x.value * density),))


def softmax(x: Tensor) -> Tensor:
    """Softmax over the last axis."""
    raised = np.exp(x.value - x.value.max(axis=-1, keepdims=True))
    out = raised / raised.sum(axis=-1, keepdims=True)
    return Tensor(out, (x,), lambda g: (out * (g - (g * out).sum(axis=-1, keepdims=True)),))


def normalize(x: Tensor, gain: Tensor, bias: Tensor, axes: tuple[int, ...], epsilon: float = 1e-5) -> Tensor:
    """Standardize over `axes`, then scale and shift the last axis: LayerNorm over (-1,), BatchNorm over the rest."""
    mean = x.value.mean(axis=axes, keepdims=True)
    inverse = 1 / np.sqrt(x.value.var(axis=axes, keepdims=True) + np.float32(epsilon))
    unit = (x.value - mean) * inverse

    def pull(g: Array) -> Sequence[Array]:
        scaled = g * gain.value
        centred = scaled - scaled.mean(axis=axes, keepdims=True) - unit * (scaled * unit).mean(axis=axes, keepdims=True)
        return centred * inverse, _summed_to(g * unit, gain.value.shape), _summed_to(g, bias.value.shape)

    return Tensor(unit * gain.value + bias.value, (x, gain, bias), pull)


def convolve(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    """Convolve `x` [N, H, W, C] with `weight` [K, K, C, F], zero padding K // 2 on each side."""
    kernel, _, channels, filters = weight.value.shape
    pad = kernel // 2
    padded = np.pad(x.value, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), axis=(1, 2))[:, ::stride, ::stride]
    batch, height, width = windows.shape[:3]
    columns = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, kernel * kernel * channels)
    flat = weight.value.reshape(-1, filters)

    def pull(g: Array) -> Sequence[Array]:
        rows = g.reshape(-1, filters)
        spread = (rows @ flat.T).reshape(batch, height, width, kernel, kernel, channels)
        grad = np.zeros_like(padded)
        for top in range(kernel):
            for left in range(kernel):
                rows_hit = slice(top, top + height * stride, stride)
                columns_hit = slice(left, left + width * stride, stride)
                grad[:, rows_hit, columns_hit] += spread[:, :, :, top, left]
        inner = grad[:, pad : pad + x.value.shape[1], pad : pad + x.value.shape[2]]
        return inner, (columns.T @ rows).reshape(weight.value.shape)

    return Tensor((columns @ flat).reshape(batch, height, width, filters), (x, weight), pull)


def cross_entropy(logits: Tensor, labels: NDArray[np.int64], smoothing: float = 0.05) -> Tensor:
    """Mean cross-entropy of `logits` [N, classes] against smoothed `labels` [N]."""
    count, classes = logits.value.shape
    shifted = logits.value - logits.value.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    target = np.full((count, classes), smoothing / classes, np.float32)
    target[np.arange(count), labels] += 1 - smoothing
    loss = -(target * log_p).sum() / count
    return Tensor(loss, (logits,), lambda g: (g * (np.exp(log_p) - target) / np.float32(count),))


class Adam:
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019) and a cosine learning-rate schedule."""

    def __init__(self, parameters: Sequence[Tensor], *, rate: float, steps: int, decay: float) -> None:
        self._parameters = parameters
        self._rate, self._steps, self._decay = rate, steps, decay
        self._first = [np.zeros_like(p.value) for p in parameters]
        self._second = [np.zeros_like(p.value) for p in parameters]
        self._step = 0

    def update(self) -> None:
        """Move every parameter against its gradient, then clear the gradients."""
        self._step += 1
        warm = min(1.0, self._step / (0.05 * self._steps))
        rate = self._rate * warm * 0.5 * (1 + np.cos(np.pi * self._step / self._steps))
        for index, parameter in enumerate(self._parameters):
            grad = parameter.grad
            if grad is None:
                continue
            self._first[index] = 0.9 * self._first[index] + 0.1 * grad
            self._second[index] = 0.99 * self._second[index] + 0.01 * grad**2
            first = self._first[index] / (1 - 0.9**self._step)
            second = self._second[index] / (1 - 0.99**self._step)
            shrink = self._decay if parameter.value.ndim > 1 else 0.0
            moved = parameter.value - rate * (first / (np.sqrt(second) + 1e-8) + shrink * parameter.value)
            parameter.value = moved.astype(np.float32)
            parameter.grad = None


def _summed_to(grad: Array, shape: tuple[int, ...]) -> Array:
    extra = tuple(range(grad.ndim - len(shape)))
    grad = grad.sum(axis=extra)
    widened = tuple(axis for axis, size in enumerate(shape) if size == 1 and grad.shape[axis] != 1)
    return grad.sum(axis=widened, keepdims=True) if widened else grad


def _weight_gradient(left: Array, grad: Array, shape: tuple[int, ...]) -> Array:
    # One flat product is many times faster than a batched one that is summed afterwards.
    if len(shape) == 2:
        return left.reshape(-1, left.shape[-1]).T @ grad.reshape(-1, grad.shape[-1])
    return _summed_to(left.swapaxes(-1, -2) @ grad, shape)


def _topological(root: Tensor) -> list[Tensor]:
    order: list[Tensor] = []
    seen: set[int] = set()
    stack: list[tuple[Tensor, bool]] = [(root, False)]
    while stack:
        node, expanded = stack.pop()
        if expanded:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((parent, False) for parent in node.parents)
    return order
