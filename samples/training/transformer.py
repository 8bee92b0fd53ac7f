"""A small vision transformer for 16 x 16 digits, and the rescaling that gives it outlier channels."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx

from samples.training.autograd import Array, Tensor, gelu, normalize, softmax
from samples.training.graph import CLASSES, GraphWriter

PATCH = 4
TOKENS = 16
WIDTH = 64
HEADS = 4
HIDDEN = 128
LAYERS = 3
EPSILON = 1e-5


@dataclass(frozen=True, kw_only=True)
class Outlier:
    """Channels of a LayerNorm output that are multiplied by `factor`; the weights that read them are divided by it."""

    norm: str
    readers: tuple[str, ...]
    channels: tuple[int, ...]
    factor: float


OUTLIERS = (
    Outlier(norm="/encoder/layer0/ffn_norm", readers=("/encoder/layer0/ffn/up",), channels=(7, 41), factor=64.0),
    Outlier(norm="/encoder/layer2/ffn_norm", readers=("/encoder/layer2/ffn/up",), channels=(19, 50), factor=128.0),
)


@dataclass
class DigitsTransformer:
    """Patch embedding, three pre-norm encoder layers, mean pooling and a linear head."""

    weights: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def initialised(cls, rng: np.random.Generator) -> DigitsTransformer:
        network = cls()
        network._linear(rng, "/embedding/patch", PATCH * PATCH, WIDTH)
        network.weights["/embedding/position"] = Tensor(rng.normal(0, 0.02, (TOKENS, WIDTH)))
        for scope in _layers():
            network._norm(f"{scope}/attention_norm")
            for part in ("query", "key", "value", "output"):
                network._linear(rng, f"{scope}/attention/{part}", WIDTH, WIDTH)
            network._norm(f"{scope}/ffn_norm")
            network._linear(rng, f"{scope}/ffn/up", WIDTH, HIDDEN)
            network._linear(rng, f"{scope}/ffn/down", HIDDEN, WIDTH)
        network._norm("/head/norm")
        network._linear(rng, "/head", WIDTH, CLASSES)
        return network

    def logits(self, images: Array) -> Tensor:
        """Logits [N, 10] of `images` [N, 1, 16, 16]."""
        count = len(images)
        grid = images.reshape(count, 4, PATCH, 4, PATCH).transpose(0, 1, 3, 2, 4)
        x = self._apply("/embedding/patch", Tensor(grid.reshape(count, TOKENS, PATCH * PATCH)))
        x = x + self.weights["/embedding/position"]
        for scope in _layers():
            x = x + self._attention(f"{scope}/attention", self._normal(f"{scope}/attention_norm", x))
            hidden = gelu(self._apply(f"{scope}/ffn/up", self._normal(f"{scope}/ffn_norm", x)))
            x = x + self._apply(f"{scope}/ffn/down", hidden)
        return self._apply("/head", self._normal("/head/norm", x).mean((1,)))

    def give_outliers(self) -> None:
        """Rescale the channels in `OUTLIERS`; in exact arithmetic the network computes the same function."""
        for outlier in OUTLIERS:
            channels = list(outlier.channels)
            for name in (f"{outlier.norm}/scale", f"{outlier.norm}/bias"):
                self.weights[name].value[channels] *= np.float32(outlier.factor)
            for reader in outlier.readers:
                self.weights[f"{reader}/weight"].value[channels] /= np.float32(outlier.factor)

    def exported(self) -> onnx.ModelProto:
        """The ONNX graph, with the patch embedding as a Conv and GELU spelled out with Erf."""
        writer = GraphWriter()
        x = self._exported_embedding(writer)
        for scope in _layers():
            normal = self._exported_norm(writer, f"{scope}/attention_norm", x)
            x = writer.node("Add", f"{scope}/attention_residual", [x, self._exported_attention(writer, scope, normal)])
            normal = self._exported_norm(writer, f"{scope}/ffn_norm", x)
            hidden = _exported_gelu(writer, f"{scope}/ffn/gelu", self._exported(writer, f"{scope}/ffn/up", normal))
            x = writer.node("Add", f"{scope}/ffn_residual", [x, self._exported(writer, f"{scope}/ffn/down", hidden)])
        normal = self._exported_norm(writer, "/head/norm", x)
        pooled = writer.node("ReduceMean", "/head/pool", [normal], axes=[1], keepdims=0)
        weight = writer.weight("head.weight", self.weights["/head/weight"].value.T)
        bias = writer.weight("head.bias", self.weights["/head/bias"].value)
        logits = writer.node("Gemm", "/head", [pooled, weight, bias], transB=1)
        return writer.model("digits_transformer", image=["batch", 1, 16, 16], output=logits)

    def _linear(self, rng: np.random.Generator, scope: str, inside: int, outside: int) -> None:
        self.weights[f"{scope}/weight"] = Tensor(rng.normal(0, np.sqrt(1 / inside), (inside, outside)))
        self.weights[f"{scope}/bias"] = Tensor(np.zeros(outside))

    def _norm(self, scope: str) -> None:
        self.weights[f"{scope}/scale"] = Tensor(np.ones(WIDTH))
        self.weights[f"{scope}/bias"] = Tensor(np.zeros(WIDTH))

    def _apply(self, scope: str, x: Tensor) -> Tensor:
        return x @ self.weights[f"{scope}/weight"] + self.weights[f"{scope}/bias"]

    def _normal(self, scope: str, x: Tensor) -> Tensor:
        return normalize(x, self.weights[f"{scope}/scale"], self.weights[f"{scope}/bias"], (-1,), EPSILON)

    def _attention(self, scope: str, x: Tensor) -> Tensor:
        depth = WIDTH // HEADS
        query, key, value = (
            self._apply(f"{scope}/{part}", x).reshape(-1, TOKENS, HEADS, depth).transpose(0, 2, 1, 3)
            for part in ("query", "key", "value")
        )
        shares = softmax((query @ key.transpose(0, 1, 3, 2)).scaled(depth**-0.5))
        mixed = (shares @ value).transpose(0, 2, 1, 3).reshape(-1, TOKENS, WIDTH)
        return self._apply(f"{scope}/output", mixed)

    def _exported(self, writer: GraphWriter, scope: str, source: str) -> str:
        dotted = scope.strip("/").replace("/", ".")
        weight = writer.weight(f"{dotted}.weight", self.weights[f"{scope}/weight"].value)
        product = writer.node("MatMul", scope, [source, weight])
        bias = writer.weight(f"{dotted}.bias", self.weights[f"{scope}/bias"].value)
        return writer.node("Add", scope, [product, bias])

    def _exported_norm(self, writer: GraphWriter, scope: str, source: str) -> str:
        dotted = scope.strip("/").replace("/", ".")
        scale = writer.weight(f"{dotted}.scale", self.weights[f"{scope}/scale"].value)
        bias = writer.weight(f"{dotted}.bias", self.weights[f"{scope}/bias"].value)
        return writer.node("LayerNormalization", scope, [source, scale, bias], axis=-1, epsilon=EPSILON)

    def _exported_embedding(self, writer: GraphWriter) -> str:
        kernel = self.weights["/embedding/patch/weight"].value.reshape(PATCH, PATCH, 1, WIDTH).transpose(3, 2, 0, 1)
        inputs = [
            "image",
            writer.weight("embedding.patch.weight", kernel),
            writer.weight("embedding.patch.bias", self.weights["/embedding/patch/bias"].value),
        ]
        scope = "/embedding"
        grid = writer.node("Conv", f"{scope}/patch", inputs, kernel_shape=[PATCH] * 2, strides=[PATCH] * 2)
        shape = writer.weight("embedding.shape", np.array([0, WIDTH, TOKENS], np.int64))
        flat = writer.node("Reshape", f"{scope}/flatten", [grid, shape])
        tokens = writer.node("Transpose", f"{scope}/tokens", [flat], perm=[0, 2, 1])
        position = writer.weight("embedding.position", self.weights["/embedding/position"].value)
        return writer.node("Add", f"{scope}/position", [tokens, position])

    def _exported_attention(self, writer: GraphWriter, layer: str, source: str) -> str:
        scope = f"{layer}/attention"
        dotted = scope.strip("/").replace("/", ".")
        split = writer.weight(f"{dotted}.split", np.array([0, TOKENS, HEADS, WIDTH // HEADS], np.int64))
        heads = {}
        for part, order in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3])):
            made = self._exported(writer, f"{scope}/{part}", source)
            heads[part] = writer.node(
                "Transpose", f"{scope}/{part}", [writer.node("Reshape", f"{scope}/{part}", [made, split])], perm=order
            )
        scores = writer.node("MatMul", f"{scope}/scores", [heads["query"], heads["key"]])
        scale = writer.weight(f"{dotted}.scale", np.array((WIDTH // HEADS) ** -0.5, np.float32))
        scaled = writer.node("Mul", f"{scope}/scores", [scores, scale])
        shares = writer.node("Softmax", scope, [scaled], axis=-1)
        mixed = writer.node("MatMul", f"{scope}/context", [shares, heads["value"]])
        turned = writer.node("Transpose", f"{scope}/context", [mixed], perm=[0, 2, 1, 3])
        join = writer.weight(f"{dotted}.join", np.array([0, TOKENS, WIDTH], np.int64))
        return self._exported(writer, f"{scope}/output", writer.node("Reshape", f"{scope}/context", [turned, join]))


def _exported_gelu(writer: GraphWriter, scope: str, source: str) -> str:
    dotted = scope.strip("/").replace("/", ".")
    root = writer.weight(f"{dotted}.root_two", np.array(np.sqrt(2), np.float32))
    one = writer.weight(f"{dotted}.one", np.array(1, np.float32))
    half = writer.weight(f"{dotted}.half", np.array(0.5, np.float32))
    error = writer.node("Erf", scope, [writer.node("Div", scope, [source, root])])
    gated = writer.node("Mul", f"{scope}/gate", [source, writer.node("Add", scope, [error, one])])
    return writer.node("Mul", f"{scope}/half", [gated, half])


def _layers() -> list[str]:
    return [f"/encoder/layer{index}" for index in range(LAYERS)]
