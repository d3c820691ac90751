"""The images of a pool: where they are, their bytes, and a sequence of them for data loaders.

Does not say which items there are: `_run` and `_release` do. Holds always: an image whose bytes are not those of its
hash is an error, because predictions and votes are of other bytes; a sequence of images can be pickled, so that workers
of a data loader can have it.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import io
import operator
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
import polars as pl
from PIL import Image

from ._errors import BadInput, first_line
from ._optional import need

#: The process that has imported this module: in a process forked from it the threads of polars do not exist.
_IMPORTED_IN = os.getpid()
#: Endings of the names of images, as the program has them.
ENDINGS = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".bmp", ".dib"}

#: Which items: an expression on the table of items, a boolean for each row, ids, `"hard"`, or all of them.
Filter = pl.Expr | Sequence[int] | pl.Series | str | None


@dataclass(frozen=True)
class Place:
    """Where the encoded image of an item is."""

    item_id: int
    file: Path
    #: First byte in the file; of a row of Parquet its number.
    offset: int
    #: Length; `None`: to the end of the file.
    length: int | None
    #: SHA-256 of the encoded image, if it is known.
    sha256: str | None
    #: Of a row of Parquet: the column with the image.
    column: str | None = None

    def read(self) -> bytes:
        """The encoded image."""
        try:
            data = self._read()
        except OSError as error:
            why = error.strerror or first_line(error)
            raise BadInput(f"{self.file}: the image of item {self.item_id} cannot be read: {why}") from error
        if self.sha256 is not None and hashlib.sha256(data).hexdigest() != self.sha256:
            raise BadInput(f"{self.file}: the image of item {self.item_id} has changed since it was pinned")
        return data

    def _read(self) -> bytes:
        if self.column is not None:
            return _cell(self.file, self.column, self.offset)
        with self.file.open("rb") as stream:
            stream.seek(self.offset)
            return stream.read() if self.length is None else stream.read(self.length)


def _cell(file: Path, column: str, row: int) -> bytes:
    """The bytes of the image in one row: `struct<bytes, path>` or bytes."""
    value = _value(file, column, row) if os.getpid() == _IMPORTED_IN else _value_in_fork(file, column, row)
    data = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(data, bytes):
        raise BadInput(f"{file}: row {row} has no image in the column {column}")
    return data


def _value(file: Path, column: str, row: int) -> Any:
    try:
        return pl.scan_parquet(file, glob=False).select(column).slice(row, 1).collect().item()
    except pl.exceptions.PolarsError as error:
        raise BadInput(f"{file}: row {row} cannot be read: {first_line(error)}") from error


def _value_in_fork(file: Path, column: str, row: int) -> Any:
    """As `_value`, in a worker that a data loader has forked, where polars would wait for ever for its threads."""
    arrow, first = need("pyarrow", extra="export"), 0
    try:
        groups = _opened(file).metadata
        for group in range(groups.num_row_groups):
            rows = groups.row_group(group).num_rows
            if row < first + rows:
                return _group(file, group, column)[row - first].as_py()
            first += rows
    except (arrow.ArrowException, LookupError) as error:
        raise BadInput(f"{file}: row {row} cannot be read: {first_line(error)}") from error
    raise BadInput(f"{file}: has no row {row}")


@functools.lru_cache(maxsize=8)
def _opened(file: Path) -> Any:
    return need("pyarrow.parquet", extra="export").ParquetFile(file)


@functools.lru_cache(maxsize=2)
def _group(file: Path, group: int, column: str) -> Any:
    return _opened(file).read_row_group(group, columns=[column], use_threads=False).column(0)


def image_files(folder: Path) -> list[Path]:
    """The images below a folder in the order of their paths, but none that is hidden or in a hidden folder."""
    files = [file for file in sorted(folder.rglob("*")) if file.suffix.lower() in ENDINGS]
    files = [file for file in files if not any(part.startswith(".") for part in file.relative_to(folder).parts)]
    if not files:
        raise BadInput(f"{folder}: has no images ({', '.join(sorted(ENDINGS))})")
    return files


def decode(data: bytes, item_id: int) -> Image.Image:
    """The picture in RGB, as scorers see it. Its EXIF orientation is not applied, as `hardset` does not."""
    try:
        return Image.open(io.BytesIO(data)).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadInput(f"the image of item {item_id} cannot be decoded: {error}") from error


class Images(Sequence[tuple[Any, int]]):
    """Images in the order of their items, as `(image, item_id)`; a map-style dataset for torch's DataLoader.

    `transform` turns each PIL image (RGB) into what is returned, such as a tensor. All tables can be joined by item id.
    """

    def __init__(self, places: Sequence[Place], transform: Callable[[Image.Image], Any] | None = None) -> None:
        self.places = list(places)
        self.transform = transform

    @property
    def item_ids(self) -> list[int]:
        """The ids of the items, in order."""
        return [place.item_id for place in self.places]

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, at: int) -> tuple[Any, int]: ...
    @overload
    def __getitem__(self, at: slice) -> Images: ...
    def __getitem__(self, at: int | slice) -> tuple[Any, int] | Images:
        if isinstance(at, slice):
            return type(self)(self.places[at], self.transform)
        place = self.places[at]
        image: Any = decode(place.read(), place.item_id)
        return (image if self.transform is None else self.transform(image)), place.item_id

    def __iter__(self) -> Iterator[tuple[Any, int]]:
        return (self[at] for at in range(len(self)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} images)"


def images(places: Sequence[Place], transform: Callable[[Image.Image], Any] | None) -> Images:
    """The sequence; a `torch.utils.data.Dataset` if torch has been imported."""
    if "torch" in sys.modules:
        kind: type[Images] = importlib.import_module("._torch", __package__).TorchImages
        return kind(places, transform)
    return Images(places, transform)


def whole(item: Any) -> int:
    """`item` as an id; an error if it is not a whole number."""
    try:
        if isinstance(item, bool):
            raise TypeError
        # Rows of pandas have floats where some column has.
        return int(item) if isinstance(item, float) and item.is_integer() else operator.index(item)
    except TypeError:
        raise BadInput(f"{item!r} is not the id of an item; write a whole number") from None


def chosen(items: pl.DataFrame, filter: Filter) -> pl.DataFrame:
    """The rows of `items` that `filter` means, in the order of the table; ids in the order that was given."""
    if filter is None:
        return items
    if isinstance(filter, str):
        if filter != "hard":
            raise BadInput(f"filter is {filter!r}; write 'hard', a polars expression, or a list of item ids")
        # Every image of a release is hard.
        return items.filter(pl.col("hard")) if "hard" in items.columns else items
    if isinstance(filter, pl.Expr):
        return _filtered(items, filter)
    # Of polars or pandas.
    if hasattr(filter, "columns") or isinstance(filter, pl.LazyFrame):
        raise BadInput('filter is a table; give its ids: table["item_id"]')
    try:
        if isinstance(filter, (bytes, bytearray)):
            raise TypeError
        wanted = filter if isinstance(filter, pl.Series) else pl.Series(list(_in_order(filter, items.height)))
    except (TypeError, OverflowError, pl.exceptions.PolarsError) as error:
        raise BadInput(f"filter is {filter!r}; write 'hard', a polars expression, or a list of item ids") from error
    if wanted.dtype == pl.Boolean:
        if len(wanted) != items.height:
            raise BadInput(f"filter has {len(wanted)} booleans, but there are {items.height} items")
        return _filtered(items, wanted)
    if len(wanted) and (not wanted.dtype.is_integer() or wanted.null_count()):
        raise BadInput(f"filter has values of the type {wanted.dtype}, or nulls; an item id is a whole number")
    return _by_id(items, wanted)


def _in_order(filter: Any, height: int) -> Any:
    """Booleans of pandas in the order of their index, as pandas takes them; other values as they are."""
    if not hasattr(filter, "sort_index") or not all(isinstance(one, (bool, np.bool_)) for one in filter):
        return filter
    filter = filter.sort_index()
    if len(filter) == height and list(filter.index) != list(range(height)):
        raise BadInput(f"filter has an index that is not 0 to {height - 1}, so that nobody can say which rows it means")
    return filter


def _filtered(items: pl.DataFrame, by: pl.Expr | pl.Series) -> pl.DataFrame:
    try:
        return items.filter(by)
    except pl.exceptions.PolarsError as error:
        raise BadInput(f"the filter does not fit the table of items: {first_line(error)}") from error


def _by_id(items: pl.DataFrame, wanted: pl.Series) -> pl.DataFrame:
    # A type that has every id that is asked for, also negative ones.
    ids = pl.DataFrame({"item_id": wanted.cast(pl.Int128)})
    known = items.with_columns(pl.col("item_id").cast(pl.Int128))
    unknown = ids.join(known, on="item_id", how="anti")["item_id"].to_list()
    if unknown:
        raise BadInput(f"there is no item {', '.join(str(item) for item in unknown[:5])} here")
    found = ids.join(known, on="item_id", how="left", maintain_order="left").select(items.columns)
    return found.with_columns(pl.col("item_id").cast(items.schema["item_id"]))
