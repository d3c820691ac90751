"""An evaluation: `docs/evaluation.md` describes what it has.

Every figure is the program's: nothing is computed here.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any, Literal, overload

import polars as pl

from ._errors import BadInput, ItemsLost
from ._run import other_kind
from ._tables import Form, check_format, give, read_csv, read_json, read_parquet, read_toml, table

#: The version of the format that this package reads; evaluations have a version of their own.
MAJOR = 1
#: The columns of `left-out.csv`.
LEFT_OUT = {"path": pl.String, "reason": pl.String}
#: The columns of `leaderboard.csv` that are whole numbers, and those that are other numbers.
WHOLE = ["tier", "classes", "n", "scored"]
NUMBERS = [
    "accuracy",
    "low",
    "high",
    "objects_low",
    "objects_high",
    "accuracy_top5",
    "clean_accuracy",
    "drop",
    "effective_robustness",
    "rms_calibration",
    "ece15",
    "nll",
    "brier",
    "mce",
]


class Evaluation:
    """An evaluation of `hardset`, to be read. `result` and `lost` are as those of `Run`.

    Its `item_id` numbers the images of the evaluation; join its tables with those of a run or a release by `sha256`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()
        self.result: dict[str, Any] | None = None
        self.lost: ItemsLost | None = None
        if not (self.path / "evaluation.toml").is_file():
            raise BadInput(f"{path}: is not an evaluation, because it has no evaluation.toml{other_kind(self.path)}")
        check_format(self.path, self.record, MAJOR)

    def __fspath__(self) -> str:
        return os.fspath(self.path)

    def __repr__(self) -> str:
        pool = self.record.get("pool", {})
        name = " ".join(str(pool[key]) for key in ("name", "version") if pool.get(key))
        return f"Evaluation({os.fspath(self.path)!r}: {len(self.targets)} targets on {name})"

    @functools.cached_property
    def record(self) -> dict[str, Any]:
        """`evaluation.toml`: what was evaluated and how."""
        return read_toml(self.path / "evaluation.toml", "the description of the evaluation")

    @property
    def targets(self) -> list[str]:
        """The names of the targets."""
        return [str(target["name"]) for target in self.record.get("targets", [])]

    @property
    def page(self) -> Path:
        """The page with the tables and the failures as images."""
        return self.path / "index.html"

    @table
    def results(self) -> pl.DataFrame:
        """Every figure: `target`, `space`, `metric`, `group_by`, `group`, `value`, `low`, `high`, `n`, `method`."""
        return self._table("results")

    @table
    def comparisons(self) -> pl.DataFrame:
        """Every pair of targets: images that one alone has right, difference, tests, equivalence."""
        return self._table("comparisons")

    @table
    def agreement(self) -> pl.DataFrame:
        """Agreement of errors: of targets with each other, and with the surrogates."""
        return self._table("agreement")

    @table
    def images(self) -> pl.DataFrame:
        """What the images show."""
        return self._table("images")

    @table
    def surrogates(self) -> pl.DataFrame:
        """What the surrogates of the pool gave."""
        return self._table("surrogates")

    @property
    def label_spaces(self) -> list[str]:
        """The label spaces in which predictions were taken, the first in front."""
        return [str(space) for space in self.record["label_spaces"]]

    @overload
    def leaderboard(self, space: str | None = None, *, as_: Literal["polars"] = "polars") -> pl.DataFrame: ...
    @overload
    def leaderboard(self, space: str | None = None, *, as_: Literal["pandas", "arrow"]) -> Any: ...
    def leaderboard(self, space: str | None = None, *, as_: Form = "polars") -> Any:
        """The leaderboard in one label space, by default the first of `label_spaces`; surrogates have no tier."""
        space = self.label_spaces[0] if space is None else space
        if space not in self.label_spaces:
            raise BadInput(f"{self.path}: has no label space {space}; there are: {', '.join(self.label_spaces)}")
        file = self.path / "leaderboard.csv"
        if not file.is_file():
            raise BadInput(f"{self.path}: has no leaderboard.csv; run the same `hardset evaluate` again")
        types = dict.fromkeys(WHOLE, pl.Int64) | dict.fromkeys(NUMBERS, pl.Float64)
        rows = read_csv(file, "the leaderboard", types)
        others = [other for other in self.label_spaces if other != space]
        # The file has the surrogates, whose space is that of the mining, again below each label space.
        return give(rows.filter(~pl.col("space").is_in(others)).unique(maintain_order=True), as_)

    @table
    def left_out(self) -> pl.DataFrame:
        """Files of the pool without a label, with the reason; empty where every file has one."""
        file = self.path / "left-out.csv"
        return read_csv(file, "the list of files", {}) if file.is_file() else pl.DataFrame(schema=LEFT_OUT)

    @overload
    def predictions(self, target: str, *, as_: Literal["polars"] = "polars") -> pl.DataFrame: ...
    @overload
    def predictions(self, target: str, *, as_: Literal["pandas", "arrow"]) -> Any: ...
    def predictions(self, target: str, *, as_: Form = "polars") -> Any:
        """One row per image: what it shows, and the prediction of `target`."""
        self._known(target)
        files = sorted((self.path / "results" / target).glob("*.parquet"))
        if not files:
            raise BadInput(f"{self.path}: has no predictions of {target}; answers of a chat model are in answers/")
        return give(read_parquet(files, f"a table of {target}"), as_)

    def figures(self, target: str) -> dict[str, Any]:
        """`results.json` of one target, as it is handed to a leaderboard."""
        self._known(target)
        return read_json(self.path / "results" / target / "results.json", f"the figures of {target}")

    def _known(self, target: str) -> None:
        if target not in self.targets:
            raise BadInput(f"{self.path}: has no target {target}; there are: {', '.join(self.targets) or 'none'}")

    def _table(self, name: str) -> pl.DataFrame:
        file = self.path / f"{name}.parquet"
        if not file.is_file():
            raise BadInput(f"{self.path}: has no table {name}; run the same `hardset evaluate` again")
        return read_parquet([file], f"the table {name}")
