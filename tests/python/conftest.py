"""What the tests of the package share.

Environment: HARDSET_PROGRAM (the program), HARDSET_QUICKSTART (the run directory of a finished quick start, with its
release and its evaluation beside it), HARDSET_TEST_DATA (the folder with `photos/` and `surrogates/`), and
HARDSET_TEST_ALL=1, which makes a failure of every test that would be skipped.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import hardset
import polars as pl
import pytest

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures" / "format-2"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes minutes; `.ci/run` leaves it out")


def lack(what: str) -> None:
    """Skips the test, or fails where nothing may be skipped."""
    if os.environ.get("HARDSET_TEST_ALL") == "1":
        pytest.fail(f"HARDSET_TEST_ALL=1, but {what}", pytrace=False)
    pytest.skip(what, allow_module_level=True)


def need_package(*names: str) -> None:
    """For tests of what an extra brings."""
    for name in names:
        try:
            __import__(name)
        except ImportError:
            lack(f"the package {name} is missing")


@pytest.fixture(scope="session")
def program() -> Path:
    try:
        return hardset.program()
    except hardset.Missing:
        lack("there is no program: set HARDSET_PROGRAM")
        raise


@pytest.fixture(scope="session")
def quickstart() -> Path:
    named = os.environ.get("HARDSET_QUICKSTART")
    if not named or not Path(named, "spec.toml").is_file():
        lack("there is no quick start: set HARDSET_QUICKSTART to its run directory")
    return Path(str(named))


@pytest.fixture(scope="session")
def released(quickstart: Path) -> Path:
    return beside(quickstart, "release", "release.json")


@pytest.fixture(scope="session")
def evaluated(quickstart: Path) -> Path:
    return beside(quickstart, "evaluation", "evaluation.toml")


def beside(run: Path, kind: str, file: str) -> Path:
    found = sorted(path for path in run.parent.glob(f"{run.name}-{kind}-*") if (path / file).is_file())
    if not found:
        lack(f"the {kind} of the quick start is not beside it")
    return found[0]


def as_checkout(folder: Path) -> None:
    """Links what the recipe of the quick start names, as a checkout has it."""
    for name in ("pipelines", "models", "nuisances", "categories"):
        (folder / name).symlink_to(ROOT / name)


@pytest.fixture(scope="session")
def data() -> Path:
    named = os.environ.get("HARDSET_TEST_DATA")
    if not named or not Path(named, "photos").is_dir():
        lack("there are no photographs: set HARDSET_TEST_DATA")
    return Path(str(named))


@pytest.fixture
def small() -> hardset.Run:
    """The run of fake images that the repository keeps."""
    return hardset.Run(FIXTURES / "run")


@pytest.fixture
def copied(quickstart: Path, tmp_path: Path) -> Path:
    """A copy of the quick start, for tests that mine it again."""
    return Path(shutil.copytree(quickstart, tmp_path / "copied"))


@pytest.fixture(scope="session")
def judged(quickstart: Path, program: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the quick start on which four people have answered: yes, but for negative sentinels and one item."""
    folder = tmp_path_factory.mktemp("judged")
    run = folder / "run"
    shutil.copytree(quickstart, run)
    sheets = pl.concat(pl.read_parquet(file) for file in sorted(run.glob("batches/*.tasks.parquet")))
    sentinels = pl.concat(pl.read_parquet(file) for file in sorted(run.glob("batches/*.sentinels.parquet")))
    tasks = sheets.join(sentinels, on="task", how="left")
    rejected = tasks.filter(pl.col("kind").is_null())["item_id"].min()
    lines = ["person,task,question,answer"]
    for task, kind, item in tasks.select("task", "kind", "item_id").iter_rows():
        answer = "no" if kind == "negative" or item == rejected else "yes"
        lines += [f"{who},{task},{question},{answer}" for who in "abcd" for question in ("recognise", "use")]
    answers = folder / "answers.csv"
    answers.write_text("\n".join(lines) + "\n", encoding="utf-8")
    hardset._program.run(["annotate", "collect", str(run), str(answers)], progress=False)
    return run


@pytest.fixture(scope="session")
def verified(judged: Path) -> Path:
    """A release of it, with all other forms."""
    out = judged.parent / "release"
    hardset.release(judged, out, also=["imagefolder", "webdataset", "fiftyone"], progress=False)
    return out


Refused = Callable[[str], "pytest.RaisesExc[hardset.BadInput]"]


@pytest.fixture
def refused() -> Refused:
    """The one place that says what a refusal is: exit code 2, in words."""

    def check(words: str) -> pytest.RaisesExc[hardset.BadInput]:
        return pytest.raises(hardset.BadInput, match=words, check=lambda error: error.exit_code == 2)

    return check
