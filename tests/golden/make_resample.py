"""Writes resample.json: what Pillow makes of a small synthetic image, for tests/imaging_parity.rs.

Run with Pillow (13.0.0 made the committed file) and numpy: python3 tests/golden/make_resample.py
Needs no data: the image is a formula. The crop and the sizes are torchvision's, written out.
"""

import hashlib
import json
import pathlib

import numpy
import PIL
from PIL import Image

FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
IMAGES = [(37, 23), (23, 37), (64, 64), (5, 1), (1, 7), (301, 40)]
RESIZES = [
    ({"shorter": 16}, 14),
    ({"shorter": 23}, 22),
    ({"shorter": 50}, 45),
    ({"shorter": 3}, 1),
    ({"squash": 20}, 20),
    ({"squash": 64}, 51),
    ({"squash": 1}, 1),
    ("none", 1),
]
THUMBNAILS = [(37, 23, 12), (23, 37, 30), (301, 40, 64)]


def synthetic(width, height):
    """Byte i of [height, width, 3] is (7 i^2 + 13 i + 31 (i >> 3)) mod 256: edges, ramps and noise."""
    index = numpy.arange(width * height * 3, dtype=numpy.uint64)
    levels = (7 * index * index + 13 * index + 31 * (index >> numpy.uint64(3))) & numpy.uint64(255)
    return Image.fromarray(levels.astype(numpy.uint8).reshape(height, width, 3))


def resized_size(image, resize):
    if resize == "none":
        return image.size
    if "squash" in resize:
        return (resize["squash"], resize["squash"])
    shorter, longer = sorted(image.size)
    long_side = int(resize["shorter"] * longer / shorter)
    return (resize["shorter"], long_side) if image.width <= image.height else (long_side, resize["shorter"])


def centre(image, crop):
    left = int(round((image.width - crop) / 2.0))
    top = int(round((image.height - crop) / 2.0))
    return image.crop((left, top, left + crop, top + crop))


def digest(image):
    return hashlib.sha256(image.tobytes()).hexdigest()


def fits():
    for size in IMAGES:
        image = synthetic(*size)
        for resize, crop in RESIZES:
            for name, resampling in FILTERS.items():
                made = centre(image.resize(resized_size(image, resize), resampling), crop)
                geometry = {"resize": resize, "interpolation": name, "crop_px": crop}
                yield {"image": size, "geometry": geometry, "sha256": digest(made)}


def thumbnails():
    for width, height, longest in THUMBNAILS:
        size = tuple(max(1, (2 * side * longest + max(width, height)) // (2 * max(width, height))) for side in (width, height))
        made = synthetic(width, height).resize(size, Image.Resampling.LANCZOS)
        yield {"image": (width, height), "longest_px": longest, "size": size, "sha256": digest(made)}


def rows(items):
    return "[\n" + ",\n".join("  " + json.dumps(item) for item in items) + "\n ]"


text = f'{{\n "pillow": "{PIL.__version__}",\n "fits": {rows(fits())},\n "thumbnails": {rows(thumbnails())}\n}}\n'
json.loads(text)
pathlib.Path(__file__).with_name("resample.json").write_text(text)
