"""Reads tables, and gives them as polars, pandas or arrow.

Does not know what a table means. Holds always: of a unit only the files that its commit record names are read, because
others are of another attempt (docs/run-directory.md, "Writers").
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar, overload

import polars as pl

from ._errors import BadInput, first_line
from ._optional import need

Form = Literal["polars", "pandas", "arrow"]
Owner = TypeVar("Owner")


@overload
def give(frame: pl.DataFrame, as_: Literal["polars"] = "polars") -> pl.DataFrame: ...
@overload
def give(frame: pl.DataFrame, as_: Form) -> Any: ...
def give(frame: pl.DataFrame, as_: Form = "polars") -> Any:
    """`frame` in the form that was asked for."""
    if as_ == "polars":
        return frame
    if as_ == "pandas":
        need("pandas", extra="notebook")
        need("pyarrow", extra="notebook")
        return frame.to_pandas()
    if as_ == "arrow":
        need("pyarrow", extra="notebook")
        return frame.to_arrow()
    raise BadInput(f"as_ is {as_!r}; write 'polars', 'pandas' or 'arrow'")


class BoundTable:
    """A table of an object: call it to read it."""

    def __init__(self, read: Callable[[], pl.DataFrame], doc: str | None, name: str) -> None:
        self._read = read
        self.__doc__ = doc
        self.__name__ = name

    @overload
    def __call__(self, *, as_: Literal["polars"] = "polars") -> pl.DataFrame: ...
    @overload
    def __call__(self, *, as_: Literal["pandas", "arrow"]) -> Any: ...
    def __call__(self, *, as_: Form = "polars") -> Any:
        return give(self._read(), as_)

    def __repr__(self) -> str:
        return f"<table {self.__name__}: call it to read it>"


class table(Generic[Owner]):  # noqa: N801 (a decorator)
    """Makes a method that returns a polars frame take `as_`."""

    def __init__(self, read: Callable[[Owner], pl.DataFrame]) -> None:
        self._read = read
        functools.update_wrapper(self, read)  # type: ignore[arg-type]

    @overload
    def __get__(self, owner: None, kind: type[Owner]) -> table[Owner]: ...
    @overload
    def __get__(self, owner: Owner, kind: type[Owner]) -> BoundTable: ...
    def __get__(self, owner: Owner | None, kind: type[Owner]) -> table[Owner] | BoundTable:
        if owner is None:
            return self
        return BoundTable(functools.partial(self._read, owner), self._read.__doc__, self._read.__name__)


def read_parquet(files: Sequence[Path], what: str, *, without: Sequence[str] = ()) -> pl.DataFrame:
    """All rows of `files`, which may lack columns that newer ones have; `without`: columns that are not read."""
    frames = []
    for file in files:
        try:
            frames.append(pl.scan_parquet(file, glob=False).drop(without, strict=False).collect())
        except (OSError, pl.exceptions.PolarsError) as error:
            why = first_line(error)
            raise BadInput(f"{file}: {what} cannot be read: {why}; `hardset verify` says what is damaged") from error
    if len(frames) == 1:
        return frames[0]
    return pl.concat(frames, how="diagonal_relaxed") if frames else pl.DataFrame()


def read_csv(file: Path, what: str, types: Mapping[str, Any]) -> pl.DataFrame:
    """The table in `file`; `types`: of columns that are not text, so that none depends on what a column has."""
    try:
        text = pl.read_csv(file, infer_schema=False, glob=False)
        return text.with_columns(_typed(name, kind) for name, kind in types.items() if name in text.columns)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise BadInput(f"{file}: {what} cannot be read: {first_line(error)}") from error


def _typed(name: str, kind: Any) -> pl.Expr:
    text = pl.col(name)
    return text == "true" if kind == pl.Boolean else text.cast(kind)


def read_json(file: Path, what: str) -> dict[str, Any]:
    """The object in `file`."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(f"{file}: {what} is missing") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"{file}: {what} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise BadInput(f"{file}: {what} is not an object")
    return found


def tables_of(record: Path, ending: str = ".parquet") -> list[Path]:
    """The files that the commit record `record` names, with names that end in `ending`."""
    names = [str(file["name"]) for file in read_json(record, "the record").get("files", [])]
    return [record.parent / name for name in names if name.endswith(ending)]


def shard_tables(folder: Path) -> list[Path]:
    """The tables of all shards below `folder` (`NNN/NNNNNN.json`), in the order of the shards."""
    found = []
    for record in sorted(folder.glob("[0-9]*/[0-9]*.json")):
        found += tables_of(record)
    return found


def check_format(path: Path, record: dict[str, Any], major: int) -> None:
    """Refuses what another major version of the program has written. Newer minor versions have further fields."""
    found = record.get("format")
    found = found.get("major") if isinstance(found, dict) else found
    if found != major:
        tool = record.get("tool", "another program")
        raise BadInput(f"{path}: has format {found}, made by {tool}; this package reads {major}")


def read_toml(file: Path, what: str) -> dict[str, Any]:
    """The table in `file`."""
    tomllib = need("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        return dict(tomllib.loads(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"{file}: {what} cannot be read: {error}") from error
