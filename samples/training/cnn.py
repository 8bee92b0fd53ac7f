"""A residual convolutional network for 16 x 16 digits."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx

from samples.training.autograd import Array, Tensor, convolve, normalize, relu
from samples.training.graph import CLASSES, GraphWriter

EPSILON = 1e-5
MOMENTUM = 0.05


@dataclass(frozen=True, kw_only=True)
class ConvUnit:
    """One Conv + BatchNormalization, `scope` being its place in the graph."""

    scope: str
    kernel: int
    inside: int
    outside: int
    stride: int = 1


def _block(scope: str, inside: int, outside: int, stride: int) -> list[ConvUnit]:
    units = [
        ConvUnit(scope=f"{scope}/conv1", kernel=3, inside=inside, outside=outside, stride=stride),
        ConvUnit(scope=f"{scope}/conv2", kernel=3, inside=outside, outside=outside),
    ]
    if stride > 1:
        units.append(ConvUnit(scope=f"{scope}/downsample", kernel=1, inside=inside, outside=outside, stride=stride))
    return units


BLOCKS = [
    ("/stage1/block0", _block("/stage1/block0", 16, 16, 1)),
    ("/stage2/block0", _block("/stage2/block0", 16, 32, 2)),
    ("/stage2/block1", _block("/stage2/block1", 32, 32, 1)),
    ("/stage3/block0", _block("/stage3/block0", 32, 64, 2)),
]
STEM = ConvUnit(scope="/stem/conv1", kernel=3, inside=1, outside=16)


@dataclass
class DigitsCnn:
    """Stem, four residual blocks, global average pooling and a linear head."""

    weights: dict[str, Tensor] = field(default_factory=dict)
    running: dict[str, tuple[Array, Array]] = field(default_factory=dict)

    @classmethod
    def initialised(cls, rng: np.random.Generator) -> DigitsCnn:
        network = cls()
        for unit in [STEM, *(unit for _, units in BLOCKS for unit in units)]:
            shape = (unit.kernel, unit.kernel, unit.inside, unit.outside)
            spread = np.sqrt(2 / (unit.kernel**2 * unit.inside))
            network.weights[f"{unit.scope}/weight"] = Tensor(rng.normal(0, spread, shape))
            network.weights[f"{unit.scope}/scale"] = Tensor(np.ones(unit.outside))
            network.weights[f"{unit.scope}/bias"] = Tensor(np.zeros(unit.outside))
            network.running[unit.scope] = (np.zeros(unit.outside, np.float32), np.ones(unit.outside, np.float32))
        network.weights["/head/weight"] = Tensor(rng.normal(0, 0.1, (64, CLASSES)))
        network.weights["/head/bias"] = Tensor(np.zeros(CLASSES))
        return network

    def logits(self, images: Array) -> Tensor:
        """Training-mode logits [N, 10] of `images` [N, 1, 16, 16]; moves the running statistics along."""
        x = relu(self._unit(Tensor(images.transpose(0, 2, 3, 1)), STEM))
        for _, units in BLOCKS:
            branch = self._unit(relu(self._unit(x, units[0])), units[1])
            x = relu(branch + (self._unit(x, units[2]) if len(units) > 2 else x))
        return x.mean((1, 2)) @ self.weights["/head/weight"] + self.weights["/head/bias"]

    def exported(self) -> onnx.ModelProto:
        """The inference form: BatchNormalization nodes with the running statistics."""
        writer = GraphWriter()
        x = writer.node("Relu", "/stem", [self._exported_unit(writer, "image", STEM)])
        for scope, units in BLOCKS:
            inner = writer.node("Relu", f"{scope}/act1", [self._exported_unit(writer, x, units[0])])
            branch = self._exported_unit(writer, inner, units[1])
            skip = self._exported_unit(writer, x, units[2]) if len(units) > 2 else x
            x = writer.node("Relu", f"{scope}/act2", [writer.node("Add", scope, [branch, skip])])
        pooled = writer.node("GlobalAveragePool", "/head/pool", [x])
        flat = writer.node("Flatten", "/head", [pooled], axis=1)
        weight = writer.weight("head.weight", self.weights["/head/weight"].value.T)
        bias = writer.weight("head.bias", self.weights["/head/bias"].value)
        logits = writer.node("Gemm", "/head", [flat, weight, bias], transB=1)
        return writer.model("digits_cnn", image=["batch", 1, 16, 16], output=logits)

    def _unit(self, x: Tensor, unit: ConvUnit) -> Tensor:
        made = convolve(x, self.weights[f"{unit.scope}/weight"], unit.stride)
        mean, variance = self.running[unit.scope]
        fresh_mean, fresh_variance = made.value.mean(axis=(0, 1, 2)), made.value.var(axis=(0, 1, 2))
        self.running[unit.scope] = (
            mean + MOMENTUM * (fresh_mean - mean),
            variance + MOMENTUM * (fresh_variance - variance),
        )
        scale, bias = self.weights[f"{unit.scope}/scale"], self.weights[f"{unit.scope}/bias"]
        return normalize(made, scale, bias, (0, 1, 2), EPSILON)

    def _exported_unit(self, writer: GraphWriter, source: str, unit: ConvUnit) -> str:
        dotted = unit.scope.strip("/").replace("/", ".")
        weight = self.weights[f"{unit.scope}/weight"].value.transpose(3, 2, 0, 1)
        pad = unit.kernel // 2
        made = writer.node(
            "Conv",
            unit.scope,
            [source, writer.weight(f"{dotted}.weight", weight)],
            kernel_shape=[unit.kernel] * 2,
            pads=[pad] * 4,
            strides=[unit.stride] * 2,
        )
        mean, variance = self.running[unit.scope]
        normal = unit.scope.replace("conv", "bn")
        parameters = {
            "scale": self.weights[f"{unit.scope}/scale"].value,
            "bias": self.weights[f"{unit.scope}/bias"].value,
            "running_mean": mean,
            "running_var": variance,
        }
        named = normal.strip("/").replace("/", ".")
        inputs = [writer.weight(f"{named}.{name}", value) for name, value in parameters.items()]
        return writer.node("BatchNormalization", normal, [made, *inputs], epsilon=EPSILON)
