"""Eighteen architectures: graph and model, and program and model, on 100 photographs each.

Weights are random, and changed so that photographs get different classes as those of a trained model do
(`models.enliven`). The rule for near ties: the two largest logits are closer than twice the bound of the graph's
difference (1e-4 of the image's largest logit), because both may move by it.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from conftest import need_package
from hardset.export import export
from hardset.export._check import photographs
from hardset.export._models import Ask, load

need_package("torch", "torchvision", "timm", "transformers", "onnx", "onnxruntime")
import torch  # noqa: E402 (after the check)
import transformers  # noqa: E402

from models import enliven, unnamed_photographs  # noqa: E402

pytestmark = pytest.mark.slow
COUNT = 100
TIMM = [
    "resnet18",
    "vit_tiny_patch16_224",
    "convnext_atto",
    "tf_efficientnet_lite0",
    "mobilenetv3_small_100",
    "regnety_002",
    "swin_tiny_patch4_window7_224",
    "mixer_s32_224",
    "edgenext_xx_small",
    "poolformer_s12",
]
TORCHVISION = ["resnet18", "mobilenet_v3_small", "shufflenet_v2_x0_5", "efficientnet_b0", "swin_t"]


@pytest.fixture(scope="module")
def shown(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unnamed_photographs(data, tmp_path_factory.mktemp("shown"), COUNT)


def check(source: str, shown: Path, folder: Path, weights: Path | None = None) -> None:
    """The one place that says what is asked of an architecture."""
    begun = time.monotonic()
    made = export(source, folder / "out", photographs=shown, count=COUNT, weights=weights, program=True)
    compared, held = made.compared, made.held
    assert held is not None
    assert compared.photographs == held.photographs == COUNT
    assert compared.worst <= 1e-4
    assert held.equal + held.near_ties >= COUNT
    assert held.equal >= COUNT - held.near_ties
    # Else equal classes would show nothing.
    assert compared.top_classes >= 10
    assert held.near_ties <= 5
    figures = {
        "source": source if weights else Path(source).name,
        "worst": f"{compared.worst:.1e}",
        "pixels": f"{compared.worst_pixels:.1e}",
        "classes": compared.top_classes,
        "near_ties": held.near_ties,
        "equal": held.equal,
        "secs": round(time.monotonic() - begun, 1),
    }
    print("\n" + json.dumps(figures))


def lively(source: str, shown: Path, folder: Path) -> Path:
    model = load(Ask(source, random=True))
    images = [one.image for one in photographs(shown, 64)]
    enliven(model.module.requires_grad_(False), model.own, images)
    file = folder / "weights.pt"
    torch.save(model.module.state_dict(), file)
    return file


@pytest.mark.parametrize("name", TIMM)
def test_timm(name: str, shown: Path, program: Path, tmp_path: Path) -> None:
    check(f"timm:{name}", shown, tmp_path, lively(f"timm:{name}", shown, tmp_path))


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision(name: str, shown: Path, program: Path, tmp_path: Path) -> None:
    check(f"torchvision:{name}", shown, tmp_path, lively(f"torchvision:{name}", shown, tmp_path))


def vit() -> tuple[object, object]:
    config = transformers.ViTConfig(
        hidden_size=96, num_hidden_layers=4, num_attention_heads=3, intermediate_size=192, num_labels=1000
    )
    return transformers.ViTForImageClassification(config), transformers.ViTImageProcessorPil()


def resnet() -> tuple[object, object]:
    config = transformers.ResNetConfig(
        embedding_size=16, hidden_sizes=[16, 32, 64, 128], depths=[1, 1, 2, 1], num_labels=1000, layer_type="basic"
    )
    processor = transformers.ConvNextImageProcessorPil(size={"shortest_edge": 224}, crop_pct=0.875)
    return transformers.ResNetForImageClassification(config), processor


def mobilevit() -> tuple[object, object]:
    config = transformers.MobileViTConfig(
        hidden_sizes=[48, 64, 80], neck_hidden_sizes=[16, 16, 24, 48, 64, 80, 320], num_labels=1000
    )
    processor = transformers.MobileViTImageProcessorPil(
        size={"shortest_edge": 288}, crop_size={"height": 256, "width": 256}
    )
    return transformers.MobileViTForImageClassification(config), processor


@pytest.mark.parametrize("make", [vit, resnet, mobilevit])
def test_transformers(make, shown: Path, program: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, processor = make()
    folder = tmp_path / make.__name__
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    source = f"transformers:{folder}"
    loaded = load(Ask(source))
    enliven(loaded.module, loaded.own, [one.image for one in photographs(shown, 64)])
    loaded.module.model.save_pretrained(folder)
    check(source, shown, tmp_path)


@pytest.mark.parametrize("name", ["clip-tiny", "siglip-tiny", "siglip2-tiny"])
def test_two_towers(name: str, data: Path, shown: Path, program: Path, tmp_path: Path) -> None:
    need_package("sentencepiece")
    made = export(f"transformers:{data / 'parity' / name}", tmp_path, photographs=shown, count=COUNT, program=True)
    held = made.held
    assert held is not None
    assert made.worst_texts is not None
    assert max(made.worst_texts, made.compared.worst) <= 1e-4
    # Sigmoids of these random weights saturate, so that many photographs are ties.
    assert held.equal + held.near_ties >= COUNT
    assert held.equal >= 30
    print(
        f"\n{name}: {made.compared.worst:.1e}, texts {made.worst_texts:.1e}, {held.equal} equal, {held.near_ties} ties"
    )
