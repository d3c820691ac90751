"""Small pictures with captions: a page in a notebook, a file of HTML, or one picture."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from PIL import Image, ImageDraw, ImageFont

from ._errors import BadInput
from ._images import Place, decode

#: The text below a picture: a column, several columns, or a function of the row.
Captions = str | Sequence[str] | Callable[[Mapping[str, Any]], str] | None
STYLE = """
.hardset-gallery { display: flex; flex-wrap: wrap; gap: 8px; font: 12px/1.3 system-ui, sans-serif; }
.hardset-gallery figure { margin: 0; }
.hardset-gallery img { display: block; object-fit: contain; background: #8881; border-radius: 3px; }
.hardset-gallery figcaption { overflow-wrap: anywhere; white-space: pre-line; margin-top: 3px; }
"""


@dataclass(frozen=True)
class Shown:
    """One picture of a gallery."""

    item_id: int
    caption: str
    image: Image.Image


class Gallery:
    """Pictures with captions. A notebook shows it; `save` writes it to a file."""

    def __init__(self, shown: Sequence[Shown], of: int, size_px: int) -> None:
        self.shown = list(shown)
        self.of = of
        self.size_px = size_px

    def __len__(self) -> int:
        return len(self.shown)

    def __repr__(self) -> str:
        return f"Gallery({len(self)} of {self.of} images)"

    def _repr_html_(self) -> str:
        figures = "".join(self._figure(shown) for shown in self.shown)
        count = f"<p>{len(self)} of {self.of} images</p>" if len(self) < self.of else ""
        return f'<style>{STYLE}</style><div class="hardset-gallery">{figures}</div>{count}'

    def _figure(self, shown: Shown) -> str:
        px = self.size_px
        buffer = io.BytesIO()
        shown.image.save(buffer, "PNG")
        data = base64.b64encode(buffer.getvalue()).decode()
        caption = html.escape(shown.caption)
        return (
            f'<figure style="width:{px}px"><img width="{px}" height="{px}" alt="item {shown.item_id}" '
            f'src="data:image/png;base64,{data}"><figcaption>{caption}</figcaption></figure>'
        )

    def save(self, path: str | Path) -> Path:
        """Writes the gallery: `.html` with everything inside it, or one picture (`.png`, `.jpg`, `.webp`)."""
        path = Path(path)
        kind = path.suffix.lower()
        if kind not in (".html", ".htm", ".png", ".jpg", ".jpeg", ".webp"):
            raise BadInput(f"{path}: a gallery is saved as .html, .png, .jpg or .webp")
        try:
            if kind in (".html", ".htm"):
                page = f"<!doctype html><meta charset=utf-8><title>hardset</title>{self._repr_html_()}"
                path.write_text(page, encoding="utf-8")
            else:
                self.sheet().save(path)
        # A format has a largest size.
        except (OSError, ValueError) as error:
            raise BadInput(f"{path}: the gallery cannot be written: {error}") from error
        return path

    def sheet(self, columns: int = 6) -> Image.Image:
        """All pictures with their captions as one picture, `columns` in a row."""
        px, gap, font = self.size_px, 8, ImageFont.load_default(size=11)
        columns = max(1, min(columns, len(self)))
        captions = [_wrapped(shown.caption, px, font) for shown in self.shown]
        text_px = 14 * max((caption.count("\n") + 1 for caption in captions), default=0)
        rows = -(-len(self) // columns)
        size = (columns * (px + gap) + gap, rows * (px + text_px + gap) + gap)
        sheet = Image.new("RGB", size, "white")
        draw = ImageDraw.Draw(sheet)
        for at, (shown, caption) in enumerate(zip(self.shown, captions, strict=True)):
            left, top = gap + at % columns * (px + gap), gap + at // columns * (px + text_px + gap)
            spare_x, spare_y = px - shown.image.width, px - shown.image.height
            sheet.paste(shown.image, (left + spare_x // 2, top + spare_y // 2))
            draw.multiline_text((left, top + px + 2), caption, fill="black", font=font, spacing=2)
        return sheet


def _wrapped(text: str, width_px: int, font: Any) -> str:
    """`text` in lines that are at most `width_px` wide."""
    lines = []
    for given in text.splitlines():
        line = ""
        for word in given.split(" "):
            longer = f"{line} {word}" if line else word
            if line and font.getlength(longer) > width_px:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return "\n".join(lines)


def gallery(rows: pl.DataFrame, place_of: Callable[[int], Place], n: int, captions: Captions, size_px: int) -> Gallery:
    """`n` of `rows`, spread evenly over them, because neighbours in a plan look alike."""
    if n < 1 or size_px < 8:
        raise BadInput(f"n is {n} and size_px is {size_px}; n is at least 1, size_px at least 8")
    count = min(n, rows.height)
    spread = [at * rows.height // count for at in range(count)]
    shown = []
    for row in rows[spread].iter_rows(named=True) if count else ():
        item = int(row["item_id"])
        image = decode(place_of(item).read(), item)
        shown.append(Shown(item, _caption(row, captions), _thumbnail(image, size_px)))
    return Gallery(shown, rows.height, size_px)


def _thumbnail(image: Image.Image, size_px: int) -> Image.Image:
    """The picture with `size_px` on its longer side; small ones are enlarged in whole steps, so that pixels stay."""
    longer = max(image.size)
    if longer * 2 <= size_px:
        image = image.resize(
            (image.width * (size_px // longer), image.height * (size_px // longer)), Image.Resampling.NEAREST
        )
    image.thumbnail((size_px, size_px))
    return image


def _caption(row: Mapping[str, Any], captions: Captions) -> str:
    if captions is None:
        return _usual_caption(row)
    if callable(captions):
        return str(captions(row))
    columns = [captions] if isinstance(captions, str) else list(captions)
    unknown = [column for column in columns if column not in row]
    if unknown:
        raise BadInput(f"there is no column {unknown[0]} for captions; there are {', '.join(row)}")
    return "\n".join(_words(row[column]) for column in columns)


def _usual_caption(row: Mapping[str, Any]) -> str:
    lines = [f"{row['item_id']}: {row.get('category') or ''}"]
    if row.get("nuisance"):
        lines.append(f"{row.get('nuisance_kind')}: {row['nuisance']}")
    if row.get("n_surrogates"):
        lines.append(f"{row['n_failed']} of {row['n_surrogates']} fail")
    return "\n".join(lines)


def _words(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list):
        return ", ".join(_words(part) for part in value)
    return "" if value is None else str(value)
