"""Models for the tests of the exporter: files of Python, lively random weights, and a classifier with real weights."""

from __future__ import annotations

import shutil
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx.numpy_helper
import torch
from hardset._optional import need
from PIL import Image
from torch import nn

import onnx

#: A file of Python whose `build` gives a small classifier; tests replace lines of it.
OWN = """
import torch
from torch import nn
from torchvision import transforms as T

STEPS = [T.Resize(72), T.CenterCrop(64), T.ToTensor(), T.Normalize([0.5] * 3, [0.25] * 3)]

class Small(nn.Module):
    def __init__(self, classes=12):
        super().__init__()
        torch.manual_seed(1)
        self.features = nn.Sequential(nn.Conv2d(3, 16, 5, 4), nn.ReLU(), nn.AvgPool2d(5), nn.Flatten())
        self.head = nn.Linear(144, classes)

    def forward(self, x):
        return self.head(self.features(x))

def build():
    return Small(), T.Compose(STEPS)
"""

#: Its last line, for tests that replace it.
END = "return self.head(self.features(x))"


def own_file(folder: Path, changes: dict[str, str] | None = None, more: str = "") -> str:
    """`OWN` with `changes`, as the exporter takes it."""
    text = OWN
    for old, new in (changes or {}).items():
        assert old in text, old
        text = text.replace(old, new)
    file = folder / "own.py"
    file.write_text(text + more)
    return f"{file}:build"


def unnamed_photographs(data: Path, folder: Path, count: int) -> Path:
    """`count` photographs under names that do not say their class, spread over all of them."""
    files = sorted((data / "photos").iterdir())
    to = folder / "photographs"
    to.mkdir()
    for at in range(count):
        shutil.copyfile(files[at * len(files) // count], to / f"{at:04}.JPEG")
    return to


def picture_bomb(file: Path, side_px: int) -> None:
    """A PNG of a few bytes that says it is `side_px` high and wide."""
    header = struct.pack(">IIBBBBB", side_px, side_px, 8, 2, 0, 0, 0)
    chunks = b""
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")):
        chunks += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


def vit_folder(folder: Path) -> Path:
    """A ViT of transformers with 12 named classes and random weights, as `save_pretrained` writes it."""
    transformers = need("transformers")
    config = transformers.ViTConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=16
    )
    config.id2label = {at: f"thing {at}" for at in range(12)}
    torch.manual_seed(0)
    transformers.ViTForImageClassification(config).save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def resnet_folder(folder: Path) -> Path:
    """As `vit_folder`, a ResNet, whose batch normalisation counts batches."""
    transformers = need("transformers")
    config = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 8], depths=[1, 1], layer_type="basic")
    transformers.ResNetForImageClassification(config).save_pretrained(folder)
    transformers.ConvNextImageProcessor(size={"shortest_edge": 32}).save_pretrained(folder)
    return folder


def without_weights(folder: Path, words: str) -> None:
    """Takes all tensors that have these words in their names out of the checkpoint in `folder`."""
    file, numbers = folder / "model.safetensors", need("safetensors.torch")
    tensors = numbers.load_file(file)
    left = {name: value.clone() for name, value in tensors.items() if words not in name}
    assert len(left) < len(tensors)
    numbers.save_file(left, file, metadata={"format": "pt"})


def enliven(module: nn.Module, own: Any, images: Sequence[Image.Image], classes: int = 1000) -> None:
    """Changes random weights so that photographs get different classes, as those of a trained model do.

    Batch normalisation gets the statistics of `images`. The head is scaled so that logits have a spread of 3 over
    photographs, and centred so that no class is always the first.
    """
    batch = torch.stack([own(image) for image in images])
    norms = [one for one in module.modules() if isinstance(one, nn.modules.batchnorm._BatchNorm)]
    module.eval()
    with torch.no_grad():
        for one in norms:
            one.reset_running_stats()
            one.momentum = None
            one.train()
        module(batch)
        module.eval()
        heads = [one for one in module.modules() if isinstance(one, nn.Linear) and one.out_features == classes]
        (head,) = heads
        # Some heads begin as zeros.
        head.weight.normal_(std=0.02)
        logits = module(batch)
        centre = logits.mean(dim=0)
        factor = 3 / (logits - centre).std()
        head.weight *= factor
        head.bias -= centre
        head.bias *= factor


class OfGraph(nn.Module):
    """A MobileNet of the test data in torch: its graph has five kinds of nodes. So the tests have a trained model."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        graph = onnx.load(file).graph
        self.nodes = list(graph.node)
        self.input = graph.input[0].name
        self.values = {one.name: torch.tensor(onnx.numpy_helper.to_array(one)) for one in graph.initializer}

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        values = {**self.values, self.input: image}
        for node in self.nodes:
            values[node.output[0]] = self._call(node, [values[name] for name in node.input if name])
        return values[self.nodes[-1].output[0]].flatten(1)

    @staticmethod
    def _call(node: onnx.NodeProto, given: list[torch.Tensor]) -> torch.Tensor:
        attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
        if node.op_type == "Conv":
            top, left, bottom, right = attributes["pads"]
            padded = nn.functional.pad(given[0], (left, right, top, bottom))
            stride, groups = attributes["strides"], attributes["group"]
            return nn.functional.conv2d(padded, *given[1:], stride=stride, groups=groups)
        if node.op_type == "Clip":
            return given[0].clamp(0, 6)
        if node.op_type == "Add":
            return given[0] + given[1]
        if node.op_type == "AveragePool":
            return given[0].mean(dim=(2, 3), keepdim=True)
        assert node.op_type == "Reshape"
        return given[0]
