"""Pushes a folder, such as a release, to a repository of the Hugging Face hub.

`python -m hardset.push FOLDER OWNER/NAME --dry-run` shows every file and stops; it needs neither a network nor a login.
Without `--dry-run` the files are one commit. The token comes from the hub's own store (`hf auth login`, or HF_TOKEN).

It also runs as a lone file: the standard library and huggingface_hub are all that it imports. Names that begin with a
dot (git, caches) are never pushed. A file that only the repository has is never removed unless `--replace` says so.
Exit codes are those of `hardset`: 0 done, 2 bad input, 4 a package, a login or the network is missing.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import importlib
import json
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DONE, BAD_INPUT, MISSING = 0, 2, 4
CARD = "README.md"
# `sha256sum` of every file of a release.
SUMS = "SHA256SUMS"
# What the hub accepts: "owner/name", letters, digits, "-", "_" and ".", at most 96 characters.
REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
# Source: the hub's specification of dataset cards (huggingface/hub-docs, datasetcard.md).
SIZE_CATEGORIES = [
    "n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B", "1B<n<10B", "10B<n<100B",
    "100B<n<1T", "n>1T",
]  # fmt: skip
# Files that the hub makes itself in every repository.
HUB_FILES = {".gitattributes"}


class PushError(Exception):
    """Why nothing was pushed, in words, with an exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        """`message` is what people read."""
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Entry:
    """One file of the folder: its path below the folder, with `/`, and its size."""

    path: str
    bytes: int


@dataclass
class CardCheck:
    """What is known about the card's metadata."""

    problems: list[str] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)


def files_of(folder: Path) -> list[Entry]:
    """Every file that is pushed, sorted by path. An error if there are none, or if a link leads nowhere."""
    if not folder.is_dir():
        raise PushError(f"{folder}: is not a folder; give the folder of a release", BAD_INPUT)
    if folder.name.endswith(".unfinished"):
        raise PushError(f"{folder}: is unfinished; run `hardset release` again until it has its name", BAD_INPUT)
    entries = []
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            if name.startswith("."):
                continue
            file = Path(parent, name)
            if not file.is_file():
                raise PushError(f"{file}: cannot be read as a file; remove the link", BAD_INPUT)
            entries.append(Entry(file.relative_to(folder).as_posix(), file.stat().st_size))
    if not entries:
        raise PushError(f"{folder}: has no files", BAD_INPUT)
    return sorted(entries, key=lambda entry: entry.path)


def check_sums(folder: Path, entries: list[Entry]) -> None:
    """An error if a file of a release is not the one that its `SHA256SUMS` lists, or is not listed."""
    sums = folder / SUMS
    if not sums.is_file():
        if (folder / "release.json").is_file():
            raise PushError(f"{sums}: is missing; restore it, or make the release again", BAD_INPUT)
        return
    try:
        lines = sums.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PushError(f"{sums}: cannot be read: {error}; restore it, or make the release again", BAD_INPUT) from None
    listed = {path: sha256 for sha256, _, path in (line.partition("  ") for line in lines)}
    wrong = [entry.path for entry in entries if entry.path not in listed and entry.path != SUMS]
    for path, sha256 in listed.items():
        if not (folder / path).is_file() or _sha256(folder / path) != sha256:
            wrong.append(path)
    if wrong:
        raise PushError(f"{folder}: not as {SUMS} lists them: {_some(wrong)}; `hardset verify` says more", BAD_INPUT)


def _some(paths: list[str]) -> str:
    return ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")


def _sha256(file: Path) -> str:
    hashed = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            hashed.update(block)
    return hashed.hexdigest()


def front_matter(folder: Path) -> str:
    """The YAML block at the head of the card."""
    card = folder / CARD
    if not card.is_file():
        raise PushError(f"{card}: is missing; the hub shows it as the page of the dataset", BAD_INPUT)
    try:
        text = card.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise PushError(f"{card}: is not UTF-8", BAD_INPUT) from None
    found = re.match(r"---\r?\n(.*?)^---\s*$", text, re.DOTALL | re.MULTILINE)
    if not found:
        raise PushError(f"{card}: does not begin with metadata between two lines `---`", BAD_INPUT)
    return found.group(1)


def check_card(folder: Path, entries: list[Entry]) -> CardCheck:
    """Checks the card as far as that is possible without a network."""
    matter = front_matter(folder)
    check = CardCheck()
    try:
        yaml, hub = importlib.import_module("yaml"), importlib.import_module("huggingface_hub")
    except ImportError:
        check.not_checked.append("metadata of the card: needs huggingface_hub (pip install huggingface_hub)")
        return check
    try:
        data = yaml.safe_load(matter)
    except yaml.YAMLError as error:
        raise PushError(f"{folder / CARD}: metadata is not YAML: {' '.join(str(error).split())}", BAD_INPUT) from None
    if not isinstance(data, dict):
        raise PushError(f"{folder / CARD}: metadata is not a table of keys", BAD_INPUT)
    try:
        hub.DatasetCardData(**data)
    except (TypeError, ValueError) as error:
        check.problems.append(f"huggingface_hub.DatasetCardData refuses it: {error}")
    check.checked.append("huggingface_hub.DatasetCardData")
    check.problems += _types(data) + _data_files(data, entries)
    check.checked.append("types of keys; each path of data files has a file")
    return check


def _types(data: dict[Any, Any]) -> list[str]:
    problems = []
    for key in ("license", "license_name", "license_link", "pretty_name"):
        if key in data and not isinstance(data[key], (str, list) if key == "license" else str):
            problems.append(f"{key} is {data[key]!r}; write text")
    for key in ("tags", "task_categories", "size_categories", "language"):
        values = data.get(key, [])
        values = values if isinstance(values, list) else [values]
        problems += [f"{key} has {value!r}; write text" for value in values if not isinstance(value, str)]
    sizes = data.get("size_categories", [])
    for size in sizes if isinstance(sizes, list) else [sizes]:
        if size not in SIZE_CATEGORIES:
            problems.append(f"size_categories has {size!r}; it is one of {', '.join(SIZE_CATEGORIES)}")
    return problems


def _data_files(data: dict[Any, Any], entries: list[Entry]) -> list[str]:
    configs = data.get("configs", [])
    if not isinstance(configs, list):
        return ["configs is not a list"]
    problems = []
    for config in configs:
        if not isinstance(config, dict) or not isinstance(config.get("config_name"), str):
            problems.append(f"configs has {config!r} without config_name")
            continue
        splits = config.get("data_files", [])
        for split in splits if isinstance(splits, list) else [splits]:
            paths = split.get("path") if isinstance(split, dict) else split
            for path in paths if isinstance(paths, list) else [paths]:
                if not any(fnmatch.fnmatch(entry.path, str(path)) for entry in entries):
                    problems.append(f"configs: no file of the folder is {path}")
    return problems


def check_card_at_hub(folder: Path, check: CardCheck) -> None:
    """Lets the hub's own validator check the card, as `RepoCard.validate` does."""
    card = importlib.import_module("huggingface_hub").DatasetCard
    try:
        card((folder / CARD).read_text(encoding="utf-8"), ignore_metadata_errors=False).validate()
        check.checked.append("the hub's validator")
    except ValueError as error:
        check.problems.append(f"the hub's validator refuses it: {' '.join(str(error).split())}")


def size_words(count: int) -> str:
    """`1,234,567 bytes` in the unit that people read."""
    size = float(count)
    for unit in ("bytes", "KB", "MB", "GB"):
        if size < 1000:
            return f"{count} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def upload(folder: Path, repo: str, entries: list[Entry], check: CardCheck, options: argparse.Namespace) -> str:
    """Makes the repository if there is none, and one commit in it. Returns the commit's address."""
    try:
        hub = importlib.import_module("huggingface_hub")
    except ImportError:
        raise PushError("huggingface_hub is missing: pip install huggingface_hub", MISSING) from None
    if hub.get_token() is None:
        raise PushError("there is no login for the hub: run `hf auth login`, or set HF_TOKEN", MISSING)
    api = hub.HfApi()
    check_card_at_hub(folder, check)
    _refuse(folder, check)
    # A repository that exists keeps its visibility, whatever `private` is.
    api.create_repo(repo, repo_type="dataset", private=options.private or None, exist_ok=True)
    if options.revision:
        api.create_branch(repo, branch=options.revision, repo_type="dataset", exist_ok=True)
    ours = {entry.path for entry in entries}
    theirs = set(api.list_repo_files(repo, repo_type="dataset", revision=options.revision))
    extra = sorted(theirs - ours - HUB_FILES)
    if extra and not options.replace:
        raise PushError(
            f"{repo} has {len(extra)} file(s) that the folder does not have: {_some(extra)}; readers would see both. "
            "Give --replace to remove them in the same commit, or push to another repository or --revision",
            BAD_INPUT,
        )
    commit = api.upload_folder(
        repo_id=repo,
        repo_type="dataset",
        folder_path=folder,
        revision=options.revision,
        commit_message=options.message or f"{_title(folder)}, pushed by hardset",
        ignore_patterns=[".*", "*/.*"],
        delete_patterns=extra or None,
    )
    _hold_against(api, repo, entries, options.revision)
    return str(commit.commit_url)


def _hold_against(api: Any, repo: str, entries: list[Entry], revision: str | None) -> None:
    tree = api.list_repo_tree(repo, repo_type="dataset", revision=revision, recursive=True)
    there = {node.path: node.size for node in tree if hasattr(node, "size")}
    wrong = [entry.path for entry in entries if there.get(entry.path) != entry.bytes]
    if wrong:
        raise PushError(f"{repo}: {len(wrong)} file(s) did not arrive whole: {_some(wrong)}; push again", MISSING)


def _title(folder: Path) -> str:
    try:
        release = json.loads((folder / "release.json").read_text(encoding="utf-8"))
        return f"{release['name']} {release['version']}"
    except (OSError, ValueError, KeyError, TypeError):
        return folder.resolve().name


def _refuse(folder: Path, check: CardCheck) -> None:
    if check.problems:
        raise PushError(f"{folder / CARD}: " + "; ".join(check.problems), BAD_INPUT)


def arguments() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="python -m hardset.push", description="Pushes a release to a dataset repository of the Hugging Face hub."
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the folder of a release")
    parser.add_argument("repo", metavar="REPO", help="owner/name on the hub; made if there is none")
    parser.add_argument("--dry-run", action="store_true", help="show every file and stop; no network, no login")
    parser.add_argument("--private", action="store_true", help="a new repository is private")
    parser.add_argument("--revision", metavar="BRANCH", help="branch of the repository; default: main")
    parser.add_argument("--replace", action="store_true", help="remove files that only the repository has")
    parser.add_argument("--message", help="message of the commit; default: name and version of the release")
    parser.add_argument(
        "--format", choices=["text", "json"], default="text", help="json: one object on stdout, also for an error"
    )
    return parser


def push(options: argparse.Namespace) -> dict[str, Any]:
    """Does what `options` say. Returns what is printed with `--format json`."""
    folder, repo = options.folder, options.repo
    if not REPO.fullmatch(repo) or len(repo) > 96 or ".." in repo or "--" in repo:
        raise PushError(f"{repo}: is not a repository; write owner/name", BAD_INPUT)
    entries = files_of(folder)
    check = check_card(folder, entries)
    say = print if options.format == "text" else _silent
    for entry in entries:
        say(f"{entry.bytes:>15,}  {entry.path}")
    total = sum(entry.bytes for entry in entries)
    where = f"{repo} (dataset{', ' + options.revision if options.revision else ''})"
    say(f"{len(entries)} files, {size_words(total)}, to {where}")
    _refuse(folder, check)
    check_sums(folder, entries)
    url = None
    if options.dry_run:
        check.not_checked.append("the hub's validator: a dry run uses no network")
    else:
        url = upload(folder, repo, entries, check, options)
    say(f"card: {CARD}: checked by {'; '.join(check.checked) or 'nothing'}")
    for words in check.not_checked:
        say(f"card: not checked: {words}")
    say(f"pushed: {url}" if url else "a dry run: nothing was pushed")
    return {
        "repo": repo,
        "revision": options.revision,
        "dry_run": options.dry_run,
        "files": [{"path": entry.path, "bytes": entry.bytes} for entry in entries],
        "bytes": total,
        "card": {"checked": check.checked, "not_checked": check.not_checked},
        "commit": url,
    }


def _silent(_: str) -> None:
    pass


def _of_the_network(error: BaseException) -> bool:
    libraries = ("huggingface_hub", "httpx", "httpx2", "httpcore", "httpcore2", "requests", "urllib3")
    return isinstance(error, OSError) or type(error).__module__.split(".")[0] in libraries


def _failed(options: argparse.Namespace, words: str, exit_code: int) -> int:
    if options.format == "json":
        print(json.dumps({"error": words}))
    else:
        print(f"error: {words}", file=sys.stderr)
    return exit_code


def main(argv: list[str] | None = None) -> int:
    """Runs the command. Returns the exit code."""
    options = arguments().parse_args(argv)
    try:
        answer = push(options)
    except PushError as error:
        return _failed(options, str(error), error.exit_code)
    except Exception as error:
        if not _of_the_network(error):
            raise
        words = " ".join(str(error).split()) or type(error).__name__
        return _failed(options, f"the hub did not take it: {words}", MISSING)
    if options.format == "json":
        print(json.dumps(answer))
    return DONE


if __name__ == "__main__":
    sys.exit(main())
