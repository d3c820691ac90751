"""The rendered world as arrays: runs the renderer where its pictures are not there yet, and reads them.

A set of pictures is (distribution, number of pictures, seed); it lies in <work>/pictures/<distribution>-<seed>.
"""

import csv
import os
import subprocess
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
RENDERER = HERE.parent / "world"

CATEGORIES = [
    "mug", "umbrella", "chair", "vase", "desk_lamp", "hammer",
    "bench", "bucket", "teapot", "wine_bottle", "plate", "wheel",
]
# The first of the classes that ImageNet-D accepts for each.
IMAGENET_IDS = [504, 879, 423, 883, 846, 587, 703, 463, 849, 907, 923, 479]


def renderer() -> str:
    """The renderer's program, built if need be."""
    target = os.environ.get("WORLD_TARGET_DIR", str(RENDERER / "target"))
    command = ["cargo", "build", "--release", "--quiet", "--target-dir", target]
    subprocess.run(command, cwd=RENDERER, check=True)
    return f"{target}/release/quickstart-world"


class Pictures:
    """Pictures [n, 64, 64, 3] u8 and a dict for each of them."""

    def __init__(self, work: Path, distribution: str, count: int, seed: int):
        folder = work / "pictures" / f"{distribution}-{seed}"
        bytes_wanted = count * 64 * 64 * 3
        pixels = folder / "pictures.u8"
        if not pixels.exists() or pixels.stat().st_size < bytes_wanted:
            threads = os.environ.get("THREADS", "2")
            subprocess.run([renderer(), distribution, str(count), str(seed), str(folder), threads], check=True)
        self.pixels = np.memmap(pixels, np.uint8, "r").reshape(-1, 64, 64, 3)[:count]
        with open(folder / "labels.tsv", newline="") as file:
            self.rows = list(csv.DictReader(file, delimiter="\t"))[:count]
        self.category = np.array([int(row["category"]) for row in self.rows])

    def __len__(self):
        return len(self.rows)
