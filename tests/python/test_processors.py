"""The preprocessing of each image processor of transformers is what the scorer's TOML says of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import need_package
from hardset.export._check import PIXEL_BOUND
from PIL import Image

need_package("torch", "transformers")
import transformers  # noqa: E402 (after the check)
from hardset.export._models import OfProcessor  # noqa: E402
from hardset.export._preprocess import of_processor  # noqa: E402

SMALL = {"height": 96, "width": 96}


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("Bit", {}),
        ("CLIP", {"size": {"shortest_edge": 96}, "crop_size": SMALL}),
        ("ConvNext", {}),
        ("ConvNext", {"size": {"shortest_edge": 224}}),
        ("DeiT", {}),
        ("EfficientNet", {}),
        ("EfficientNet", {"include_top": False, "size": SMALL, "resample": 2}),
        ("EfficientNet", {"rescale_offset": True, "rescale_factor": 1 / 127.5}),
        ("EfficientNet", {"do_normalize": False}),
        ("Levit", {}),
        ("Levit", {"size": {"shortest_edge": 96}, "crop_size": SMALL}),
        ("MobileNetV1", {}),
        ("MobileNetV2", {"resample": 3}),
        ("MobileViT", {"size": {"shortest_edge": 288}}),
        ("PoolFormer", {}),
        ("PoolFormer", {"crop_pct": 0.95}),
        ("Pvt", {}),
        ("Siglip", {"size": SMALL}),
        ("ViT", {"do_normalize": False}),
    ],
)
def test_pixels_are_those_of_the_processor(name: str, changes: dict[str, Any]) -> None:
    processor = getattr(transformers, f"{name}ImageProcessorPil")(**changes)
    own, said = OfProcessor(processor), of_processor(processor)
    random = np.random.default_rng(0)
    for height, width in ((301, 457), (612, 388)):
        image = Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))
        theirs, ours = own(image).numpy(), said.pixels(image)
        assert theirs.shape == ours.shape
        assert np.abs(theirs - ours).max() < PIXEL_BOUND
