"""Where an exporter writes: a draft first, which gets its name once it is whole.

Does not know what is written. Holds always: what the disk refuses is said with the file and what to do.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from .._errors import BadInput, first_line


def make_folder(folder: Path) -> None:
    """Makes the folder for a scorer and its list."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{folder}: cannot be made: {error.strerror}") from error


@contextlib.contextmanager
def draft_in(folder: Path, prefix: str) -> Iterator[Path]:
    """A folder in `folder` for what is not whole yet; removed at the end."""
    try:
        draft = tempfile.TemporaryDirectory(prefix=prefix, dir=folder)
    except OSError as error:
        raise BadInput(f"{folder}: cannot be written into: {error.strerror}; give another --out") from error
    with draft as name:
        yield Path(name)


@contextlib.contextmanager
def writing(to: Path) -> Iterator[None]:
    """Says in words that `to`, or a file in it, cannot be written."""
    try:
        yield
    except (OSError, pl.exceptions.PolarsError) as error:
        file = getattr(error, "filename", None) or to
        reason = getattr(error, "strerror", None) or first_line(error)
        raise BadInput(f"{file}: cannot be written: {reason}; make room, or give another --out") from error
