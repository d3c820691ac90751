"""A release: `docs/releases.md` describes what it has.

Reads the data files, and the other forms (`imagefolder`, `webdataset`, `fiftyone`) where only such a folder is given.
"""

from __future__ import annotations

import functools
import json
import os
import re
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
from PIL import Image

from ._errors import BadInput, ItemsLost
from ._gallery import Captions, Gallery, gallery
from ._images import Filter, Images, Place, chosen, decode, image_files, images, whole
from ._run import MAJOR, Run, other_kind
from ._tables import check_format, read_csv, read_json, read_parquet, table

#: Columns of a surrogate, after its name and `_`; of a question likewise.
OF_SURROGATE = [
    "top1_id",
    "correct",
    "true_prob",
    "margin",
    "top5_ids",
    "top5_probs",
    "true_rank",
    "max_logit",
    "energy",
]
#: How a tar ends.
TAR_END = bytes(1024)
#: Types of the columns of the lists that are not text.
EXCLUDED = {"item_id": pl.UInt32}
NEAR = {"item_id": pl.UInt32, "distance_bits": pl.UInt32, "excluded": pl.Boolean}
OF_QUESTION = ["yes", "no", "not_sure", "score", "people", "answers"]


class Release:
    """A release of `hardset`, to be read: a release's folder, or one of its other forms alone.

    `form` says what is read: `parquet` (the data files), `imagefolder`, `webdataset` or `fiftyone`. `result` and `lost`
    are as those of `Run`.
    """

    def __init__(self, path: str | os.PathLike[str], form: str | None = None) -> None:
        self.path = Path(path).absolute()
        self.result: dict[str, Any] | None = None
        self.lost: ItemsLost | None = None
        self.form, self.folder = _find(self.path, form)
        if self.path.joinpath("release.json").is_file():
            check_format(self.path, self.record, MAJOR)

    def __fspath__(self) -> str:
        return os.fspath(self.path)

    def __len__(self) -> int:
        return len(self._read[1])

    def __repr__(self) -> str:
        what = " ".join(str(self.record[key]) for key in ("name", "version") if key in self.record) or self.form
        verified = "" if self.record.get("verified", True) else ", unverified"
        return f"Release({os.fspath(self.path)!r}: {what}, {len(self)} images{verified})"

    @functools.cached_property
    def record(self) -> dict[str, Any]:
        """`release.json`; empty where only another form is given."""
        file = self.path / "release.json"
        return read_json(file, "the description of the release") if file.is_file() else {}

    @property
    def surrogates(self) -> list[str]:
        """The scorers that mined the images."""
        named = [str(one["name"]) for one in self.record.get("surrogates", [])]
        return named or _prefixes(self._read[0].columns, "top1_id")

    @property
    def questions(self) -> list[str]:
        """The questions that people answered; none in an unverified release."""
        return _prefixes(self._read[0].columns, "not_sure")

    @table
    def items(self) -> pl.DataFrame:
        """One row per image with everything that is known about it, without the image."""
        return self._read[0]

    @table
    def predictions(self) -> pl.DataFrame:
        """One row per image and surrogate, as shipped: `item_id`, `scorer`, and the columns of its prediction."""
        return self._long(self.surrogates, OF_SURROGATE, "scorer")

    @table
    def votes(self) -> pl.DataFrame:
        """One row per valid vote of people: `item_id`, `question`, `person` (a number), `answer`."""
        self._need_votes()
        tallies = self._long(self.questions, OF_QUESTION, "question")
        votes = tallies.select(
            "item_id", "question", pl.col("people").alias("person"), pl.col("answers").alias("answer")
        )
        return votes.explode("person", "answer").drop_nulls("answer")

    @table
    def tallies(self) -> pl.DataFrame:
        """One row per image and question: numbers of valid votes, and the score."""
        self._need_votes()
        return self._long(self.questions, OF_QUESTION[:4], "question")

    @table
    def excluded(self) -> pl.DataFrame:
        """Every hard image that is not in the release, with the reason."""
        return read_csv(self._list("excluded.csv"), "the list", EXCLUDED)

    @table
    def near_duplicates(self) -> pl.DataFrame:
        """Near duplicates, with their distance."""
        return read_csv(self._list("near-duplicates.csv"), "the list", NEAR)

    def image(self, item: int) -> Image.Image:
        """The image of an item, in RGB."""
        return decode(self.image_bytes(item), item)

    def image_bytes(self, item: int) -> bytes:
        """The encoded image of an item: the original bytes."""
        return self._place(item).read()

    def gallery(self, filter: Filter = None, n: int = 24, *, captions: Captions = None, size_px: int = 128) -> Gallery:
        """Small pictures of `n` images, spread evenly over those that `filter` means; as `Run.gallery`."""
        return gallery(chosen(self.items(), filter), self._place, n, captions, size_px)

    def iter_images(self, filter: Filter = None, transform: Callable[[Image.Image], Any] | None = None) -> Images:
        """The images as a sequence of `(image, item_id)`, for loops and for torch's DataLoader."""
        rows = chosen(self.items(), filter)
        return images([self._place(item) for item in rows["item_id"].to_list()], transform)

    @functools.cached_property
    def _read(self) -> tuple[pl.DataFrame, dict[int, Place]]:
        """The rows without images, and where the image of each is."""
        try:
            rows, places = _READERS[self.form](self.folder)
        except (OSError, ValueError, LookupError, TypeError, tarfile.TarError, pl.exceptions.PolarsError) as error:
            raise BadInput(f"{self.folder}: the form {self.form} is damaged: {error!r}") from error
        wanted = self.record.get("images", rows.height)
        if rows.height != wanted:
            raise BadInput(
                f"{self.folder}: has {rows.height} images of the form {self.form}, but release.json says {wanted}: "
                "files are missing or damaged; `hardset verify` says which"
            )
        return rows, places

    def _place(self, item: int) -> Place:
        try:
            return self._read[1][whole(item)]
        except KeyError:
            raise BadInput(f"{self.path}: item {item} is not in the release") from None

    def _long(self, names: list[str], fields: list[str], called: str) -> pl.DataFrame:
        """The columns `<name>_<field>` as rows, with the name in the column `called`."""
        items, frames = self._read[0], []
        for name in names:
            has = [field for field in fields if f"{name}_{field}" in items.columns]
            columns = [pl.col(f"{name}_{field}").alias(field) for field in has]
            frames.append(items.select("item_id", pl.lit(name).alias(called), *columns))
        if not frames:
            raise BadInput(f"{self.path}: names no {called}")
        return pl.concat(frames, how="diagonal_relaxed").sort("item_id", maintain_order=True)

    def _need_votes(self) -> None:
        if not self.questions:
            verified = self.record.get("verified")
            why = f"the form {self.form} has no votes" if verified else "is unverified: it has no votes of people"
            raise BadInput(f"{self.path}: {why}")

    def _list(self, name: str) -> Path:
        file = self.path / name
        if not file.is_file():
            raise BadInput(f"{self.path}: has no {name}; it is in the folder of the whole release")
        return file


def run_or_release(path: Path) -> Run | Release | None:
    """The run or the release in the folder `path`; `None`: it is another folder."""
    if not path.is_dir():
        raise BadInput(f"{path}: there is no such folder")
    if (path / "spec.toml").is_file():
        return Run(path)
    return Release(path) if (path / "release.json").is_file() else None


def _prefixes(columns: list[str], ending: str) -> list[str]:
    return [column.removesuffix(f"_{ending}") for column in columns if column.endswith(f"_{ending}")]


def _find(path: Path, form: str | None) -> tuple[str, Path]:
    """The form to read, and its folder: `path`, or the folder of that name in it."""
    if form is not None and form not in _READERS:
        raise BadInput(f"form is {form!r}; write one of {', '.join(_READERS)}")
    if form is None and (path / "release.json").is_file():
        # Another form does not stand in for data files that are lost.
        form = "parquet"
    for name in _READERS if form is None else [form]:
        for folder in (path, path / name):
            if any(folder.glob(_MARKS[name])):
                return name, folder
    if form is not None and (path / "release.json").is_file():
        raise BadInput(f"{path}: has no files of the form {form} ({_MARKS[form]})")
    wanted = f" of the form {form}" if form else ""
    raise BadInput(f"{path}: is not a release{wanted}{other_kind(path)}")


def _parquet(folder: Path) -> tuple[pl.DataFrame, dict[int, Place]]:
    frames, places = [], {}
    for file in _all_of(folder, "parquet"):
        rows = read_parquet([file], "a data file", without=["image"])
        frames.append(rows)
        for at, (item, sha256) in enumerate(rows.select("item_id", "sha256").iter_rows()):
            places[item] = Place(item, file, at, None, sha256, "image")
    return pl.concat(frames, how="diagonal_relaxed"), places


def _all_of(folder: Path, form: str) -> list[Path]:
    """The files of a form, which say in their names how many they are (`test-00000-of-00003.tar`)."""
    files = [file for file in sorted(folder.glob(_MARKS[form])) if not file.name.startswith(".")]
    of = {int(found[1]) for file in files if (found := re.search(r"-of-(\d+)\.\w+$", file.name))}
    if of and of != {len(files)}:
        has = f"{folder}: has {len(files)} files of {' or '.join(map(str, sorted(of)))}"
        raise BadInput(
            f"{has}; copy the others too" if len(of) == 1 else f"{has}: those of two releases; keep one of them"
        )
    return files


def _imagefolder(folder: Path) -> tuple[pl.DataFrame, dict[int, Place]]:
    file = folder / "metadata.jsonl"
    try:
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]
    except (OSError, ValueError) as error:
        raise BadInput(f"{file}: cannot be read: {error}") from error
    places = {
        row["item_id"]: Place(row["item_id"], folder / row["file_name"], 0, None, row.get("sha256")) for row in rows
    }
    unnamed = len({place.file for place in places.values()} ^ set(image_files(folder)))
    if unnamed:
        raise BadInput(f"{file}: {unnamed} images are missing, or are in the folder and not in this list")
    return _frame(rows), places


def _webdataset(folder: Path) -> tuple[pl.DataFrame, dict[int, Place]]:
    rows, places = [], {}
    for file in _all_of(folder, "webdataset"):
        try:
            for row, image in _samples(file):
                item = row["item_id"]
                rows.append(row)
                places[item] = Place(item, file, image.offset_data, image.size, row.get("sha256"))
        except (OSError, ValueError, LookupError, tarfile.TarError) as error:
            raise BadInput(f"{file}: cannot be read: {error!r}") from error
    return _frame(rows), places


def _samples(file: Path) -> Iterator[tuple[dict[str, Any], tarfile.TarInfo]]:
    """The metadata of each sample, and where its image is."""
    samples: dict[str, dict[str, tarfile.TarInfo]] = {}
    with file.open("rb") as stream:
        stream.seek(-min(file.stat().st_size, len(TAR_END)), os.SEEK_END)
        if stream.read() != TAR_END:
            raise BadInput(f"{file}: has no end, because a copy was cut; copy it again")
    with tarfile.open(file) as tar:
        for member in tar:
            stem, _, ending = member.name.partition(".")
            samples.setdefault(stem, {})[ending] = member
        for parts in samples.values():
            (image,) = [member for ending, member in parts.items() if ending not in ("cls", "json")]
            yield json.load(_opened(tar, parts["json"], file)), image


def _opened(tar: tarfile.TarFile, member: tarfile.TarInfo, file: Path) -> Any:
    stream = tar.extractfile(member)
    if stream is None:
        raise BadInput(f"{file}: {member.name} is not a file")
    return stream


def _fiftyone(folder: Path) -> tuple[pl.DataFrame, dict[int, Place]]:
    """Labels alone: items, their labels and the names of these."""
    record = read_json(folder / "labels.json", "the list of labels")
    files = {file.stem: file for file in image_files(folder / "data")}
    missing = record["labels"].keys() ^ files.keys()
    if missing:
        raise BadInput(f"{folder}: {len(missing)} images are missing, or have no label, such as {sorted(missing)[0]}")
    rows, places = [], {}
    for stem, label in record["labels"].items():
        item = int(re.sub(r"\D", "", stem) or -1)
        rows.append({"item_id": item, "label": label, "class_name": record["classes"][label]})
        places[item] = Place(item, files[stem], 0, None, None)
    return _frame(rows).sort("item_id"), places


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows of JSON as a table, with the types of the data files where JSON has others."""
    frame = pl.DataFrame(rows, infer_schema_length=None)
    types = {"item_id": pl.UInt32, "label": pl.Int64, "seed": pl.UInt64}
    return frame.with_columns(pl.col(name).cast(kind) for name, kind in types.items() if name in frame.columns)


_READERS: dict[str, Callable[[Path], tuple[pl.DataFrame, dict[int, Place]]]] = {
    "parquet": _parquet,
    "imagefolder": _imagefolder,
    "webdataset": _webdataset,
    "fiftyone": _fiftyone,
}
#: A file that each form has, below its folder.
_MARKS = {
    "parquet": "data/*.parquet",
    "imagefolder": "metadata.jsonl",
    "webdataset": "*.tar",
    "fiftyone": "labels.json",
}
