"""`python -m hardset.export`: the command line of `hardset.export`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .._errors import HardsetError
from . import FEWEST_LABELLED, Exported, export
from ._check import BOUND


def arguments() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="python -m hardset.export",
        description="Exports a model as a scorer of hardset: an ONNX graph and its TOML, checked on photographs.",
    )
    parser.add_argument(
        "source",
        metavar="MODEL",
        help="timm:NAME, torchvision:NAME[@WEIGHTS], transformers:ID (or a folder), FILE.py:FUNCTION, which returns "
        "(model, transform)",
    )
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="where to write; default: here")
    parser.add_argument("--name", help="name of the scorer and of its files; default: that of the model")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="a state dict: .safetensors, .pt, .pth")
    parser.add_argument("--random", action="store_true", help="random weights, of seed 0")
    parser.add_argument(
        "--classes",
        metavar="LIST",
        help="imagenet-1k, categories, or a file with the names of the classes in the order of the outputs",
    )
    parser.add_argument(
        "--photographs", type=Path, required=True, metavar="DIR",
        help="photographs to check on: a folder, a run or a release",
    )  # fmt: skip
    parser.add_argument("--count", type=int, default=32, metavar="N", help="check on at most N of them; default: 32")
    parser.add_argument(
        "--template", action="append", default=[], metavar="TEXT",
        help="of two towers: a text with {} for the name of a class; may be repeated",
    )  # fmt: skip
    parser.add_argument("--program", action="store_true", help="let hardset score the photographs too, and compare")
    return parser


def words(made: Exported) -> list[str]:
    """What is said at the end."""
    compared = made.compared
    lines = [
        f"{compared.photographs} photographs: the graph differs from the model by at most {compared.worst:.1e} of the "
        f"largest logit (accepted: {BOUND:.0e}), pixels by at most {compared.worst_pixels:.1e}",
        f"top classes are equal: {compared.top_classes} different ones, {compared.near_ties} near ties",
    ]
    if 2 * compared.near_ties > compared.photographs:
        lines.append("caution: most photographs are near ties, so that equal top classes show little")
    if made.worst_texts is not None:
        lines.append(f"rows of texts differ by at most {made.worst_texts:.1e} of their largest number")
    if made.accuracy is not None:
        lines.append(f"{made.accuracy:.1%} of the labelled photographs get their class")
    elif made.worst_texts is None:
        lines.append(
            "the order of the classes was not checked: that needs trained weights, ImageNet's classes, and "
            f"{FEWEST_LABELLED} photographs whose names have WordNet ids"
        )
    if made.held is not None:
        held = made.held
        others = "" if held.equal == held.photographs else "; the others are near ties"
        equal = f"{held.equal} of {held.photographs} photographs"
        lines.append(f"the program gives the model's top class for {equal}{others}")
    return lines + [f"wrote {file}" for file in made.files]


def main(argv: list[str] | None = None) -> int:
    """Runs the command. Returns the exit code."""
    options = arguments().parse_args(argv)
    try:
        made = export(
            options.source,
            options.out,
            name=options.name,
            weights=options.weights,
            random=options.random,
            classes=options.classes,
            photographs=options.photographs,
            count=options.count,
            templates=options.template,
            program=options.program,
        )
    except HardsetError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return error.exit_code
    print("\n".join(words(made)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
