"""The classes over which an exported model speaks: the key `output.space` of its TOML.

Holds always: an order of classes is not guessed. ImageNet-1k's is taken for a model of 1,000 classes only if nothing
that the model says contradicts it.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path

from .._errors import BadInput
from .._optional import need

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


def names_in(file: Path) -> list[str]:
    """The classes in a list of classes: `.txt`, `.json` or `.toml` (docs/recipes.md, "Class spaces")."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise BadInput(f"{file}: is not a file; --classes is imagenet-1k, categories, or a list of classes") from None
    if file.suffix == ".txt":
        return [line.strip() for line in text.splitlines()]
    if file.suffix == ".json":
        found = json.loads(text)
        found = found.get("id2label", found) if isinstance(found, dict) else found
        values = [found[key] for key in sorted(found, key=int)] if isinstance(found, dict) else found
    elif file.suffix == ".toml":
        found = need("tomllib").loads(text)["classes"]
        values = [one["name"] if isinstance(one, dict) else one for one in found]
    else:
        raise BadInput(f"{file}: a list of classes ends in .txt, .json or .toml")
    return [str(value[-1] if isinstance(value, list) else value) for value in values]


def space_of(asked: str | None, outputs: int, labels: list[str] | None, name: str) -> Space:
    """The space of a classifier with `outputs` numbers, which says that its classes are `labels`."""
    if asked in (None, IMAGENET):
        return _imagenet(asked, outputs, labels, name)
    assert asked is not None
    if asked == CATEGORIES:
        return Space(CATEGORIES)
    classes = names_in(Path(asked))
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
    return Space(Path(asked).name, classes=tuple(classes), file=Path(asked))


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
