"""The wheel brings every file that the quick start's recipe names, and nothing that is not in the repository."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from conftest import need_package

if sys.version_info >= (3, 11):
    import tomllib
else:
    need_package("tomli")
    tomllib = importlib.import_module("tomli")

REPOSITORY = Path(__file__).resolve().parents[2]
MODELS = ["quick-clip", "quick-diffusion", "surrogates"]
SHARE = REPOSITORY / "python" / "wheel-data" / "data" / "share" / "hardset"


def paths_in(value: Any) -> Iterator[str]:
    """All strings that are paths to files beside the recipe."""
    if isinstance(value, str) and value.startswith(("../", "./")):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from paths_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from paths_in(inner)


def test_every_file_that_the_quick_start_names_is_in_the_wheel() -> None:
    recipe = SHARE / "pipelines" / "quickstart.toml"
    named = sorted(set(paths_in(tomllib.loads(recipe.read_text()))))
    assert len(named) >= 12, named
    # Not resolved: the path must exist in the wheel's own tree, whose links the wheel replaces by the files.
    missing = [name for name in named if not Path(f"{recipe.parent}/{name}").exists()]
    assert not missing, missing


def test_every_scorer_in_the_wheel_has_its_weights() -> None:
    scorers = sorted((SHARE / "models" / "quickstart" / "surrogates").glob("*.toml"))
    assert len(scorers) >= 7, scorers
    weights = [scorer.parent / tomllib.loads(scorer.read_text())["weights"]["path"] for scorer in scorers]
    missing = [path for path in weights if not path.is_file()]
    assert not missing, missing


def test_every_file_beside_a_linked_one_is_linked_too() -> None:
    """maturin follows links to files only, so each file has a link of its own."""
    links = {path.relative_to(SHARE) for path in SHARE.rglob("*") if path.is_symlink()}
    assert all((SHARE / link).is_file() for link in links), links
    assert all((SHARE / link).resolve() == REPOSITORY / link for link in links), links
    whole = ["nuisances/quickstart", *(f"models/quickstart/{part}" for part in MODELS)]
    files = {
        path.relative_to(REPOSITORY) for name in whole for path in (REPOSITORY / name).rglob("*") if path.is_file()
    }
    assert links == files | {Path("pipelines/quickstart.toml")}
