"""A contact sheet of a run: one row for each category, one column for each nuisance value, the first image of each."""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from evaluate import images, plan

LEFT, TOP = 100, 24


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
    page = Image.new("RGB", (sheet.shape[1] + LEFT, sheet.shape[0] + TOP), "white")
    page.paste(Image.fromarray(sheet), (LEFT, TOP))
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=15)
    for i, category in enumerate(categories):
        draw.text((4, TOP + i * (side + 2) + side // 2 - 9), category.replace("_", " "), "black", font)
    for j, value in enumerate(values):
        # The first word of a value fits over its column.
        draw.text((LEFT + j * (side + 2), 4), value[1].split("-")[0][:10], "black", font.font_variant(size=12))
    page.save(options.out, quality=82)


if __name__ == "__main__":
    main()
