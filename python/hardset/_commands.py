"""The program's commands as functions.

Each gives its options to the program as they are, and what the program made as an object. Only options that are given
are passed on, so that every default is the program's. `hardset COMMAND --help` describes them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from ._errors import BadInput
from ._evaluation import Evaluation
from ._program import Outcome, run
from ._release import Release
from ._run import Run
from ._toml import quoted

AnyPath: TypeAlias = str | os.PathLike[str]
#: One value, or several.
Several: TypeAlias = AnyPath | Iterable[AnyPath] | None


def build(
    pipeline: AnyPath,
    run_dir: AnyPath | None = None,
    *,
    set: Mapping[str, Any] | None = None,
    device: str | None = None,
    engine: str | None = None,
    batch: int | None = None,
    threads: int | None = None,
    seed: int | None = None,
    data_dir: Several = None,
    max_images: int | None = None,
    progress: bool = True,
) -> Run:
    """Plans, generates, mines and reports, and evaluates where the recipe says so.

    `pipeline`: a TOML, or the name of a built-in one. `set`: keys of the recipe with other values, as
    `{"mine.rule": "at-least=2"}`. A call that was stopped goes on where it stopped.
    """
    options = _options(
        run_dir=run_dir, device=device, engine=engine, batch=batch, threads=threads, seed=seed, max_images=max_images
    )
    outcome = run(["build", _place(pipeline), *options, *_set(set), *_each("--data-dir", data_dir)], progress=progress)
    return _run(outcome)


def plan(
    pipeline: AnyPath,
    run_dir: AnyPath | None = None,
    *,
    dry_run: bool = False,
    set: Mapping[str, Any] | None = None,
    seed: int | None = None,
    data_dir: Several = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Makes the plan of a pipeline; with `dry_run` only says what it would cost. Returns what the program printed."""
    options = _options(run_dir=run_dir, seed=seed, dry_run=dry_run)
    arguments = ["plan", _place(pipeline), *options, *_set(set), *_each("--data-dir", data_dir)]
    return run(arguments, progress=progress).answer


def mine(
    run_dir: AnyPath,
    *,
    surrogates: Several = None,
    rule: str | None = None,
    label_space: str | None = None,
    max_true_prob: float | None = None,
    max_margin: float | None = None,
    near_tie: float | None = None,
    device: str | None = None,
    threads: int | None = None,
    data_dir: Several = None,
    progress: bool = True,
) -> Run:
    """Scores the images of a run and selects the hard ones. What is not given is as in the last mining."""
    options = _options(
        surrogates=_joined(surrogates), rule=rule, label_space=label_space, max_true_prob=max_true_prob,
        max_margin=max_margin, near_tie=near_tie, device=device, threads=threads,
    )  # fmt: skip
    outcome = run(["mine", _place(run_dir), *options, *_each("--data-dir", data_dir)], progress=progress)
    return _run(outcome, run_dir)


def report(
    run_dir: AnyPath, *, max_images: int | None = None, out: AnyPath | None = None, progress: bool = True
) -> Path:
    """Writes the page of the current mining. Returns its path."""
    outcome = run(["report", _place(run_dir), *_options(max_images=max_images, out=out)], progress=progress)
    return Path(outcome.answer["report"])


def release(
    run_dir: AnyPath,
    out: AnyPath,
    *,
    also: Several = None,
    base: AnyPath | None = None,
    against: Several = None,
    set: Mapping[str, Any] | None = None,
    push: str | None = None,
    dry_run: bool = False,
    progress: bool = True,
) -> Release:
    """Writes the benchmark as a folder to publish. `also`: other forms, as `["imagefolder", "webdataset"]`.

    `push`: puts it on the Hugging Face hub as this dataset (`lab/name`), or with `dry_run` only checks and shows it.
    """
    options = _options(out=out, also=_joined(also), base=base, push=push, dry_run=dry_run)
    options += _each("--against", against) + _set(set)
    outcome = run(["release", _place(run_dir), *options], progress=progress)
    made = Release(outcome.answer["out"])
    made.result, made.lost = outcome.answer, outcome.lost
    return made


def evaluate(
    pool: AnyPath,
    targets: Several = None,
    *,
    out: AnyPath | None = None,
    clean: AnyPath | None = None,
    ood: AnyPath | None = None,
    predictions: Mapping[str, AnyPath] | None = None,
    scores: str | None = None,
    answers: Mapping[str, AnyPath] | None = None,
    layout: str | None = None,
    categories: AnyPath | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    split: str | None = None,
    prepared_px: int | None = None,
    label_space: Several = None,
    baseline: str | None = None,
    fit: AnyPath | None = None,
    fit_columns: tuple[str, str] | None = None,
    shift: str | None = None,
    margin: float | None = None,
    keep_logits: bool = False,
    max_images: int | None = None,
    seed: int | None = None,
    device: str | None = None,
    threads: int | None = None,
    data_dir: Several = None,
    progress: bool = True,
) -> Evaluation:
    """Scores models on a release, a run or a published benchmark.

    `predictions`: files with scores that another program has made, by name, and `scores` what their numbers are
    (`logits`, `probabilities`, `top-k`).
    """
    options = _options(
        targets=_joined(targets), out=out, clean=clean, ood=ood, scores=scores, layout=layout, categories=categories,
        image_column=image_column, label_column=label_column, split=split, prepared_px=prepared_px,
        label_space=_joined(label_space), baseline=baseline, fit=fit, fit_columns=_joined(fit_columns), shift=shift,
        margin=margin, keep_logits=keep_logits, max_images=max_images, seed=seed, device=device, threads=threads,
    )  # fmt: skip
    options += _each("--predictions", _named(predictions)) + _each("--answers", _named(answers))
    outcome = run(["evaluate", _place(pool), *options, *_each("--data-dir", data_dir)], progress=progress)
    made = Evaluation(outcome.answer["evaluation"])
    made.result, made.lost = outcome.answer, outcome.lost
    return made


def compare(
    evaluation: AnyPath,
    a: str,
    b: str,
    *,
    label_space: str | None = None,
    margin: float | None = None,
    out: AnyPath | None = None,
    max_images: int | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Shows where two targets of an evaluation differ. Returns the figures, and the path of the page (`page`)."""
    options = _options(label_space=label_space, margin=margin, out=out, max_images=max_images)
    return run(["compare", _place(evaluation), a, b, *options], progress=progress).answer


def verify(path: AnyPath, *, data_dir: Several = None, progress: bool = True) -> dict[str, Any]:
    """Checks every file of a run, a release or an evaluation. Problems are in `problems`, and an `ItemsLost` warns."""
    return run(["verify", _place(path), *_each("--data-dir", data_dir)], progress=progress).answer


def status(path: AnyPath) -> dict[str, Any]:
    """The progress of a run, or the contents of a release or an evaluation."""
    return run(["status", _place(path)], progress=False).answer


def _run(outcome: Outcome, path: AnyPath | None = None) -> Run:
    made = Run(path if path is not None else outcome.answer["run"])
    made.result, made.lost = outcome.answer, outcome.lost
    return made


def _options(**given: Any) -> list[str]:
    """`--name value` of each option that has a value; `--name` of each that is `True`."""
    options = []
    for name, value in given.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            options.append(option)
        elif value is not None and value is not False:
            # With `=`, a value may begin with `-`.
            options.append(f"{option}={_text(value)}")
    return options


def _text(value: Any) -> str:
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)


def _place(path: AnyPath) -> str:
    """A file or folder, or the name of a recipe; one that begins with `-` is no option."""
    text = _text(path)
    return f"./{text}" if text.startswith("-") else text


def _list(values: Several) -> list[str]:
    if values is None:
        return []
    if isinstance(values, (str, os.PathLike)):
        return [_text(values)]
    return [_text(value) for value in values]


def _joined(values: Several) -> str | None:
    """Values between commas, as the program takes them."""
    if values is None or isinstance(values, str):
        # Text is as on the command line.
        return values
    listed = _list(values)
    if not listed:
        raise BadInput("a list of names is empty; leave the argument out, or name at least one")
    for value in listed:
        if "," in value:
            raise BadInput(f"{value}: has a comma, which separates names; give the file another name")
    return ",".join(listed)


def _each(option: str, values: Several) -> list[str]:
    return [f"{option}={value}" for value in _list(values)]


def _named(files: Mapping[str, AnyPath] | None) -> list[str]:
    for name in files or {}:
        if "=" in name:
            raise BadInput(f"{name}: has `=`, which ends a name; choose another name")
    return [f"{name}={_text(file)}" for name, file in (files or {}).items()]


def _set(changes: Mapping[str, Any] | None) -> list[str]:
    if changes is not None and not isinstance(changes, Mapping):
        raise BadInput('set is not a mapping; write {"mine.rule": "all"}')
    return [f"--set={key}={_toml(value, key)}" for key, value in (changes or {}).items()]


def _toml(value: Any, key: str) -> str:
    """`value` as TOML, so that text which looks like a number stays text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (str, os.PathLike)):
        return quoted(_text(value))
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{quoted(str(k))} = {_toml(v, key)}" for k, v in value.items()) + " }"
    if isinstance(value, Iterable):
        return "[" + ", ".join(_toml(part, key) for part in value) + "]"
    raise BadInput(f"set: {key} is {value!r}; write text, a number, a boolean, a list or a table")
