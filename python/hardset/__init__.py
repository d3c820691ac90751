"""`hardset` in Python: reads runs, releases and evaluations, and runs the program.

    run = hardset.build("quickstart")
    run.items().filter(pl.col("hard"))
    run.gallery("hard")

It has no logic of its own: tables are those of the documents (docs/run-directory.md, docs/releases.md,
docs/evaluation.md), and everything else is done by the program. docs/python.md is its manual.
"""

from importlib.metadata import PackageNotFoundError, version

from ._commands import build, compare, evaluate, mine, plan, release, report, status, verify
from ._errors import BadInput, HardsetBug, HardsetError, ItemsLost, Missing, PartOnly, Stopped
from ._evaluation import Evaluation
from ._gallery import Gallery
from ._images import Images
from ._program import program
from ._release import Release
from ._run import Run

try:
    __version__ = version("hardset")
except PackageNotFoundError:  # a checkout that is not installed
    __version__ = "0+checkout"

__all__ = [
    "BadInput",
    "Evaluation",
    "Gallery",
    "HardsetBug",
    "HardsetError",
    "Images",
    "ItemsLost",
    "Missing",
    "PartOnly",
    "Release",
    "Run",
    "Stopped",
    "__version__",
    "build",
    "compare",
    "evaluate",
    "mine",
    "plan",
    "program",
    "release",
    "report",
    "status",
    "verify",
]
