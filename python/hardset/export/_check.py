"""What a model gives, and whether its exported graph gives the same on real photographs.

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

from .._errors import BadInput, HardsetError, first_line
from .._images import decode, image_files
from .._optional import need
from .._release import Release, run_or_release
from .._run import Run
from ._preprocess import Preprocess

#: The largest difference of logits, relative to the largest absolute logit of the image.
BOUND = 1e-4
#: The largest difference of pixels, in units of the input. One level of 255 is at least 0.0039 / std.
PIXEL_BOUND = 1e-3
#: Logits that differ by less give probabilities that f32 cannot part.
SAME = 1e-6
#: Probabilities sum to 1 up to this.
SUM_BOUND = 1e-3
#: Photographs in a call.
BATCH = 8
#: What is said of a graph that cannot be run.
FIXED = (
    "{}. A graph keeps what the model did with two pictures: the model may have no loop over pictures and no `if` on "
    "what they show"
)


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
    opened = run_or_release(pool)
    if opened is not None:
        return _of_pool(opened, count)
    return [_of_file(file, pool) for file in _spread(image_files(pool), count)]


def _of_file(file: Path, pool: Path) -> Photograph:
    try:
        return Photograph(str(file.relative_to(pool)), decode(file.read_bytes(), 0), file)
    except (HardsetError, OSError) as error:
        raise BadInput(f"{file}: cannot be decoded: {error.__cause__ or error}; take it out of the folder") from error


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
        if tensor.dtype != torch.float32:
            raise BadInput(
                f"{one.name}: the model's own preprocessing gives {tensor.dtype}, but a scorer's graph takes "
                "torch.float32; let it end with ToTensor and Normalize, and the model take what they give"
            )
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
    # What fails is said in an error, and not in its log too.
    options.log_severity_level = 4
    try:
        return runtime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has a class for each code
        raise BadInput(f"{graph.name}: {FIXED.format(_words(error))}") from error


def _words(error: BaseException) -> str:
    return f"ONNX Runtime cannot run it: {first_line(error)}"


def by_batches(call: Callable[[Any], Any], values: Any) -> NDArray[np.float32]:
    """`call` on all `values`, a few at a time."""
    made = [np.asarray(call(values[at : at + BATCH]), dtype=np.float32) for at in range(0, len(values), BATCH)]
    return np.concatenate(made)


def outputs_of(found: Any, pictures: int) -> int:
    """Number of outputs of a classifier that gives `found` for so many pictures. An error if it is no classifier."""
    torch = need("torch", extra="export")
    if not isinstance(found, torch.Tensor):
        raise BadInput(f"the model gives a {type(found).__name__}; a classifier gives one tensor [n, classes]")
    if found.ndim != 2 or found.shape[0] != pictures or found.shape[1] < 2:
        gives = f"{list(found.shape)} for {pictures} picture{'s' if pictures > 1 else ''}"
        raise BadInput(f"the model gives {gives}; a classifier gives [{pictures}, classes]")
    if not found.is_floating_point():
        raise BadInput(f"the model gives {found.dtype}; a classifier gives floating-point logits")
    return int(found.shape[1])


def kind_of(numbers: NDArray[np.float32]) -> str:
    """The key `output.kind` of a classifier that gives `numbers`. An error if they are probabilities of a sigmoid."""
    if not ((numbers >= 0) & (numbers <= 1 + SUM_BOUND)).all():
        return "logits"
    if is_shares(numbers):
        return "probabilities"
    if not numbers.any():
        raise BadInput("the model gives zeros alone: its last layer was not trained; give trained weights")
    raise BadInput(
        "the model gives numbers of 0 to 1 that do not sum to 1, as a sigmoid does; a scorer has logits, of which "
        "hardset makes the softmax, or probabilities that sum to 1. Leave the sigmoid out of the model; if these are "
        "logits, subtract 1 from them, which their softmax does not see"
    )


def is_shares(numbers: NDArray[np.float32]) -> bool:
    """Whether each row is of probabilities that sum to 1."""
    return bool((numbers >= 0).all()) and np.allclose(numbers.sum(axis=1), 1, atol=SUM_BOUND)


def called(module: Any, values: Any) -> Any:
    """What the model gives for `values`, as it is."""
    with need("torch", extra="export").inference_mode():
        try:
            return module(values)
        except Exception as error:  # of the user's code, or of torch
            what = "pictures" if values.ndim == 4 else "texts"
            raise BadInput(f"the model cannot take {what} {list(values.shape)}: {error!r}") from error


def of_torch(module: Any, values: Any, shown: Sequence[Photograph] = ()) -> NDArray[np.float32]:
    """What the model gives: finite numbers. `shown`: what `values` are of."""

    def call(part: Any) -> Any:
        found = called(module, part)
        if len(found) != len(part):
            raise BadInput(f"the model gives {list(found.shape)} for {len(part)} inputs; it must give a row for each")
        return found.numpy()

    made = by_batches(call, values)
    bad = np.flatnonzero(~finite_rows(made))
    if len(bad):
        where = f"{shown[int(bad[0])].name}: " if shown else ""
        raise BadInput(f"{where}the model gives numbers that are not finite")
    return made


def of_graph(graph: Any, values: NDArray[Any], name: str) -> NDArray[np.float32]:
    """What the graph `name` gives. An error if it gives other numbers for one picture alone."""
    (given,) = [one.name for one in graph.get_inputs()]

    def call(part: NDArray[Any]) -> NDArray[np.float32]:
        try:
            rows = np.asarray(graph.run(None, {given: part})[0], dtype=np.float32)
        except Exception as error:  # ONNX Runtime has a class for each code
            raise BadInput(f"{name}: {FIXED.format(_words(error))}") from error
        if len(rows) != len(part):
            raise BadInput(f"{name}: {FIXED.format(f'it gives {len(rows)} rows for {len(part)} inputs')}")
        return rows

    found = by_batches(call, values)
    steady(call, values[:BATCH], found[:BATCH], f"the graph {name}")
    return found


def steady(
    call: Callable[[Any], NDArray[np.float32]], values: Any, found: NDArray[np.float32], what: str, bound: float = BOUND
) -> None:
    """Refuses `what` if it gave the rows `found` for `values`, and gives others in a second call or for one alone.

    Numbers need not be equal to the last bit, because threads may add in another order. Of rows that are not finite
    nothing is said.
    """
    finite = finite_rows(found)
    if not (relative(call(values)[finite], found[finite]) <= bound).all():
        raise BadInput(f"{what} gives other numbers in a second call; a dropout or noise works in evaluation mode")
    places = np.flatnonzero(finite).tolist()
    # The last one, because of what is added up along a batch.
    for at in sorted({*places[:1], *places[-1:]}):
        if not relative(call(values[at : at + 1]), found[at : at + 1])[0] <= bound:
            raise BadInput(f"{what} gives other numbers for one input alone than beside others; it measures its batch")


def finite_rows(found: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which rows have finite numbers alone."""
    finite: NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(found), axis=1)
    return finite


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
