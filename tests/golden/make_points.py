"""Writes points.json: what OpenCV, PyTorch and Pillow make of a small synthetic image where they look at a fixed number of
pixels (no antialias; nearest), for tests/imaging_parity.rs.

Run with opencv-python-headless (5.0.0 made the committed file), torch (2.15.0), Pillow (13.0.0) and numpy:
python3 tests/golden/make_points.py. Needs no data: the image is a formula, that of make_resample.py. PyTorch's numbers are
rounded to a thousandth of a level.
"""

import base64
import json
import pathlib

import cv2
import numpy
import PIL
import torch
import torch.nn.functional as F
from PIL import Image

from make_resample import synthetic

CASES = [((37, 23), 16), ((23, 37), 16), ((64, 64), 20), ((301, 40), 24), ((5, 3), 12), ((9, 9), 9)]
OPENCV = {"nearest": cv2.INTER_NEAREST, "bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}


def geometry(side, interpolation, antialias=False):
    made = {"resize": {"squash": side}, "interpolation": interpolation, "crop_px": side}
    return made if antialias else made | {"antialias": False}


def text(pixels):
    return base64.b64encode(numpy.ascontiguousarray(pixels).tobytes()).decode()


def main():
    cases = []
    for size, side in CASES:
        pixels = numpy.asarray(synthetic(*size))
        tensor = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float()
        for name, flag in OPENCV.items():
            made = cv2.resize(pixels, (side, side), interpolation=flag)
            cases.append({"image": size, "geometry": geometry(side, name), "by": "opencv", "bytes": text(made)})
            if name != "nearest":
                made = F.interpolate(tensor, (side, side), mode=name, align_corners=False, antialias=False)[0]
                levels = (made.permute(1, 2, 0).numpy() * 1000).round().astype("<i4")
                cases.append({"image": size, "geometry": geometry(side, name), "by": "torch", "thousandths": text(levels)})
        made = Image.fromarray(pixels).resize((side, side), Image.Resampling.NEAREST)
        cases.append({"image": size, "geometry": geometry(side, "nearest", True), "by": "pillow", "bytes": text(made)})
    versions = {"opencv": cv2.__version__, "torch": torch.__version__, "pillow": PIL.__version__}
    path = pathlib.Path(__file__).with_name("points.json")
    path.write_text(json.dumps({"made_with": versions, "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
