"""Holds an exported graph against its model on real photographs.

Two things are compared. Pixels: what the TOML's keys make of a photograph, against the model's own preprocessing.
Logits: the graph on the TOML's pixels, against the model on its own. A difference is relative to the largest absolute
logit of the image. Holds always: one photograph that differs refuses the export.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .._errors import BadInput
from .._images import decode, image_files
from .._optional import need
from .._release import Release
from .._run import Run
from ._preprocess import Preprocess

#: The largest difference of logits, relative to the largest absolute logit of the image.
BOUND = 1e-4
#: The largest difference of pixels, in units of the input. One level of 255 is at least 0.0039 / std.
PIXEL_BOUND = 1e-3
#: Logits that differ by less give probabilities that f32 cannot part.
SAME = 1e-6
#: Photographs in a call.
BATCH = 8


@dataclass(frozen=True)
class Photograph:
    """A picture to check on."""

    name: str
    image: Image.Image
    #: Its file, where it has one of its own.
    file: Path | None


@dataclass(frozen=True)
class Compared:
    """What was found on the photographs."""

    photographs: int
    #: Largest difference of logits, relative to the largest absolute logit of its image.
    worst: float
    #: Largest difference of pixels, in units of the input.
    worst_pixels: float
    #: Photographs whose two largest logits are closer than twice the bound: their top class may differ.
    near_ties: int
    #: Different top classes that the model gives.
    top_classes: int


def photographs(pool: Path, count: int) -> list[Photograph]:
    """At most `count` photographs of a folder, a run or a release, spread evenly over it."""
    if not pool.is_dir():
        raise BadInput(f"{pool}: there is no such folder")
    if (pool / "spec.toml").is_file():
        return _of_pool(Run(pool), count)
    if (pool / "release.json").is_file():
        return _of_pool(Release(pool), count)
    chosen = _spread(image_files(pool), count)
    return [
        Photograph(str(file.relative_to(pool)), decode(file.read_bytes(), at), file) for at, file in enumerate(chosen)
    ]


def _of_pool(pool: Run | Release, count: int) -> list[Photograph]:
    images = pool.iter_images()
    found = (images[at] for at in _spread(range(len(images)), count))
    return [Photograph(f"item {item}", image, None) for image, item in found]


def _spread(values: Sequence[Any], count: int) -> list[Any]:
    count = min(count, len(values))
    return [values[at * len(values) // count] for at in range(count)]


def noise(preprocess: Preprocess) -> list[Photograph]:
    """Two pictures of noise that are larger than the model's, with odd sides: small squares hide a wrong resize."""
    # An even number keeps odd sides odd.
    more = max(0, max(preprocess.resize_px, preprocess.crop_px) - 400) // 2 * 2
    random, made = np.random.default_rng(0), []
    for width, height in ((701, 523), (523, 702)):
        values = random.integers(0, 256, (height + more, width + more, 3), dtype=np.uint8)
        made.append(Photograph(f"noise of {width + more} x {height + more} px", Image.fromarray(values), None))
    return made


def inputs(
    shown: Sequence[Photograph], preprocess: Preprocess, own: Callable[[Image.Image], Any]
) -> tuple[NDArray[np.float32], Any, float]:
    """Pixels by the TOML, pixels of the model's own preprocessing (a tensor), and their largest difference.

    The difference is that of all photographs and of `noise`; the pixels are of the photographs alone.
    """
    torch = need("torch", extra="export")
    ours, theirs, worst = [], [], 0.0
    for one in [*shown, *noise(preprocess)]:
        pixels = preprocess.pixels(one.image)
        try:
            tensor = own(one.image)
        except Exception as error:  # of the user's code
            raise BadInput(f"{one.name}: the model's own preprocessing fails: {error!r}") from error
        if not isinstance(tensor, torch.Tensor) or tuple(tensor.shape) != pixels.shape:
            gives = list(tensor.shape) if isinstance(tensor, torch.Tensor) else f"a {type(tensor).__name__}"
            raise BadInput(f"{one.name}: the model's own preprocessing gives {gives}, the TOML {list(pixels.shape)}")
        difference = float(np.abs(pixels - tensor.numpy()).max())
        if not difference <= PIXEL_BOUND:
            raise BadInput(
                f"{one.name}: the model's own preprocessing differs from what the TOML can say by {difference:.2g} (a "
                f"pixel is the same up to {PIXEL_BOUND}); use Resize, CenterCrop, ToTensor and Normalize on a PIL image"
            )
        ours.append(pixels)
        theirs.append(tensor)
        worst = max(worst, difference)
    return np.stack(ours[: len(shown)]), torch.stack(theirs[: len(shown)]), worst


def session(graph: Path) -> Any:
    """The graph, ready to run on the CPU."""
    runtime = need("onnxruntime", extra="cpu", other="gpu")
    options = runtime.SessionOptions()
    # As the program does: this one is wrong before 1.32 (src/onnx/runtime.rs).
    options.add_session_config_entry("optimization.disable_specified_optimizers", "Pad_Fusion")
    return runtime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def by_batches(call: Callable[[Any], Any], values: Any) -> NDArray[np.float32]:
    """`call` on all `values`, a few at a time."""
    made = [np.asarray(call(values[at : at + BATCH]), dtype=np.float32) for at in range(0, len(values), BATCH)]
    return np.concatenate(made)


def of_torch(module: Any, values: Any) -> NDArray[np.float32]:
    """What the model gives: finite numbers."""
    torch = need("torch", extra="export")
    with torch.inference_mode():
        made = by_batches(lambda part: module(part).numpy(), values)
    if not np.isfinite(made).all():
        raise BadInput("the model gives numbers that are not finite")
    return made


def of_graph(graph: Any, values: NDArray[Any]) -> NDArray[np.float32]:
    """What the graph gives. An error if it gives other numbers for one picture alone."""
    (name,) = [one.name for one in graph.get_inputs()]
    found = by_batches(lambda part: graph.run(None, {name: part})[0], values)
    alone = np.asarray(graph.run(None, {name: values[:1]})[0], dtype=np.float32)
    if relative(alone, found[:1]).max() > BOUND:
        raise BadInput("the graph gives other numbers for a picture alone than beside others; it measures its batch")
    return found


def relative(found: NDArray[np.float32], wanted: NDArray[np.float32]) -> NDArray[np.float32]:
    """For each row the largest difference, relative to the largest absolute number of the row that is wanted."""
    scale = np.maximum(np.abs(wanted).max(axis=1), np.finfo(np.float32).tiny)
    difference: NDArray[np.float32] = np.abs(found - wanted).max(axis=1) / scale
    return difference


def near_ties(logits: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Rows whose two largest logits are closer than twice the bound, because both may move by it.

    Logits closer than `SAME` are a tie too: their probabilities are the same number of f32.
    """
    two = np.sort(logits, axis=1)[:, -2:]
    ties: NDArray[np.bool_] = two[:, 1] - two[:, 0] <= np.maximum(2 * BOUND * np.abs(logits).max(axis=1), SAME)
    return ties


def compare(
    shown: Sequence[Photograph], found: NDArray[np.float32], wanted: NDArray[np.float32], worst_pixels: float
) -> Compared:
    """Holds the logits of the graph against those of the model."""
    worst = relative(found, wanted)
    at = int(worst.argmax())
    if not worst[at] <= BOUND:
        raise BadInput(
            f"{shown[at].name}: the graph differs from the model by {worst[at]:.2g} of the largest logit; at most "
            f"{BOUND} is accepted. Nothing was written"
        )
    ties = near_ties(wanted)
    tops, wanted_tops = found.argmax(axis=1), wanted.argmax(axis=1)
    other = np.flatnonzero((tops != wanted_tops) & ~ties)
    if len(other):
        at = int(other[0])
        raise BadInput(f"{shown[at].name}: the graph gives class {tops[at]}, the model class {wanted_tops[at]}")
    if len(shown) > 1 and relative(wanted[1:], np.broadcast_to(wanted[0], wanted[1:].shape)).max() < BOUND:
        raise BadInput("the model gives all photographs the same numbers, so that the check shows nothing")
    return Compared(len(shown), float(worst.max()), worst_pixels, int(ties.sum()), len(set(wanted_tops.tolist())))
