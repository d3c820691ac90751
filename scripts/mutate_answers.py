#!/usr/bin/env python3
"""Reads mutated files of answers: none may stop the program, and a damaged row may cost no other.

Usage: mutate_answers.py HARDSET [--files 4000] [--rows 1000] [--seed 1]
Needs: nothing but Python

Seeds of every format that `annotate collect` reads, in every encoding, are changed in every way: bytes, quotation marks,
delimiters, line ends, cut and repeated parts, other types in JSON, halves of two files. They are collected in groups of
20 (a file that is refused is taken out and counted, the rest collected again). Of --rows further files only one row is
damaged: the votes of all other rows must count.
Prints a line for each 500 files and one of sums; exits with 1 if the program panicked, hung (over 60 s), ended with
another code than 0, 2 or 3, lost another row's votes, or did not account for an answer.
"""

import argparse
import csv
import io
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GROUP, PATIENCE_SECS = 20, 60
QUESTIONS = ["recognise", "use"]
RECIPE = """name = "m"
categories = "imagenet-d"
[generate]
source = "fake"
size_px = 32
images_per_category = 1
[mine]
surrogates = ["fake-a", "fake-b", "fake-c"]
rule = "at-least=2"
[annotate]
image_px = 64
sentinels = { min_prob = 0.3, positives = 0, negatives = 0, repeats = 0 }
check = { positives = 0.0, negatives = 0.0, repeats = 0.0, answered = 0.0 }
"""
ODD = [None, True, False, 0, -1, 1e308, 10**30, "", "x", "ä\u0000", [], [[]], {}, {"id": None}, {"choices": []}]
PIECES = [b'"', b'""', b",", b";", b"\t", b"\n", b"\r", b"\r\n", b"\0", b"\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"{"]
PIECES += [b"}", b"[", b"]", b"sep=;\n", b"\xe9", b"\xed\xa0\x80", b"null", b"\\u0000", b"task", b"9" * 400, b"x" * 70000]


def table(header, rows, delimiter=",", end="\n", quoted=False):
    out = io.StringIO()
    quoting = csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerows([header, *rows])
    return out.getvalue()


def studio(dice, tasks):
    choice = lambda name, answer: {"from_name": name, "type": "choices", "value": {"choices": [answer]}}
    note = lambda at: {
        "id": at,
        "completed_by": dice.choice([3, {"id": 3, "email": "ada@x.org"}]),
        "was_cancelled": False,
        "updated_at": "2026-11-20T10:00:00.000000Z",
        "result": [choice(name, "yes") for name in QUESTIONS],
    }
    return [{"id": at, "data": {"task": task}, "annotations": [note(at)]} for at, task in enumerate(tasks)]


def minimal(tasks):
    return [{"task": task, "annotator": 3, "annotation_id": at, "recognise": "yes", "use": "no"} for at, task in
            enumerate(tasks)]


def lines(tasks):
    said = [{"person": "ada", "task": task, "question": name, "answer": "yes"} for task in tasks for name in QUESTIONS]
    return "".join(json.dumps(row) + "\n" for row in said)


def seeds(dice, tasks):
    """(name, text) of whole files."""
    wide = ["task", "person", "recognise", "use"]
    cell = lambda: dice.choice(["a mug", 'a "mug"', "a, b; c", "two\nlines", "", "é 猫"])
    remarked = [[task, "ada", "yes", "no", cell()] for task in tasks]
    numbered = [f"{what}_{at}" for at in range(1, 13) for what in ["Input.task", "Answer.recognise", "Answer.use"]]
    dozens = [tasks[at : at + 12] for at in range(0, len(tasks), 12)]
    turk = [["w", "Approved"] + [x for task in dozen for x in (task, "yes", "no")] for dozen in dozens]
    return [
        ("studio", json.dumps(studio(dice, tasks))),
        ("studio", json.dumps(studio(dice, tasks), indent=2)),
        ("minimal", json.dumps(minimal(tasks), indent=1)),
        ("api", json.dumps({"total": 1, "tasks": studio(dice, tasks)})),
        ("lines", lines(tasks)),
        ("wide", table(wide + ["remark"], remarked)),
        ("quoted", table(wide + ["remark"], remarked, quoted=True, end="\r\n")),
        ("semicolons", table(wide + ["remark"], remarked, delimiter=";", end="\r\n")),
        ("sep", "sep=;\n" + table(wide + ["remark"], remarked, delimiter=";")),
        ("tabs", table(wide + ["remark"], remarked, delimiter="\t")),
        ("long", table(["person", "task", "question", "answer"], [["ada", t, q, "yes"] for t in tasks for q in QUESTIONS])),
        ("prolific", table(["Participant id", "Status", "META_TASK", "Can you? [recognise]", "Could it? [use]"],
                           [["p", dice.choice(["APPROVED", "RETURNED"]), task, "Yes", "Not sure"] for task in tasks])),
        ("turk", table(["WorkerId", "AssignmentStatus", *numbered], turk)),
        ("choices", table(["WorkerId", "Input.task", "Answer.recognise", "Answer.use.yes", "Answer.use.no"],
                          [["w", task, "yes", "true", "false"] for task in tasks])),
    ]


def encoded(dice, text):
    return text.encode(dice.choice(["utf-8"] * 4 + ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]))


def damage(dice, data):
    """Other bytes, near the old ones."""
    out = bytearray(data)
    for _ in range(dice.choice([1, 1, 2, 4, 16])):
        at = dice.randrange(len(out) + 1)
        what = dice.randrange(6)
        if what == 0 and at < len(out):
            out[at] ^= 1 << dice.randrange(8)
        elif what == 1 and at < len(out):
            out[at] = dice.choice([0, 10, 13, 34, 44, 59, 9, 255, 123, 125])
        elif what == 2:
            out[at:at] = dice.choice(PIECES)
        elif what == 3:
            del out[at : at + dice.choice([1, 2, 3, 30])]
        elif what == 4:
            out[at:at] = out[at // 2 : at // 2 + 40]
        else:
            out[at:at] = b'"'
    return bytes(out)


def change_type(dice, value):
    """The value with one part replaced, or removed."""
    places = []

    def walk(node):
        for key in node if isinstance(node, dict) else range(len(node)):
            places.append((node, key))
            if isinstance(node[key], (dict, list)):
                walk(node[key])

    walk(value)
    for _ in range(dice.choice([1, 1, 2, 5])):
        node, key = dice.choice(places)
        try:
            if dice.random() < 0.2:
                del node[key]
            else:
                node[key] = dice.choice(ODD)
        except (KeyError, IndexError):
            pass
    return value


def mutated(dice, tasks):
    name, text = dice.choice(seeds(dice, tasks))
    if text[0] in "[{" and name != "lines" and dice.random() < 0.6:
        return encoded(dice, json.dumps(change_type(dice, json.loads(text)), indent=dice.choice([None, 1])))
    data = encoded(dice, text)
    what = dice.randrange(8)
    if what == 0:
        return data[: dice.randrange(len(data))]
    if what == 1:
        other = encoded(dice, dice.choice(seeds(dice, tasks))[1])
        return data[: len(data) // 2] + other[len(other) // 2 :]
    return damage(dice, data)


def one_row(dice, tasks):
    """A file with one damaged row; the most votes that it may cost."""
    name, text = dice.choice([seed for seed in seeds(dice, tasks) if seed[0] not in ("api", "prolific")])
    if name in ("studio", "minimal"):
        rows = json.loads(text)
        at = dice.randrange(len(rows))
        rows[at] = change_type(dice, [rows[at]])
        rows[at] = rows[at][0] if rows[at] else None
        return name, encoded(dice, json.dumps(rows, indent=dice.choice([None, 2]))), 2
    header = {"lines": 0, "sep": 2}.get(name, 1)
    end = "\r\n" if name in ("quoted", "semicolons") else "\n"
    # Rows may have several lines: those are found as they were written.
    if name in ("wide", "quoted", "semicolons", "sep", "tabs"):
        rows = re.split(f"(?<={end})(?=\"?(?:{'|'.join(tasks)}))", text)
        rows = (rows[0].split("\n", 1)[0] + "\n", rows[0].split("\n", 1)[1], *rows[1:]) if name == "sep" else rows
    else:
        rows = text.splitlines(keepends=True)
    rows = [row.encode() for row in rows]
    at = dice.randrange(header, len(rows))
    body = rows[at][: len(rows[at]) - len(end)]
    rows[at] = damage(dice, body) + end.encode()
    return name, b"".join(rows), {"turk": 24, "lines": 1, "long": 1}.get(name, 2)


def call(hardset, folder, *args):
    """(exit code, or "hang"; stdout, stderr, seconds)."""
    begun = time.time()
    try:
        done = subprocess.run([hardset, *args], cwd=folder, capture_output=True, timeout=PATIENCE_SECS)
    except subprocess.TimeoutExpired:
        return "hang", "", "", PATIENCE_SECS
    said = [text.decode(errors="replace") for text in (done.stdout, done.stderr)]
    return done.returncode, *said, time.time() - begun


class Work:
    def __init__(self, hardset, folder):
        self.hardset, self.folder, self.slowest = hardset, folder, 0.0
        self.sums = dict.fromkeys(["files", "refused", "panics", "hangs", "other exits", "not accounted", "lost rows"], 0)
        self.codes = {}
        (folder / "m.toml").write_text(RECIPE)
        for args in (["build", "m.toml", "--run-dir", "run"], ["annotate", "export", "run", "--to", "csv", "--out", "out"]):
            code, _, stderr, _ = call(hardset, folder, *args, "-q")
            assert code == 0, stderr
        with open(folder / "out/tasks.csv", newline="", encoding="utf-8-sig") as file:
            self.tasks = list(dict.fromkeys(row["task"] for row in csv.DictReader(file)))

    def collect(self, names):
        """The result of collecting these files alone; `None` if one is refused, which is then taken out of `names`."""
        for old in ("answers", "verdicts"):
            shutil.rmtree(self.folder / "run" / old, ignore_errors=True)
        code, stdout, stderr, secs = call(self.hardset, self.folder, "annotate", "collect", "run", *names, "--format", "json", "-q")
        self.slowest = max(self.slowest, secs)
        self.codes[code] = self.codes.get(code, 0) + 1
        bad = {"panics": "panicked" in stderr, "hangs": code == "hang", "other exits": code not in (0, 2, 3, "hang")}
        for what in [what for what, is_so in bad.items() if is_so]:
            self.sums[what] += 1
            print(what, names, stderr[-600:], file=sys.stderr)
            self.keep(names)
        if code not in (0, 3):
            named = [name for name in names if f"{name}:" in stderr or f"{name} " in stderr]
            names[:] = [name for name in names if name not in named] if named and code == 2 else []
            self.sums["refused"] += len(named) if code == 2 else 0
            if code == 2 and (not named or len(stderr) > 2000):
                self.sums["other exits"] += 1
                print("a refusal without its file", stderr[:900], file=sys.stderr)
            return None
        said = json.loads(stdout)
        rows = sum(one["rows"] for one in said["inputs"])
        if not rows == said["answers"] == said["votes"] + sum(said["reasons"].values()):
            # Two mutations may give the same bytes.
            if len({(self.folder / name).read_bytes() for name in names}) == len(names):
                self.sums["not accounted"] += 1
                print("not accounted for:", names, stdout[:900], file=sys.stderr)
                self.keep(names)
        return said

    def keep(self, names):
        kept = Path("mutated-answers")
        kept.mkdir(exist_ok=True)
        for name in names:
            shutil.copy(self.folder / name, kept)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hardset")
    parser.add_argument("--files", type=int, default=4000)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mutated-"))
    os.environ["HARDSET_CACHE_DIR"] = str(folder / "cache")
    work = Work(str(Path(given.hardset).resolve()), folder)
    for start in range(0, given.files, GROUP):
        names = []
        for number in range(start, min(start + GROUP, given.files)):
            dice = random.Random(f"{given.seed} {number}")
            names.append(f"a{number:05}.csv")
            (folder / names[-1]).write_bytes(mutated(dice, work.tasks[:24]))
        work.sums["files"] += len(names)
        while names and work.collect(names) is None:
            pass
        for old in folder.glob("a*.csv"):
            old.unlink()
        if (start + GROUP) % 500 == 0:
            print(start + GROUP, work.sums, flush=True)
    tasks = work.tasks[:48]
    for number in range(given.rows):
        dice = random.Random(f"{given.seed} row {number}")
        name, data, cost = one_row(dice, tasks)
        file = f"r{number:05}-{name}.csv"
        (folder / file).write_bytes(data)
        work.sums["files"] += 1
        names = [file]
        said = work.collect(names)
        if said is None or said["votes"] < 2 * len(tasks) - cost:
            work.sums["lost rows"] += 1
            print(f"{file}: {said and said['votes']} votes of {2 * len(tasks)}, {said and said['reasons']}", file=sys.stderr)
            work.keep([file])
        (folder / file).unlink()
        if (number + 1) % 500 == 0:
            print(f"one row, {number + 1}", work.sums, flush=True)
    print(", ".join(f"{count} {what}" for what, count in work.sums.items()) + f"; exits {work.codes}; slowest {work.slowest:.1f} s")
    shutil.rmtree(folder)
    sys.exit(any(work.sums[what] for what in ("panics", "hangs", "other exits", "not accounted", "lost rows")))


if __name__ == "__main__":
    main()
