"""Exports a model of timm, torchvision, transformers or your own as a scorer: an ONNX graph and its TOML.

    python -m hardset.export timm:resnet50 --photographs PHOTOS --out scorers

The graph is held against the model on real photographs, preprocessing included, and nothing is written if they differ.
With `--program` the program scores the photographs too, and its top classes must be the model's.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._errors import BadInput, first_line
from .._optional import need
from .._toml import quoted
from ._check import (
    BATCH,
    BOUND,
    Compared,
    Photograph,
    called,
    compare,
    inputs,
    kind_of,
    of_graph,
    of_torch,
    outputs_of,
    photographs,
    relative,
    session,
    steady,
)
from ._files import draft_in, make_folder, writing
from ._models import Ask, Classifier, TwoTowers, copy_tokenizer, load, plain, token_ids, whole_logits
from ._program import Held, hold
from ._spaces import (
    CATEGORIES,
    IMAGENET,
    Space,
    check_list,
    count_of,
    file_space,
    imagenet_names,
    label_in,
    space_of,
    write_list,
)

#: Newer sets of operators bring nothing that classifiers need, and older runtimes do not know them.
OPSET = 17
#: With fewer labelled photographs, their accuracy says nothing.
FEWEST_LABELLED = 20
#: A model that was trained is right more often than this; one that guesses is right in one of 1,000.
LEAST_ACCURACY = 0.05


@dataclass(frozen=True)
class Job:
    """Where the draft is, what it is checked on, and how."""

    draft: Path
    out: Path
    shown: list[Photograph]
    classes: str | None
    program: bool
    templates: Sequence[str]
    checks_accuracy: bool


@dataclass(frozen=True)
class Exported:
    """What was written, and what the checks found."""

    toml: Path
    files: list[Path]
    compared: Compared
    #: Of two towers: the largest relative difference of the rows of texts.
    worst_texts: float | None
    #: Share of the labelled photographs that the model gives their class; `None` where that was not looked at.
    accuracy: float | None
    held: Held | None


def export(
    source: str,
    out: str | os.PathLike[str] = ".",
    *,
    name: str | None = None,
    weights: str | os.PathLike[str] | None = None,
    random: bool = False,
    classes: str | None = None,
    photographs: str | os.PathLike[str],
    count: int = 32,
    templates: Sequence[str] = (),
    program: bool = False,
) -> Exported:
    """Writes `NAME.onnx` and `NAME.toml` into `out`, after all checks.

    `source`: `timm:NAME`, `torchvision:NAME`, `transformers:ID` (or a folder), `FILE.py:FUNCTION`, which returns
    `(model, transform)`. `weights`: a state dict; `random`: random weights. `classes`: `imagenet-1k`, `categories`, or
    a file with the names. `photographs`: a folder, a run or a release, of which `count` images are taken. `program`:
    let the program score them too.
    """
    if name is not None and plain(name) != name:
        raise BadInput(f"--name is {name!r}; a name has letters, digits, `-`, `_` and `.` between them")
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"{folder}: is a file; --out is the folder for the scorer")
    shown = _photographs(Path(photographs), count)
    model = load(Ask(source, Path(weights) if weights else None, random, count_of(classes) if weights else None))
    if name is not None:
        model.name = name
    make_folder(folder)
    with draft_in(folder, ".hardset-export-") as draft, writing(folder):
        job = Job(draft, folder, shown, classes, program, templates, checks_accuracy=not random)
        made = _classifier(model, job) if isinstance(model, Classifier) else _two_towers(model, job)
        files = [_moved(file, folder) for file in made.files]
    return Exported(folder / made.toml.name, files, made.compared, made.worst_texts, made.accuracy, made.held)


def _photographs(pool: Path, count: int) -> list[Photograph]:
    if count < 2:
        raise BadInput(f"--count is {count}; check on 2 photographs or more")
    return photographs(pool, count)


def _moved(file: Path, folder: Path) -> Path:
    to = folder / file.name
    # The list of classes may be the user's own, or a link.
    if to.is_file() and to.read_bytes() == file.read_bytes():
        return to
    # The draft is in the same folder, so that this is a rename.
    return Path(shutil.move(file, to))


def _classifier(model: Classifier, job: Job) -> Exported:
    draft, shown = job.draft, job.shown
    ours, theirs, worst_pixels = inputs(shown, model.preprocess, model.own)
    outputs = _outputs(model, theirs)
    space = space_of(job.classes, outputs, model.labels, model.name)
    check_list(space, job.out)
    wanted = of_torch(model.module, theirs, shown)
    steady(lambda part: of_torch(model.module, part), theirs[:BATCH], wanted[:BATCH], "the model")
    kind = kind_of(wanted)
    of_classes = wanted[:, space.offset :]
    accuracy = _accuracy(shown, of_classes, space) if job.checks_accuracy else None
    graph = _graph(model.module, theirs[:2], draft / f"{model.name}.onnx", ("image", "logits"))
    found = of_graph(session(graph), ours, graph.name)
    compared = compare(shown, found, wanted, worst_pixels)
    files = [graph, *write_list(space, draft)]
    toml = draft / f"{model.name}.toml"
    toml.write_text(_classifier_toml(model, graph, space, outputs, kind), encoding="utf-8")
    # An extra class in front takes part in the softmax and not in the choice.
    names = list(space.classes) or [f"class {at}" for at in range(outputs)]
    held = hold(toml, space, shown, of_classes, names) if job.program else None
    return Exported(toml, [*files, toml], compared, None, accuracy, held)


def _outputs(model: Classifier, values: Any) -> int:
    """Number of a classifier's outputs. An error if it is not a classifier."""
    torch = need("torch", extra="export")
    found = called(model.module, values[:2])
    count = outputs_of(found, 2)
    if found.dtype not in (torch.float32, torch.float16):
        raise BadInput(f"the model gives {found.dtype}; a scorer's graph gives torch.float32 or torch.float16")
    return count


def _graph(module: Any, example: Any, file: Path, names: tuple[str, str]) -> Path:
    """Writes the graph of `module` with an open batch."""
    torch = need("torch", extra="export")
    need("onnx", extra="export")
    axes = {name: {0: "batch"} for name in names}
    options: dict[str, Any] = {"input_names": [names[0]], "output_names": [names[1]], "opset_version": OPSET}
    # torch prints the graph where the tracer fails.
    with warnings.catch_warnings(), torch.inference_mode(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            # The tracer is several times as fast, and gives the same graphs for classifiers.
            torch.onnx.export(module, (example,), str(file), dynamo=False, dynamic_axes=axes, **options)
        except Exception as tracer:  # torch raises many kinds
            try:
                shapes = ({0: torch.export.Dim("batch")},)
                need("onnxscript", extra="export")
                options["opset_version"] = 18
                torch.onnx.export(
                    module, (example,), str(file), dynamo=True, dynamic_shapes=shapes, external_data=False,
                    verbose=False, **options,
                )  # fmt: skip
            except Exception as error:
                raise BadInput(
                    f"torch cannot export the model: {first_line(error)}; the tracer said: {tracer}"
                ) from error
    return file


def _accuracy(shown: list[Photograph], logits: NDArray[np.float32], space: Space) -> float | None:
    """The share of the photographs whose name says their class and that the model gives it; refused if it guesses."""
    if space.name != IMAGENET:
        return None
    labels = [label_in(one.name) for one in shown]
    right = [top == label for top, label in zip(logits.argmax(axis=1), labels, strict=True) if label is not None]
    if len(right) < FEWEST_LABELLED:
        return None
    accuracy = float(sum(right) / len(right))
    if accuracy < LEAST_ACCURACY:
        raise BadInput(
            f"the model gives {sum(right)} of {len(right)} photographs the class that their names say, as one that "
            "guesses: its weights, the order of its classes or its preprocessing are wrong, or these photographs were "
            "chosen because models fail on them; give ordinary ones"
        )
    return accuracy


def _weights(file: Path) -> str:
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    return f'{{ path = {quoted(file.name)}, sha256 = "{sha256}" }}'


def _space_words(space: Space) -> str:
    return "" if space.name == IMAGENET else f", space = {quoted(f'./{space.name}' if space.classes else space.name)}"


def _classifier_toml(model: Classifier, graph: Path, space: Space, outputs: int, kind: str) -> str:
    offset = f", offset = {space.offset}" if space.offset else ""
    lines = [
        "# Written by hardset.export.",
        f"weights = {_weights(graph)}",
        *model.preprocess.lines(),
        f'output = {{ kind = "{kind}", classes = {outputs}{offset}{_space_words(space)} }}',
        "",
        *model.preprocess.input_lines(),
    ]
    return "\n".join(lines) + "\n"


def _two_towers(model: TwoTowers, job: Job) -> Exported:
    draft, shown = job.draft, job.shown
    model.templates = list(job.templates) or model.templates
    if any(template.count("{}") != 1 for template in model.templates):
        raise BadInput("--template needs {} once, for the name of a class")
    space = _text_space(job.classes, model.name)
    check_list(space, job.out)
    names = list(space.classes) or _some_names(space)
    ours, theirs, worst_pixels = inputs(shown, model.preprocess, model.own)
    ids = token_ids(model, [template.replace("{}", name) for name in names for template in model.templates])
    rows = of_torch(model.image_tower, theirs)
    texts = of_torch(model.text_tower, ids)
    _hold_towers(model, theirs, rows)
    images = _graph(model.image_tower, theirs[:2], draft / f"{model.name}.onnx", ("pixel_values", "image_embeds"))
    text = _graph(model.text_tower, ids[:2], draft / f"{model.name}.text.onnx", ("input_ids", "text_embeds"))
    wanted = _logits(model, rows, texts)
    found_texts = of_graph(session(text), ids.numpy(), text.name)
    found = _logits(model, of_graph(session(images), ours, images.name), found_texts)
    compared = compare(shown, found, wanted, worst_pixels)
    tokenizer = draft / f"{model.name}.tokenizer.json"
    copy_tokenizer(model, tokenizer)
    lists = write_list(space, draft)
    toml = draft / f"{model.name}.toml"
    toml.write_text(_towers_toml(model, images, text, tokenizer, space), encoding="utf-8")
    held = hold(toml, space, shown, wanted, names) if job.program else None
    worst_texts = float((np.abs(found_texts - texts).max(axis=1) / np.abs(texts).max(axis=1)).max())
    files = [images, text, tokenizer, *lists, toml]
    return Exported(toml, files, compared, worst_texts, None, held)


def _text_space(classes: str | None, name: str) -> Space:
    if classes in (None, CATEGORIES):
        return Space(CATEGORIES)
    if classes == IMAGENET:
        return Space(IMAGENET)
    return file_space(Path(str(classes)), name)


def _some_names(space: Space) -> list[str]:
    """Names to check with: of the space, or of some of ImageNet's classes, each once."""
    names = imagenet_names()
    return names if space.name == IMAGENET else sorted(set(names[:: len(names) // 40]))


def _logits(model: TwoTowers, rows: NDArray[np.float32], texts: NDArray[np.float32]) -> NDArray[np.float32]:
    """`scale * cosine + bias` of pictures and classes; a class's row is the mean over its templates."""
    each = _unit(texts).reshape(-1, len(model.templates), texts.shape[1])
    logits: NDArray[np.float32] = model.scale * (_unit(rows) @ _unit(each.mean(axis=1)).T) + model.bias
    return logits.astype(np.float32)


def _hold_towers(model: TwoTowers, pixels: Any, rows: NDArray[np.float32]) -> None:
    """Holds scale, bias, padding and both towers against the whole model, on a few texts of unlike lengths."""
    names = ("cat", "Persian cat", "sports car that somebody has parked on the left side of a wet street")
    texts = [model.templates[0].replace("{}", name) for name in names]
    wanted = whole_logits(model, pixels[:BATCH], texts)
    of_texts = _unit(of_torch(model.text_tower, token_ids(model, texts)))
    found = model.scale * (_unit(rows[:BATCH]) @ of_texts.T) + model.bias
    worst = float(relative(found, wanted).max())
    if not worst <= BOUND:
        raise BadInput(
            f"the two towers differ from the whole model by {worst:.2g} of the largest logit; at most {BOUND} is "
            "accepted. Its texts may need an attention mask, which a scorer's graph has not got"
        )


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
    return unit


def _towers_toml(model: TwoTowers, images: Path, text: Path, tokenizer: Path, space: Space) -> str:
    # ImageNet's names have two classes twice (crane, maillot).
    duplicates = ['duplicates = "allow"'] if space.name == IMAGENET else []
    output_space = [] if space.name == IMAGENET else [_space_words(space).removeprefix(", ")]
    lines = [
        "# Written by hardset.export.",
        f"weights = {_weights(images)}",
        *model.preprocess.lines(),
        "",
        *model.preprocess.input_lines(),
        "",
        "[text]",
        f"weights = {_weights(text)}",
        f"tokenizer = {quoted(tokenizer.name)}",
        f"positions = {model.positions}",
        *_padding(model),
        f'clean = "{model.clean}"',
        f"templates = [{', '.join(quoted(template) for template in model.templates)}]",
        *duplicates,
        "",
        "[output]",
        f'kind = "{model.activation}"',
        *output_space,
        f"scale = {model.scale!r}",
        *([f"bias = {model.bias!r}"] if model.bias else []),
    ]
    return "\n".join(lines) + "\n"


def _padding(model: TwoTowers) -> list[str]:
    token = model.tokenizer.pad_token
    return [f"padding = {quoted(str(token))}"] if token else []
