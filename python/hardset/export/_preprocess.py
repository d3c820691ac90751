"""How a picture becomes a model's input: the keys `preprocess` and `input` of a scorer's TOML.

Reads them off a transform of torchvision or timm, or off an image processor of transformers, and does them as `hardset`
does (docs/recipes.md). What the keys cannot say is refused by name. That the keys mean what the model's own
preprocessing does is not believed: `_check` compares pixels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .._errors import BadInput

#: Pillow's filters by the names of the TOML.
FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
#: Steps of a transform that change the type of a picture and no number.
SILENT = {"PILToTensor", "MaybePILToTensor", "ToImage", "ToPureTensor", "RGB", "ToRGB"}
#: Steps that divide by 255.
SCALING = {"ToTensor", "MaybeToTensor", "ConvertImageDtype", "ToDtype"}
#: The order in which the TOML's keys act.
ORDER = ({"Resize"}, {"CenterCrop"}, SCALING, {"Normalize"})


@dataclass(frozen=True)
class Preprocess:
    """From a picture in RGB to `[3, crop_px, crop_px]` f32: a value is `(pixel * scale - mean) / std`."""

    #: `shorter`, `squash` or `none`, and the side in pixels.
    resize: str
    resize_px: int
    interpolation: str
    crop_px: int
    #: `round` (torchvision) or `floor` (transformers): where the square begins if the spare pixels are odd.
    crop: str = "round"
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    channels: str = "rgb"

    def pixels(self, image: Image.Image) -> NDArray[np.float32]:
        """The input of the model for one picture, as `hardset` makes it: `[3, crop_px, crop_px]`."""
        image = self._resized(image.convert("RGB"))
        spare = [side - self.crop_px for side in image.size]
        left, top = (round(pixels / 2) if self.crop == "round" else pixels // 2 for pixels in spare)
        image = image.crop((left, top, left + self.crop_px, top + self.crop_px))
        values = np.asarray(image, dtype=np.float32)
        if self.channels == "bgr":
            values = values[:, :, ::-1]
        mean, std = np.asarray(self.mean, np.float32), np.asarray(self.std, np.float32)
        return np.ascontiguousarray(((values * np.float32(self.scale) - mean) / std).transpose(2, 0, 1))

    def _resized(self, image: Image.Image) -> Image.Image:
        side = self.resize_px
        if self.resize == "squash":
            return image.resize((side, side), FILTERS[self.interpolation])
        width, height = image.size
        if self.resize == "none" or min(width, height) == side:
            return image
        # The rounding of torchvision's and transformers' resize.
        longer = int(side * max(width, height) / min(width, height))
        size = (side, longer) if width <= height else (longer, side)
        return image.resize(size, FILTERS[self.interpolation])

    def lines(self) -> list[str]:
        """The key `preprocess`, as TOML."""
        resize = '"none"' if self.resize == "none" else f"{{ {self.resize} = {self.resize_px} }}"
        crop = ', crop = "floor"' if self.crop == "floor" else ""
        keys = f'resize = {resize}, interpolation = "{self.interpolation}", crop_px = {self.crop_px}{crop}'
        return [f"preprocess = {{ {keys} }}"]

    def input_lines(self) -> list[str]:
        """The section `[input]`, as TOML."""
        return [
            "[input]",
            'layout = "nchw"',
            'dtype = "f32"',
            f'channels = "{self.channels}"',
            f"scale = {float(self.scale)!r}",
            f"mean = {_numbers(self.mean)}",
            f"std = {_numbers(self.std)}",
        ]


def _numbers(values: Iterable[float]) -> str:
    return "[" + ", ".join(repr(float(value)) for value in values) + "]"


def of_transform(transform: Any) -> Preprocess:
    """The keys of a transform: torchvision's `Compose` or `ImageClassification`, or timm's evaluation transform."""
    if type(transform).__name__ == "ImageClassification":
        return _of_preset(transform)
    steps = getattr(transform, "transforms", None)
    if not isinstance(steps, (list, tuple)):
        raise BadInput(
            f"the preprocessing is a {type(transform).__name__}; give a torchvision Compose of Resize, CenterCrop, "
            "ToTensor and Normalize"
        )
    keys: dict[str, Any] = {"scale": 1.0, "resize": "none", "resize_px": 0, "interpolation": "bilinear"}
    place = -1
    for step in steps:
        keys |= _of_step(step)
        name = type(step).__name__
        if name in SILENT:
            continue
        now = next(at for at, names in enumerate(ORDER) if name in names)
        if now <= place:
            raise BadInput(
                f"the preprocessing has {name} a second time or too late; a scorer's TOML has one each, in the order "
                "Resize, CenterCrop, ToTensor, Normalize"
            )
        place = now
    return _complete(keys)


def _of_step(step: Any) -> dict[str, Any]:
    name = type(step).__name__
    if name in SILENT:
        return {}
    if name in SCALING:
        return {"scale": 1 / 255}
    if name == "Resize":
        if getattr(step, "max_size", None) is not None:
            raise BadInput("the preprocessing has Resize with max_size, which a scorer's TOML cannot say")
        return _of_size(step.size) | {"interpolation": filter_name(step.interpolation)}
    if name == "CenterCrop":
        return {"crop_px": _square(step.size, "CenterCrop")}
    if name == "Normalize":
        return {"mean": _floats(step.mean), "std": _floats(step.std)}
    raise BadInput(f"the preprocessing has {name}, which a scorer's TOML cannot say; leave it out, or change the model")


def _of_preset(preset: Any) -> Preprocess:
    keys = _of_size(preset.resize_size) | {"crop_px": _square(preset.crop_size, "crop_size")}
    keys |= {"interpolation": filter_name(preset.interpolation), "scale": 1 / 255}
    return _complete(keys | {"mean": _floats(preset.mean), "std": _floats(preset.std)})


def _of_size(size: Any) -> dict[str, Any]:
    """`resize` of a size as torchvision has it: one side, or height and width."""
    sides = [int(size)] if isinstance(size, int) else [int(side) for side in size]
    if len(sides) == 1:
        return {"resize": "shorter", "resize_px": sides[0]}
    return {"resize": "squash", "resize_px": _square(sides, "Resize")}


def _square(size: Any, what: str) -> int:
    sides = [int(size)] if isinstance(size, int) else [int(side) for side in size]
    if len(set(sides)) != 1:
        raise BadInput(f"the preprocessing has {what} to {' x '.join(map(str, sides))}; hardset gives square pictures")
    return sides[0]


def _complete(keys: dict[str, Any]) -> Preprocess:
    if "crop_px" not in keys:
        if keys["resize"] != "squash":
            raise BadInput("the preprocessing ends with no fixed size; add CenterCrop, or a Resize to (n, n)")
        keys["crop_px"] = keys["resize_px"]
    if keys["resize"] != "none" and keys["crop_px"] > keys["resize_px"]:
        raise BadInput(
            f"the preprocessing crops {keys['crop_px']} px of {keys['resize_px']} px, which pads; hardset never pads"
        )
    return Preprocess(**keys)


def filter_name(interpolation: Any) -> str:
    """The TOML's name of a filter of torchvision, timm or Pillow."""
    by_number = {int(value): name for name, value in FILTERS.items()}
    value = getattr(interpolation, "value", interpolation)
    name = by_number.get(value) if isinstance(value, int) else str(value)
    if name not in FILTERS:
        raise BadInput(f"the preprocessing resizes with {interpolation}; hardset has {', '.join(FILTERS)}")
    return str(name)


def _floats(values: Any) -> tuple[float, ...]:
    """Three numbers of a list or a tensor."""
    if hasattr(values, "numpy"):
        # A tensor of f32: the shortest decimal of each number is what people wrote, such as 0.485.
        values = [float(str(value)) for value in values.numpy().astype(np.float32)]
    numbers = [float(value) for value in values]
    if len(numbers) == 1:
        numbers *= 3
    if len(numbers) != 3:
        raise BadInput(f"the preprocessing normalises {len(numbers)} channels; hardset gives three")
    return tuple(numbers)


def of_processor(processor: Any) -> Preprocess:
    """The keys of an image processor of transformers (`preprocessor_config.json`)."""
    config = processor.to_dict()
    for key in ("do_pad", "do_splits", "do_image_splitting", "do_thumbnail", "do_align_long_axis"):
        if config.get(key):
            raise BadInput(f"the image processor has {key}, which a scorer's TOML cannot say")
    found = _resize_of(config)
    if config.get("do_center_crop"):
        found["crop_px"] = _square(_sides(config["crop_size"]), "crop_size")
    found = {"interpolation": filter_name(config.get("resample", 2)), "crop": "floor"} | found
    found["scale"] = float(config["rescale_factor"]) if config.get("do_rescale") else 1.0
    if config.get("do_normalize"):
        found |= {"mean": _floats(config["image_mean"]), "std": _floats(config["image_std"])}
    if "include_top" in config:
        found |= _of_efficientnet(config, found)
    if config.get("do_flip_channel_order"):
        # It flips after it has normalised, so that mean and std are of RGB there, and of BGR in the TOML.
        found["channels"] = "bgr"
        found |= {key: tuple(reversed(found[key])) for key in ("mean", "std") if key in found}
    made = _complete(found)
    spare_is_even = made.resize == "squash" and (made.resize_px - made.crop_px) % 2 == 0
    return replace(made, crop="round") if spare_is_even else made


def _of_efficientnet(config: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """EfficientNet's processor may subtract 1 before it normalises, and divides by the deviation again after that."""
    mean, std = found.get("mean", (0.0, 0.0, 0.0)), found.get("std", (1.0, 1.0, 1.0))
    if config.get("rescale_offset"):
        mean = tuple(one + 1 for one in mean)
    if config["include_top"]:
        again = _floats(config["image_std"])
        std = tuple(one * other for one, other in zip(std, again, strict=True))
    return {"mean": mean, "std": std}


def _resize_of(config: dict[str, Any]) -> dict[str, Any]:
    if not config.get("do_resize"):
        return {"resize": "none", "resize_px": 0}
    size, crop_pct = config["size"], config.get("crop_pct")
    shortest = size.get("shortest_edge")
    if crop_pct and shortest:
        # ConvNeXT: below 384 px the centre of a larger picture, else squashed.
        if shortest < 384:
            return {"resize": "shorter", "resize_px": int(shortest / crop_pct), "crop_px": shortest}
        return {"resize": "squash", "resize_px": shortest}
    if shortest and not size.get("longest_edge"):
        # LeViT's processor names the side of the centre, not the one that it resizes to.
        is_levit = str(config.get("image_processor_type")).startswith("Levit")
        return {"resize": "shorter", "resize_px": int(256 / 224 * shortest) if is_levit else int(shortest)}
    if "height" in size and "width" in size:
        return {"resize": "squash", "resize_px": _square(_sides(size), "size")}
    raise BadInput(f"the image processor has the size {size}; hardset resizes to a shorter side or to a square")


def _sides(size: Any) -> list[int]:
    return [int(size["height"]), int(size["width"])] if isinstance(size, dict) else [int(size)]
