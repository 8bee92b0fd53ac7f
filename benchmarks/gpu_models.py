"""Writes models of real size, with random weights, for the GPU benchmark: needs PyTorch and torchvision.

`python -m benchmarks.gpu_models FOLDER` writes resnet50.onnx, bert.onnx and vit.onnx (batch dynamic, opset 17), and
`done` after them. `python -m benchmarks.gpu_models FOLDER resnet50 squeezenet` writes these models alone, each with its
exported program (.pt2) beside it.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import nn


class Layer(nn.Module):
    """A transformer layer, attention spelled out."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.ModuleList([nn.Linear(width, width) for _ in range(3)])
        self.out, self.up, self.down = nn.Linear(width, width), nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x: Any) -> Any:
        _, length, width = x.shape
        q, k, v = (m(x).reshape(-1, length, self.heads, width // self.heads).transpose(1, 2) for m in self.qkv)
        weights = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(width // self.heads), dim=-1)
        x = self.first(x + self.out((weights @ v).transpose(1, 2).reshape(-1, length, width)))
        return self.second(x + self.down(nn.functional.gelu(self.up(x))))


class Encoder(nn.Module):
    """Twelve layers of width 768 over token ids: BERT-base in size."""

    def __init__(self, *, layers: int = 12, width: int = 768, length: int = 128) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(30522, width), nn.Parameter(torch.randn(1, length, width) * 0.02)
        self.layers = nn.Sequential(*(Layer(width, width // 64) for _ in range(layers)))
        self.head = nn.Linear(width, 10)

    def forward(self, x: Any) -> Any:
        return self.head(self.layers(self.tokens(x) + self.places)[:, 0])


def export(model: nn.Module, x: Any, path: Path) -> None:
    torch.onnx.export(
        model.eval(), (x,), str(path), input_names=["x"], output_names=["y"], opset_version=17, dynamo=False,
        dynamic_axes={"x": {0: "batch"}, "y": {0: "batch"}},
    )  # fmt: skip


def programs(folder: Path, names: list[str]) -> None:
    """Files and exported programs of the named models, from one and the same module each."""
    known = {"resnet50": torchvision.models.resnet50, "squeezenet": torchvision.models.squeezenet1_1}
    image, batch = torch.randn(8, 3, 224, 224), torch.export.Dim("batch", min=1, max=64)
    for name in names:
        model = known[name]().eval()
        export(model, image, folder / f"{name}.onnx")
        torch.export.save(torch.export.export(model, (image,), dynamic_shapes=({0: batch},)), folder / f"{name}.pt2")


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    if len(sys.argv) > 2:
        programs(folder, sys.argv[2:])
        return
    torch.backends.mha.set_fastpath_enabled(False)
    image = torch.randn(8, 3, 224, 224)
    export(torchvision.models.resnet50(), image, folder / "resnet50.onnx")
    export(Encoder(), torch.randint(0, 30522, (8, 128)), folder / "bert.onnx")
    vit = torchvision.models.vit_b_16()
    nn.init.normal_(vit.heads.head.weight, std=0.02)  # untrained, its head is all zeros, and so is every output
    export(vit, image, folder / "vit.onnx")
    (folder / "done").touch()


if __name__ == "__main__":
    main()
