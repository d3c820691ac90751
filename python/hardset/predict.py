"""Scores a pool with a torch model, and writes the scores as a file that `hardset` imports.

    python -m hardset.predict runs/mine timm:resnet50 --out resnet50.parquet
    hardset mine runs/mine --surrogates a,b,./resnet50.toml

For models that cannot be exported, or that a GPU scores in torch. The preprocessing is the model's own. Beside the
file there is a TOML that names it (docs/recipes.md, "Imported predictions"). A row is of one image, by its SHA-256.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

from ._errors import BadInput, HardsetError, Missing, first_line
from ._images import Images, Place, decode, image_files
from ._optional import need
from ._release import Release, run_or_release
from ._run import Run
from ._toml import quoted
from .export._check import BOUND, called, finite_rows, is_shares, kind_of, outputs_of, steady
from .export._files import draft_in, make_folder, writing
from .export._models import Ask, Classifier, load
from .export._spaces import (
    CATEGORIES,
    Space,
    check_list,
    count_of,
    space_of,
    write_list,
)

#: Images in a part of the table.
PART = 4096
#: Images that tell whether numbers are logits or probabilities.
ENOUGH = 32
#: As `BOUND`, for a device that is no CPU: its kernels depend on the size of the batch, and may round to TF32.
DEVICE_BOUND = 1e-2
#: Hashes and numbers `[n, classes]` of a batch.
Scores = tuple[list[str], NDArray[np.float32]]


class ModelFails(str):
    """A reason why an image has no scores that lies in the model."""


NOT_FINITE = ModelFails("the model gives numbers that are not finite")


@dataclass(frozen=True)
class Predicted:
    """What was written."""

    file: Path
    toml: Path
    images: int
    #: Images that could not be read, with the reason.
    lost: list[tuple[str, str]]


class Scorable:
    """Images as `(tensor, name, reason)` for a data loader: one that cannot be read has a reason and no tensor.

    The name is the hash of an image that can be read, and else says where it is.
    """

    def __init__(self, images: Images, own: Any, *, limited: bool = True) -> None:
        """`own`: from a picture to a tensor. `limited`: pictures above Pillow's limit are not read."""
        self.places = images.places
        self.own = own
        self.limited = limited

    def __len__(self) -> int:
        """Number of images."""
        return len(self.places)

    def __getitem__(self, at: int) -> tuple[Any, str, str | None]:
        """The image at a place of the pool."""
        place = self.places[at]
        try:
            data = place.read()
            picture = self._picture(data, place.item_id)
        except HardsetError as error:
            return None, self.where(at), error.message
        except MemoryError:
            return None, self.where(at), "the picture is too large for the memory"
        try:
            return self.own(picture), place.sha256 or hashlib.sha256(data).hexdigest(), None
        except Exception as error:  # of the user's code
            return None, self.where(at), ModelFails(f"the model's own preprocessing fails: {error!r}")

    def where(self, at: int) -> str:
        """The image at a place of the pool, for people."""
        place = self.places[at]
        is_file = place.length is None and place.column is None
        return str(place.file) if is_file else f"{place.file}: item {place.item_id}"

    def _picture(self, data: bytes, item_id: int) -> Image.Image:
        limit = Image.MAX_IMAGE_PIXELS
        try:
            with warnings.catch_warnings():
                # Below twice its limit Pillow warns, and hardset reads such pictures too.
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                Image.MAX_IMAGE_PIXELS = limit if self.limited else None
                return decode(data, item_id)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def predict(
    pool: str | os.PathLike[str],
    source: str,
    out: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] | None = None,
    random: bool = False,
    classes: str | None = None,
    batch: int = 32,
    workers: int = 0,
    device: str = "cpu",
) -> Predicted:
    """Scores all images of `pool`, a run, a release or a folder, with the model `source`, and writes `out` (Parquet).

    `source`, `weights`, `random` and `classes` are as in `hardset.export`. `device`: as torch names it. The scores are
    written in parts, so that of a large pool only the places and the hashes of its images are in memory.
    """
    if batch < 1 or workers < 0:
        raise BadInput(f"batch is {batch} and workers is {workers}; batch is at least 1, workers at least 0")
    file = _checked(Path(out))
    opened = run_or_release(Path(pool))
    images = images_of(Path(pool), opened)
    model = load(Ask(source, Path(weights) if weights else None, random, count_of(classes) if weights else None))
    if not isinstance(model, Classifier):
        raise BadInput(
            f"{source}: is a model of two towers; export it with hardset.export, or import scores of your own"
        )
    lost: list[tuple[str, str]] = []
    # The program has measured the pictures of a run and of a release.
    shown = Scorable(images, model.own, limited=opened is None)
    make_folder(file.parent)
    # Before the pool is scored, because a mistake should not cost an hour: that there can be files, and all that the
    # first pictures tell.
    with draft_in(file.parent, f".{file.name}.") as draft:
        found = scores(model, shown, batch=batch, workers=workers, device=device, lost=lost)
        first = list(_first(found))
        if not first:
            raise BadInput(f"{pool}: no image could be scored: {lost[0][1] if lost else 'there is none'}")
        numbers = np.concatenate([some for _, some in first])
        space = space_of(classes, numbers.shape[1], model.labels, model.name)
        if space.name == CATEGORIES and opened is not None:
            _check_categories(opened, numbers.shape[1])
        check_list(space, file.parent)
        kind = kind_of(numbers)
        count = _write(file, _of_kind(itertools.chain(first, found), kind), draft)
    return Predicted(file, _write_toml(file, space, kind), count, lost)


def _checked(file: Path) -> Path:
    """The name of the file to write, if there can be one."""
    if file.suffix != ".parquet":
        raise BadInput(f"{file}: write a name that ends in .parquet")
    for one in (file, file.with_suffix(".toml")):
        if one.is_dir():
            raise BadInput(f"{one}: is a folder; give --out another name")
    return file


def _first(found: Iterator[Scores]) -> Iterator[Scores]:
    """The first batches, until there are enough pictures to tell the kind of their numbers."""
    count = 0
    while count < ENOUGH and (some := next(found, None)) is not None:
        count += len(some[0])
        yield some


def _of_kind(found: Iterable[Scores], kind: str) -> Iterator[Scores]:
    """All batches, if they are of the kind of the first ones."""
    for hashes, numbers in found:
        if kind == "probabilities" and not is_shares(numbers):
            other = next(at for at in range(len(hashes)) if not is_shares(numbers[at : at + 1]))
            raise BadInput(
                "the model gives the first pictures probabilities that sum to 1, but not the image with the SHA-256 "
                f"{hashes[other]}; let it give logits"
            )
        yield hashes, numbers


def _check_categories(pool: Run | Release, outputs: int) -> None:
    """Refuses another number of outputs than the pool has categories."""
    if isinstance(pool, Run):
        count = len(pool.spec.get("categories", {}).get("entries", []))
    else:
        count = len(pool.record.get("categories", []))
    if count not in (0, outputs):
        raise BadInput(
            f"{pool.path} has {count} categories, but the model gives {outputs} numbers; give --classes FILE"
        )


def images_of(pool: Path, opened: Run | Release | None) -> Images:
    """The images of a pool: `opened`, or those in the folder."""
    if isinstance(opened, Run):
        # All of them: an item that a surrogate could not score is not in the manifest.
        return Images(opened.places())
    if opened is not None:
        return opened.iter_images()
    return Images([Place(at, file, 0, None, None) for at, file in enumerate(image_files(pool))])


def _alone(parts: list[Any]) -> list[Any]:
    """Leaves a batch as a list: images that cannot be read have no tensor to stack."""
    return parts


def scores(
    model: Classifier, images: Scorable, *, batch: int, workers: int, device: str, lost: list[tuple[str, str]]
) -> Iterator[Scores]:
    """Hashes and logits `[n, classes]` of each batch; images that cannot be scored are added to `lost`.

    The first batch is held against a second call, and against pictures alone.
    """
    try:
        module = model.module.to(device)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        raise Missing(f"device {device}: {first_line(error)}") from error
    loader = need("torch.utils.data", extra="export").DataLoader(
        images, batch_size=batch, num_workers=workers, collate_fn=_alone
    )
    bound = BOUND if device.partition(":")[0] == "cpu" else DEVICE_BOUND
    at, held, is_first = 0, 0, True
    for parts in loader:
        lost += [(name, reason) for _, name, reason in parts if reason is not None]
        whole = [(tensor, sha256, at + place) for place, (tensor, sha256, reason) in enumerate(parts) if reason is None]
        at += len(parts)
        if whole:
            values = _stacked([tensor for tensor, _, _ in whole])
            found = _rows(module, values, device)
            # One picture shows whether a second call is the same, two show whether they act on each other.
            if held < min(len(values), 2):
                steady(lambda part: _rows(module, part, device), values, found, "the model", bound)
                held = int(finite_rows(found).sum())
            good = finite_rows(found).tolist()
            lost += [(images.where(place), NOT_FINITE) for (_, _, place), ok in zip(whole, good, strict=True) if not ok]
            if any(good):
                is_first = False
                yield [sha256 for (_, sha256, _), ok in zip(whole, good, strict=True) if ok], found[good]
        if is_first and at >= ENOUGH and isinstance(lost[-1][1], ModelFails):
            raise BadInput(str(lost[-1][1]))


def _stacked(tensors: list[Any]) -> Any:
    torch = need("torch", extra="export")
    try:
        return torch.stack(tensors)
    except (TypeError, RuntimeError) as error:
        raise BadInput(
            f"the model's own preprocessing does not give tensors of one shape: {first_line(error)}; let it "
            "have Resize, CenterCrop and ToTensor"
        ) from error


def _rows(module: Any, values: Any, device: str) -> NDArray[np.float32]:
    """What the model gives, a row for each picture."""
    found = called(module, values.to(device))
    outputs_of(found, len(values))
    rows: NDArray[np.float32] = found.float().cpu().numpy()
    return rows


def _write(file: Path, found: Iterable[Scores], draft: Path) -> int:
    """Writes the table under its name once it is whole; `draft`: a folder for its parts. Returns how many images."""
    count, parts, written = 0, [], set[str]()
    for at, frame in enumerate(_frames(found)):
        count += frame.height
        # Two images of a pool may have the same bytes, and a row is of one image.
        rows = frame.unique("sha256", maintain_order=True)
        rows = rows.filter(pl.Series([sha256 not in written for sha256 in rows["sha256"]], dtype=pl.Boolean))
        written.update(rows["sha256"])
        parts.append(draft / f"{at:06}.parquet")
        with writing(file):
            rows.write_parquet(parts[-1])
    with writing(file):
        whole = draft / "whole.parquet"
        pl.scan_parquet(parts, glob=False).sink_parquet(whole)
        whole.replace(file)
    return count


def _frames(found: Iterable[Scores]) -> Iterator[pl.DataFrame]:
    """The scores as tables of about `PART` rows."""
    hashes: list[str] = []
    numbers: list[NDArray[np.float32]] = []
    for some_hashes, some in found:
        hashes += some_hashes
        numbers.append(some)
        if len(hashes) >= PART:
            yield _frame(hashes, numbers)
            hashes, numbers = [], []
    if hashes:
        yield _frame(hashes, numbers)


def _frame(hashes: list[str], numbers: list[NDArray[np.float32]]) -> pl.DataFrame:
    frame = pl.DataFrame({"sha256": hashes, "logits": np.concatenate(numbers)})
    return frame.with_columns(pl.col("logits").cast(pl.List(pl.Float32)))


def _write_toml(file: Path, space: Space, kind: str) -> Path:
    toml = file.with_suffix(".toml")
    with writing(toml):
        words = f"./{space.name}" if write_list(space, file.parent) else space.name
    offset = f", offset = {space.offset}" if space.offset else ""
    lines = [
        "# Written by hardset.predict.",
        f"predictions = {quoted(file.name)}",
        f'output = {{ kind = "{kind}", space = {quoted(words)}{offset}, name = "logits" }}',
    ]
    with writing(toml):
        toml.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return toml


def arguments() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="python -m hardset.predict",
        description="Scores a pool with a torch model, as a file that hardset imports.",
    )
    parser.add_argument("pool", metavar="POOL", type=Path, help="a run, a release, or a folder of images")
    parser.add_argument("source", metavar="MODEL", help="as for hardset.export: timm:NAME, torchvision:NAME, …")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="the Parquet file; its TOML is beside it"
    )
    parser.add_argument("--weights", type=Path, metavar="FILE", help="a state dict: .safetensors, .pt, .pth")
    parser.add_argument("--random", action="store_true", help="random weights, of seed 0")
    parser.add_argument("--classes", metavar="LIST", help="imagenet-1k, categories, or a file with names of classes")
    parser.add_argument("--batch", type=int, default=32, metavar="N", help="images in a call; default: 32")
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="processes that read images; default: 0")
    parser.add_argument("--device", default="cpu", help="as torch names it: cpu, cuda:0, mps; default: cpu")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the command. Returns the exit code: 3 if images were lost."""
    options = arguments().parse_args(argv)
    try:
        made = predict(
            options.pool,
            options.source,
            options.out,
            weights=options.weights,
            random=options.random,
            classes=options.classes,
            batch=options.batch,
            workers=options.workers,
            device=options.device,
        )
    except HardsetError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return error.exit_code
    for name, reason in made.lost:
        print(f"lost: {name}: {reason}", file=sys.stderr)
    print(f"{made.images} images scored: {made.file}\nwrote {made.toml}")
    return 3 if made.lost else 0


if __name__ == "__main__":
    sys.exit(main())
