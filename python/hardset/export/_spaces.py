"""The classes over which an exported model speaks: the key `output.space` of its TOML.

Holds always: an order of classes is not guessed. ImageNet-1k's is taken for a model of 1,000 classes only if nothing
that the model says contradicts it.
"""

from __future__ import annotations

import functools
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._errors import BadInput
from .._optional import need
from .._tables import read_toml

IMAGENET = "imagenet-1k"
CATEGORIES = "categories"


@dataclass(frozen=True)
class Space:
    """A class space, as the TOML names it."""

    #: `imagenet-1k`, `categories`, or the name of a file beside the TOML.
    name: str
    #: Outputs before the first class.
    offset: int = 0
    #: Names of the classes, for a file.
    classes: tuple[str, ...] = ()
    #: The file to copy; `None`: one is made of `classes`.
    file: Path | None = None


def count_of(classes: str | None) -> int | None:
    """How many classes a list names; `None` for what is no list: the model says itself how many it has."""
    return None if classes in (None, IMAGENET, CATEGORIES) else len(names_in(Path(str(classes))))


def names_in(file: Path) -> list[str]:
    """The classes in a list of classes: `.txt`, `.json` or `.toml` (docs/recipes.md, "Class spaces")."""
    if file.suffix not in _LISTS:
        raise BadInput(f"{file}: a list of classes ends in .txt, .json or .toml")
    if not file.is_file():
        raise BadInput(f"{file}: is not a file; --classes is imagenet-1k, categories, or a list of classes")
    try:
        classes = _LISTS[file.suffix](file)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise BadInput(f'{file}: is not a list of classes (docs/recipes.md, "Class spaces"): {error!r}') from error
    check_classes(classes, f"{file}:")
    return [name for _, name in classes]


def check_classes(classes: Sequence[tuple[str, str]], of: str) -> None:
    """Refuses what the program would refuse of a list: `(id, name)` of each class. `of`: whose they are."""
    places: dict[str, int] = {}
    if len(classes) < 2:
        raise BadInput(f"{of} has {len(classes)} class(es); a list has two or more")
    for at, (id_, name) in enumerate(classes):
        if not id_.strip() or not name.strip():
            raise BadInput(f"{of} has an empty name: class {at}, in order from 0; give each output its own name")
        if places.setdefault(id_, at) != at:
            raise BadInput(
                f"{of} has `{id_}` twice, as class {places[id_]} and as class {at}, in order from 0; give each class "
                "another name, or an id of its own: [[id, name], …] in a .json for --classes"
            )


def _in_text(file: Path) -> list[tuple[str, str]]:
    # As the program: lines end at line feeds alone, and empty ones at the end are none.
    lines = file.read_text(encoding="utf-8-sig").rstrip().split("\n")
    return [(line.strip(), line.strip()) for line in lines]


def _in_json(file: Path) -> list[tuple[str, str]]:
    found = json.loads(file.read_text(encoding="utf-8-sig"))
    if isinstance(found, dict):
        found = found.get("id2label") or found.get("label_names") or found
    if isinstance(found, dict):
        # Indices are 0, 1, … without a gap.
        found = {int(key): value for key, value in found.items()}
        found = [found[at] for at in range(len(found))]
    return [_pair(value) for value in found]


def _pair(value: Any) -> tuple[str, str]:
    """Id and name of a class: a name is both."""
    id_, name = value if isinstance(value, list) else (value, value)
    if not isinstance(id_, str) or not isinstance(name, str):
        raise TypeError(f"{value!r} is neither a name nor [id, name]")
    return id_, name


def _in_toml(file: Path) -> list[tuple[str, str]]:
    found = read_toml(file, "the list of classes")["classes"]
    return [_pair([one["id"], one["name"]] if isinstance(one, dict) else one) for one in found]


_LISTS = {".txt": _in_text, ".json": _in_json, ".toml": _in_toml}


def file_space(file: Path, name: str) -> Space:
    """The space of a list of classes, for the model `name`. Categories know it by the name of its file."""
    classes = tuple(names_in(file))
    if file.stem == CATEGORIES:
        raise BadInput(f"{file}: is called {CATEGORIES}, which is the name of another space; rename the file")
    if file.name == "config.json":
        # Beside another scorer it would be another space, and collide.
        return Space(f"{name}-classes.json", classes=classes)
    return Space(file.name, classes=classes, file=file)


def check_list(space: Space, folder: Path) -> None:
    """Refuses to write the list of `space` over another list in `folder`, which other scorers may speak over."""
    to = folder / space.name
    if space.file is not None and to.is_file() and to.read_bytes() != space.file.read_bytes():
        raise BadInput(f"{to}: is another list of classes than {space.file}; give yours another name, or --out")


def write_list(space: Space, folder: Path) -> list[Path]:
    """Writes the list of `space` into `folder`, if it has one. The user's own list stays as it is, byte by byte."""
    if not space.classes:
        return []
    check_list(space, folder)
    to = folder / space.name
    if space.file is None:
        to.write_text(json.dumps(list(space.classes), ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    elif not to.is_file():
        shutil.copyfile(space.file, to)
    return [to]


def space_of(asked: str | None, outputs: int, labels: list[str] | None, name: str) -> Space:
    """The space of a classifier with `outputs` numbers, which says that its classes are `labels`."""
    if asked in (None, IMAGENET):
        return _imagenet(asked, outputs, labels, name)
    assert asked is not None
    if asked == CATEGORIES:
        return Space(CATEGORIES)
    space = file_space(Path(asked), name)
    classes = space.classes
    if len(classes) != outputs:
        raise BadInput(f"{asked} has {len(classes)} classes, but the model gives {outputs} numbers")
    if labels and len(labels) == outputs:
        wrong = [at for at in range(outputs) if not _same(labels[at], classes[at])]
        moved = [at for at in wrong if any(_same(labels[at], other) for other in classes)]
        if len(moved) > outputs // 20:
            at = moved[0]
            raise BadInput(
                f"{asked} has the classes in another order than the model: number {at} is {classes[at]!r} there and "
                f"{labels[at]!r} in the model; leave --classes out to take the model's own"
            )
    return space


def _imagenet(asked: str | None, outputs: int, labels: list[str] | None, name: str) -> Space:
    if outputs in (1000, 1001):
        offset = outputs - 1000
        order = None if labels is None else _order(labels[offset:])
        if order is None or order:
            return Space(IMAGENET, offset)
    if asked == IMAGENET:
        if outputs in (1000, 1001):
            raise BadInput(
                "the model says that its classes are not ImageNet-1k's, or in another order; leave --classes out"
            )
        raise BadInput(f"the model gives {outputs} numbers, but ImageNet-1k has 1000 classes; give --classes FILE")
    if labels and len(labels) == outputs:
        check_classes([(label, label) for label in labels], "the model's own list of classes")
        return Space(f"{name}-classes.json", classes=tuple(labels))
    raise BadInput(f"the model gives {outputs} numbers and does not name them; give --classes FILE, or categories")


def _order(labels: list[str]) -> bool:
    """Whether `labels` are ImageNet-1k's classes in their order."""
    known = imagenet_names()
    return sum(_same(label, name) for label, name in zip(labels, known, strict=True)) >= 900


@functools.cache
def imagenet_names() -> list[str]:
    """The names of ImageNet-1k's classes, as torchvision has them."""
    return list(need("torchvision.models._meta", extra="export")._IMAGENET_CATEGORIES)


@functools.cache
def imagenet_ids() -> dict[str, int]:
    """The index of each class of ImageNet-1k by its WordNet id: the ids in their order."""
    info = need("timm.data", extra="export").ImageNetInfo("imagenet-1k")
    return {str(info.index_to_label_name(at)): at for at in range(1000)}


def label_in(path: str) -> int | None:
    """The class of a photograph whose name or folder has a WordNet id of ImageNet-1k (`n01440764_tench.JPEG`)."""
    for part in reversed(Path(path).parts[-2:]):
        found = [imagenet_ids()[id_] for id_ in re.findall(r"n\d{8}", part) if id_ in imagenet_ids()]
        if found:
            return found[0]
    return None


def _same(label: str, name: str) -> bool:
    """Whether two names mean one class: `tench, Tinca tinca` and `tench`."""
    plain = [
        re.sub(r"[^a-z0-9]+", " ", part.lower()).strip() for part in (label.partition(",")[0], name.partition(",")[0])
    ]
    return plain[0] == plain[1]
