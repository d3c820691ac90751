"""A run directory: `docs/run-directory.md` describes what it has.

Reads only; needs no lock. Holds always: a table that does not exist yet is an error that says which command makes it.
"""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, overload

import polars as pl
from PIL import Image

from ._errors import BadInput, ItemsLost, PartOnly
from ._gallery import Captions, Gallery, gallery
from ._images import Filter, Images, Place, chosen, decode, images, whole
from ._tables import Form, check_format, give, read_json, read_parquet, read_toml, shard_tables, table, tables_of

#: The version of the format that this package reads; a newer minor version has further columns.
MAJOR = 2


class Run:
    """A run of `hardset`, to be read.

    `result` is what the program printed, and `lost` its warning about lost items, where a function of this package has
    made the run; else both are `None`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        # A run stays where it is, whatever the current folder becomes.
        self.path = Path(path).absolute()
        self.result: dict[str, Any] | None = None
        self.lost: ItemsLost | None = None
        if "://" in os.fspath(path):
            raise BadInput(f"{path}: is in a bucket; copy the run to a disk (docs/buckets.md)")
        if not (self.path / "spec.toml").is_file():
            raise BadInput(f"{path}: is not a run, because it has no spec.toml{other_kind(self.path)}")
        check_format(self.path, self.spec, MAJOR)

    def __fspath__(self) -> str:
        return os.fspath(self.path)

    def __repr__(self) -> str:
        return f"Run({os.fspath(self.path)!r}: {self.name}, {self.spec['generate']['source']})"

    @property
    def spec(self) -> dict[str, Any]:
        """The resolved recipe, `spec.toml`, with the current mining. Read each time, because `mine` changes it."""
        return read_toml(self.path / "spec.toml", "the spec")

    @property
    def name(self) -> str:
        """The name of the recipe."""
        return str(self.spec["name"])

    @property
    def surrogates(self) -> list[str]:
        """The scorers that vote in the current mining, in its order."""
        return [str(name) for name in self.spec.get("mine", {}).get("select", {}).get("surrogates", [])]

    @property
    def scorers(self) -> list[str]:
        """All scorers that have predictions: surrogates, targets, and those of earlier minings."""
        folders = (self.path / "predictions").glob("*")
        return sorted(folder.name for folder in folders if next(folder.glob("*/*.json"), None) is not None)

    @property
    def report(self) -> Path:
        """The page, for the mining that was current when it was written."""
        return self.path / "report" / "index.html"

    @table
    def plan(self) -> pl.DataFrame:
        """One row per planned item: category, accepted classes, prompt, seed, source."""
        return self._unit(self.path / "plan.json", "plan", "plan")

    @table
    def images(self) -> pl.DataFrame:
        """One row per image: its file, its place in it, hash, size, and how a model made it."""
        files = shard_tables(self.path / "images")
        if not files:
            raise self._without("images", "generate")
        self._count(files, "images")
        return read_parquet(files, "a table of images")

    @table
    def items(self) -> pl.DataFrame:
        """The manifest: one row per item that every voting surrogate scored, with `n_failed`, `failed_by`, `hard`."""
        manifest = self.path / "manifest.parquet"
        if not manifest.is_file():
            raise self._without("mining", "build")
        return read_parquet([manifest], "the manifest")

    @table
    def hard(self) -> pl.DataFrame:
        """The rows of the manifest that are hard."""
        return self.items().filter(pl.col("hard"))

    @overload
    def predictions(self, scorer: str | None = None, *, as_: Literal["polars"] = "polars") -> pl.DataFrame: ...
    @overload
    def predictions(self, scorer: str | None = None, *, as_: Literal["pandas", "arrow"]) -> Any: ...
    def predictions(self, scorer: str | None = None, *, as_: Form = "polars") -> Any:
        """The predictions of one scorer; without a name those of all, with the column `scorer` in front."""
        if scorer is not None:
            return give(self._predictions(scorer), as_)
        frames = [self._predictions(name).select(pl.lit(name).alias("scorer"), pl.all()) for name in self.scorers]
        if not frames:
            raise self._without("predictions", "mine")
        return give(pl.concat(frames, how="diagonal_relaxed"), as_)

    def _predictions(self, scorer: str) -> pl.DataFrame:
        if scorer not in self.scorers:
            known = ", ".join(self.scorers) or "none"
            raise BadInput(f"{self.path}: has no predictions of {scorer}; there are those of: {known}")
        files = shard_tables(self.path / "predictions" / scorer)
        self._count(files, f"predictions of {scorer}")
        return read_parquet(files, f"a table of {scorer}")

    @table
    def dropped(self) -> pl.DataFrame:
        """Every lost item, with the stage and the reason."""
        return self._unit(self.path / "dropped.json", "list of lost items", "mine")

    @table
    def verdicts(self) -> pl.DataFrame:
        """What people decided: one row per item that they were asked about."""
        return self._people("items")

    @table
    def votes(self) -> pl.DataFrame:
        """Every answer of people, and whether it counts."""
        return self._people("votes")

    @table
    def assignments(self) -> pl.DataFrame:
        """One person's answers to one sheet, with the sentinels passed."""
        return self._people("assignments")

    @table
    def people(self) -> pl.DataFrame:
        """One row per person, by keyed hash: sheets, votes, agreement with others."""
        return self._people("people")

    @table
    def agreement(self) -> pl.DataFrame:
        """Krippendorff's alpha of each question, with its interval."""
        return self._people("agreement")

    def image(self, item: int) -> Image.Image:
        """The image of an item, in RGB."""
        return decode(self.image_bytes(item), item)

    def image_bytes(self, item: int) -> bytes:
        """The encoded image of an item: a PNG that a model made, or the file of a photograph."""
        return self._place(item).read()

    def gallery(self, filter: Filter = None, n: int = 24, *, captions: Captions = None, size_px: int = 128) -> Gallery:
        """Small pictures of `n` items, spread evenly over those that `filter` means.

        `filter`: a polars expression on `items()`, a list of item ids, or `"hard"`. `captions`: columns of `items()`,
        or a function of the row.
        """
        return gallery(self._chosen(filter), self._place, n, captions, size_px)

    def iter_images(self, filter: Filter = None, transform: Callable[[Image.Image], Any] | None = None) -> Images:
        """The images as a sequence of `(image, item_id)`, for loops and for torch's DataLoader."""
        rows = self._chosen(filter)
        return images([self._place(item) for item in rows["item_id"].to_list()], transform)

    def places(self) -> list[Place]:
        """Where each image is, in the order of the items; also of those that are not in the manifest."""
        return list(self._places.values())

    def _chosen(self, filter: Filter) -> pl.DataFrame:
        """Items that have an image: of the manifest, or of the plan where there is no mining."""
        if isinstance(filter, str) or (self.path / "manifest.parquet").is_file():
            return chosen(self.items(), filter)
        planned = self.plan().join(self.images().select("item_id", "path"), on="item_id", maintain_order="left")
        return chosen(planned, filter)

    @functools.cached_property
    def _places(self) -> dict[int, Place]:
        base, column = self._image_root()
        columns = self.images().select("item_id", "path", "offset", "bytes", "sha256")
        places = {}
        for item, path, offset, size, sha256 in columns.iter_rows():
            in_table = column if str(path).endswith(".parquet") else None
            places[item] = Place(item, base / path, offset, size, sha256, in_table)
        return places

    def _image_root(self) -> tuple[Path, str | None]:
        """The folder to which paths of images are relative; the column of images, if they are in Parquet."""
        source = self.spec["generate"]
        if source["source"] == "folder":
            return Path(source["root"]), None
        if source["source"] == "benchmark":
            column = source.get("columns", {}).get("image", "image")
            return Path(source.get("photographs") or source["root"]), str(column)
        return self.path, None

    def _place(self, item: int) -> Place:
        item = whole(item)
        if item not in self._places:
            # The run may have grown since its images were listed.
            del self._places
        try:
            return self._places[item]
        except KeyError:
            why = "see dropped() for the reason" if (self.path / "dropped.json").is_file() else "it is not made yet"
            raise BadInput(f"{self.path}: item {item} has no image; {why}") from None

    def _unit(self, record: Path, what: str, verb: str) -> pl.DataFrame:
        if not record.is_file():
            raise self._without(what, verb)
        return read_parquet(tables_of(record), f"the {what}")

    def _people(self, which: str) -> pl.DataFrame:
        record = self.path / "verdicts" / "all.json"
        if not record.is_file():
            raise self._without("verdicts of people", "annotate collect")
        return read_parquet(tables_of(record, f".{which}.parquet"), f"the table {which}")

    def _without(self, what: str, verb: str) -> BadInput:
        """Why there is nothing to read: the run is not that far, or is not there any more."""
        if not (self.path / "spec.toml").is_file():
            return BadInput(f"{self.path}: is no run any more, because it has no spec.toml{other_kind(self.path)}")
        return BadInput(f"{self.path}: has no {what} yet; run `hardset {verb}`")

    def _count(self, files: list[Path], what: str) -> None:
        """Warns if some shards are missing: figures of the others are not those of the run."""
        record = self.path / "plan.json"
        planned = read_json(record, "the record of the plan").get("rows", {}).get("kept")
        if not isinstance(planned, int):
            raise BadInput(f"{record}: is not the record of a plan; `hardset verify` says what is damaged")
        shards = -(-planned // int(self.spec["shard_items"]))
        if len(files) < shards:
            words = f"{self.path}: has the {what} of {len(files)} of {shards} shards: the run is not done, or damaged"
            warnings.warn(PartOnly(f"{words}; `hardset status` says how far it is"), stacklevel=4)


def other_kind(path: Path) -> str:
    """What a folder that is not of the wanted kind is instead, as the end of a message."""
    if not path.is_dir():
        return "; there is no such folder"
    if (path / "release.json").is_file():
        return "; it is a release: read it with hardset.Release"
    if (path / "spec.toml").is_file():
        return "; it is a run: read it with hardset.Run"
    if (path / "evaluation.toml").is_file():
        return "; it is an evaluation: read it with hardset.Evaluation"
    return ""
