"""A contact sheet of a run: one row for each category, one column for each nuisance value, the first image of each."""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from evaluate import images, plan


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--columns", type=int, default=31)
    options = parser.parse_args()
    found = images(options.run)
    first = {}
    for row in plan(options.run):
        if row["item_id"] in found:
            first.setdefault((row["category"], row["nuisance_kind"], row["nuisance"]), found[row["item_id"]])
    categories = list(dict.fromkeys(key[0] for key in first))
    values = list(dict.fromkeys(key[1:] for key in first))[: options.columns]
    side = next(iter(first.values())).shape[0]
    sheet = np.full(((side + 2) * len(categories), (side + 2) * len(values), 3), 255, np.uint8)
    for i, category in enumerate(categories):
        for j, value in enumerate(values):
            if (category, *value) in first:
                y, x = i * (side + 2), j * (side + 2)
                sheet[y : y + side, x : x + side] = first[(category, *value)]
    page = Image.new("RGB", (sheet.shape[1] + 90, sheet.shape[0] + 24), "white")
    page.paste(Image.fromarray(sheet), (90, 24))
    draw = ImageDraw.Draw(page)
    for i, category in enumerate(categories):
        draw.text((4, 24 + i * (side + 2) + side // 2 - 5), category, "black")
    for j, value in enumerate(values):
        draw.text((90 + j * (side + 2), 6), value[1][:11], "black")
    page.save(options.out)


if __name__ == "__main__":
    main()
