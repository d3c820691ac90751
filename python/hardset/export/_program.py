"""Lets the program `hardset` itself score the photographs, and holds its top classes against the model's.

Writes only into a temporary folder.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .._commands import build
from .._errors import BadInput
from .._toml import quoted
from ._check import Photograph, near_ties
from ._spaces import CATEGORIES, IMAGENET, Space

#: The sigmoid of a larger logit is 1 in f32, and the program chooses by probability.
SATURATED = 15.0


@dataclass(frozen=True)
class Held:
    """What the program gave."""

    photographs: int
    equal: int
    near_ties: int


def hold(
    toml: Path, space: Space, shown: Sequence[Photograph], logits: NDArray[np.float32], names: Sequence[str]
) -> Held:
    """The program's top classes against those of `logits` (of the classes of the space, in their order).

    `names`: of the classes, for the space `categories`. They are equal but for near ties; logits of a sigmoid above
    `SATURATED` are a tie too.
    """
    with tempfile.TemporaryDirectory(prefix="hardset-export-") as folder:
        run = build(_pipeline(Path(folder), toml, space, shown, names), Path(folder, "run"), progress=False)
        sources = dict(run.plan().select("item_id", "source").iter_rows())
        found = {
            sources[item]: top for item, top in run.predictions(toml.stem).select("item_id", "top1_id").iter_rows()
        }
    lost = [one.name for at, one in enumerate(shown) if _file(at, one) not in found]
    if lost:
        raise BadInput(f"{lost[0]}: the program could not score it")
    tops = np.array([found[_file(at, one)] for at, one in enumerate(shown)])
    equal, ties = tops == logits.argmax(axis=1), near_ties(logits)
    if 'kind = "sigmoid"' in toml.read_text(encoding="utf-8"):
        ties |= np.sort(logits, axis=1)[:, -2] > SATURATED
    if (~equal & ~ties).any():
        at = int(np.flatnonzero(~equal & ~ties)[0])
        raise BadInput(
            f"{shown[at].name}: the program gives class {tops[at]}, the model class {logits[at].argmax()}; of "
            f"{len(shown)} photographs {int((~equal & ~ties).sum())} differ"
        )
    return Held(len(shown), int(equal.sum()), int(ties.sum()))


def _file(at: int, one: Photograph) -> str:
    return f"{at:05}{one.file.suffix if one.file else '.png'}"


def _pipeline(folder: Path, toml: Path, space: Space, shown: Sequence[Photograph], names: Sequence[str]) -> Path:
    photographs = folder / "photographs"
    photographs.mkdir()
    for at, one in enumerate(shown):
        if one.file is not None:
            shutil.copyfile(one.file, photographs / _file(at, one))
        else:
            one.image.save(photographs / _file(at, one))
    # What the photographs show does not matter: every one is of the first category.
    first = "category-0"
    rows = "".join(f"{_file(at, one)},{first}\n" for at, one in enumerate(shown))
    (folder / "labels.csv").write_text(f"path,label\n{rows}", encoding="utf-8")
    entries = [{"id": first, "name": names[0] if names else "category 0"}]
    if space.name == CATEGORIES:
        entries += [{"id": f"category-{at}", "name": name} for at, name in enumerate(names) if at]
    accepts = {IMAGENET: ", imagenet_ids = [0]", CATEGORIES: ""}
    more = accepts.get(space.name, f", classes = {{ {quoted(Path(space.name).stem)} = [0] }}")
    lines = [f"  {{ id = {quoted(one['id'])}, name = {quoted(one['name'])}{more} }}," for one in entries]
    (folder / "categories.toml").write_text("categories = [\n" + "\n".join(lines) + "\n]\n", encoding="utf-8")
    pipeline = folder / "export.toml"
    pipeline.write_text(
        f"""name = "export"
categories = "./categories.toml"

[generate]
source = "folder"
root = "photographs"
labels = "csv"
labels_csv = "labels.csv"

[mine]
surrogates = [{quoted(str(toml.resolve()))}]
rule = "all"
""",
        encoding="utf-8",
    )
    return pipeline
