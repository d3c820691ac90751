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
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

from ._errors import BadInput, HardsetError, Missing
from ._images import Images, Place, decode, image_files
from ._optional import need
from ._release import Release
from ._run import Run
from ._toml import quoted
from .export._models import Ask, Classifier, load
from .export._spaces import (
    Space,
    check_list,
    count_of,
    kind_of,
    make_folder,
    space_of,
    write_list,
)

#: Images in a part of the table.
PART = 4096


@dataclass(frozen=True)
class Predicted:
    """What was written."""

    file: Path
    toml: Path
    images: int
    #: Images that could not be read, with the reason.
    lost: list[tuple[str, str]]


class Scorable:
    """Images as `(tensor, place, reason)` for a data loader: one that cannot be read has a reason and no tensor."""

    def __init__(self, images: Images, own: Any) -> None:
        """`own`: from a picture to a tensor."""
        self.places = images.places
        self.own = own

    def __len__(self) -> int:
        """Number of images."""
        return len(self.places)

    def __getitem__(self, at: int) -> tuple[Any, str, str | None]:
        """The image at a place of the pool."""
        place = self.places[at]
        try:
            data = place.read()
            sha256 = place.sha256 or hashlib.sha256(data).hexdigest()
            return self.own(decode(data, place.item_id)), sha256, None
        except HardsetError as error:
            return None, str(place.file), error.message


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
    file = Path(out)
    if file.suffix != ".parquet":
        raise BadInput(f"{file}: write a name that ends in .parquet")
    images = images_of(Path(pool))
    model = load(Ask(source, Path(weights) if weights else None, random, count_of(classes) if weights else None))
    if not isinstance(model, Classifier):
        raise BadInput(
            f"{source}: is a model of two towers; export it with hardset.export, or import scores of your own"
        )
    lost: list[tuple[str, str]] = []
    found = scores(model, Scorable(images, model.own), batch=batch, workers=workers, device=device, lost=lost)
    first = next(found, None)
    if first is None:
        raise BadInput(f"{pool}: no image could be read: {lost[0][1] if lost else 'there is none'}")
    # Before the pool is scored: a mistake should not cost an hour.
    space = space_of(classes, first[1].shape[1], model.labels, model.name)
    check_list(space, file.parent)
    make_folder(file.parent)
    count = _write(file, itertools.chain([first], found))
    return Predicted(file, _write_toml(file, space, kind_of(first[1])), count, lost)


def images_of(pool: Path) -> Images:
    """The images of a run, a release or a folder."""
    if (pool / "spec.toml").is_file():
        # All of them: an item that a surrogate could not score is not in the manifest.
        return Images(Run(pool).places())
    if not pool.is_dir():
        raise BadInput(f"{pool}: there is no such folder")
    if (pool / "release.json").is_file():
        return Release(pool).iter_images()
    return Images([Place(at, file, 0, None, None) for at, file in enumerate(image_files(pool))])


def _alone(parts: list[Any]) -> list[Any]:
    """Leaves a batch as a list: images that cannot be read have no tensor to stack."""
    return parts


def scores(
    model: Classifier, images: Scorable, *, batch: int, workers: int, device: str, lost: list[tuple[str, str]]
) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
    """Hashes and logits `[n, classes]` of each batch; images that cannot be read are added to `lost`."""
    torch = need("torch", extra="export")
    try:
        module = model.module.to(device)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        raise Missing(f"device {device}: {str(error).splitlines()[0]}") from error
    loader = need("torch.utils.data", extra="export").DataLoader(
        images, batch_size=batch, num_workers=workers, collate_fn=_alone
    )
    for parts in loader:
        lost += [(name, reason) for _, name, reason in parts if reason is not None]
        whole = [(tensor, sha256) for tensor, sha256, reason in parts if reason is None]
        if not whole:
            continue
        with torch.inference_mode():
            values = torch.stack([tensor for tensor, _ in whole]).to(device)
            try:
                found = module(values)
            except Exception as error:  # of the user's code, or of torch
                raise BadInput(f"the model cannot take pictures {list(values.shape)}: {error!r}") from error
        if not isinstance(found, torch.Tensor) or found.ndim != 2:
            raise BadInput(f"the model gives a {type(found).__name__}; a classifier gives one tensor [n, classes]")
        if not found.isfinite().all():
            raise BadInput("the model gives numbers that are not finite")
        yield [sha256 for _, sha256 in whole], found.float().cpu().numpy()


def _write(file: Path, found: Iterable[tuple[list[str], NDArray[np.float32]]]) -> int:
    """Writes the table under its name once it is whole. Returns how many images were scored."""
    count, parts, written = 0, [], set[str]()
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=f".{file.name}.") as folder:
        for at, frame in enumerate(_frames(found)):
            count += frame.height
            # Two images of a pool may have the same bytes, and a row is of one image.
            rows = frame.unique("sha256", maintain_order=True)
            rows = rows.filter(pl.Series([sha256 not in written for sha256 in rows["sha256"]], dtype=pl.Boolean))
            written.update(rows["sha256"])
            parts.append(Path(folder, f"{at:06}.parquet"))
            rows.write_parquet(parts[-1])
        whole = Path(folder, "whole.parquet")
        pl.scan_parquet(parts, glob=False).sink_parquet(whole)
        whole.replace(file)
    return count


def _frames(found: Iterable[tuple[list[str], NDArray[np.float32]]]) -> Iterator[pl.DataFrame]:
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
    words = f"./{space.name}" if write_list(space, file.parent) else space.name
    offset = f", offset = {space.offset}" if space.offset else ""
    lines = [
        "# Written by hardset.predict.",
        f"predictions = {quoted(file.name)}",
        f'output = {{ kind = "{kind}", space = {quoted(words)}{offset}, name = "logits" }}',
    ]
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
    # Pillow warns of large pictures, which hardset reads too.
    Image.MAX_IMAGE_PIXELS = None
    sys.exit(main())
