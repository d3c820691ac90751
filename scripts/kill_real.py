#!/usr/bin/env python3
"""Kills a real build, or a real evaluation, at random moments with SIGKILL, resumes it, and compares the result.

The build is tests/real/photos.toml; with `--what diffusion` pipelines/imagenet-d.toml with the tiny Stable Diffusion of
the shared data, 2 pairs of each category, and two of the real classifiers; with `--what evaluation` the photographs are
evaluated with all five real classifiers, a clean twin (themselves) and its temperature.

Every run is started, killed after a time drawn from 0 to the length of an undisturbed build, and started again, until it
ends by itself; then its directory must equal the undisturbed one, byte for byte. Runs follow until `--kills` kills have hit
a process that was at work. Prints when they hit, how far the run was, and any difference; exit code 1 if there is one.
Needs the shared data and an ONNX Runtime library (ORT_DYLIB_PATH, or Python's onnxruntime); the standard library only.

    python3 scripts/kill_real.py --kills 50 --work /tmp/kill-real
"""

import argparse
import collections
import hashlib
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

CLASSIFIERS = ["mobilenet_v2_100_224", "mobilenet_v1_025_128"]
TARGETS = [*CLASSIFIERS, "mobilenet_v1_050_160_nhwc_u8", "mobilenet_v1_075_192", "squeezenet_1_1_fp16_batch1"]
REPOSITORY = pathlib.Path(__file__).resolve().parent.parent


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--what", choices=["photos", "diffusion", "evaluation"], default="photos", help="what is made")
    parser.add_argument("--kills", type=int, default=50, help="kills that must hit a running process")
    parser.add_argument("--seed", type=int, default=1, help="seed of the moments")
    parser.add_argument("--shard-items", type=int, default=32, help="images per shard")
    parser.add_argument("--hardset", type=pathlib.Path, default=REPOSITORY / "target/release/hardset")
    parser.add_argument("--data", type=pathlib.Path, default=REPOSITORY.parent / "shared/data")
    parser.add_argument("--work", type=pathlib.Path, default=None, help="folder for run directories [a temporary one]")
    return parser.parse_args()


def definitions(names):
    """The files that define these classifiers."""
    return [f"{REPOSITORY}/tests/real/surrogates/{name}.toml" for name in names]


def command(args, run):
    """The build, or evaluation, whose directory is `run`."""
    photos = str(args.data / "photos")
    if args.what == "evaluation":
        asked = [photos, "--clean", photos, "--keep-logits", "--targets", ",".join(definitions(TARGETS)), "--out", str(run)]
        return [str(args.hardset), "evaluate", *asked, "-q", "--data-dir", str(args.data)]
    pipeline, changes = {
        "photos": ("tests/real/photos.toml", [f"generate.root={photos}"]),
        "diffusion": (
            "pipelines/imagenet-d.toml",
            [f"generate.model={args.data / 'parity/sd-tiny'}", "generate.width_px=32", "generate.height_px=32",
             "generate.pairs_per_category=2", "generate.steps=8", f"mine.surrogates={definitions(CLASSIFIERS)!r}"],
        ),
    }[args.what]  # fmt: skip
    # Sheets for people hang on a secret that every run makes for itself.
    sets = [word for change in [*changes, f"shard_items={args.shard_items}", "annotate.export=[]"] for word in ("--set", change)]
    fixed = [str(args.hardset), "build", str(REPOSITORY / pipeline), "-q"]
    return [*fixed, "--data-dir", str(args.data), "--run-dir", str(run), *sets]


def hashes(folder):
    """SHA-256 of every file below `folder`, by its path there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def stage(run):
    """How far a killed run is, by the last kind of file that it has."""
    last = "before anything"
    for name, pattern in [
        ("plan", "**/plan.json"), ("generate", "**/images/*/*.json"), ("mine", "**/predictions/*/*/*.json"),
        ("select", "mined/*"), ("report", "manifest.parquet"), ("after the report", "report/index.html"),
        ("tables of results", "results/*/*.parquet"), ("figures", "results.parquet"), ("page", "index.html"),
    ]:  # fmt: skip
        if any(run.glob(pattern)):
            last = name
    return last


def killed(args, run, delay):
    """Starts it and kills it after `delay` seconds; whether it was still at work then."""
    process = subprocess.Popen(command(args, run), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        _, errors = process.communicate(timeout=delay)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return True
    if process.returncode != 0:
        sys.exit(f"it ended with exit code {process.returncode}:\n{errors}")
    return False


def disturbed_run(args, run, length, moments, wanted):
    """Kills and resumes one run until it ends by itself; returns (seconds, stage, unfinished files) of each kill."""
    kills = []
    while True:
        delay = moments.uniform(0, length) if len(kills) < wanted else 100 * length + 100
        if not killed(args, run, delay):
            return kills
        unfinished = sum(1 for _ in run.rglob("*.unfinished")) if run.exists() else 0
        kills.append((delay, stage(run), unfinished))


def main():
    args = arguments()
    work = args.work or pathlib.Path(tempfile.mkdtemp(prefix="kill-real-"))
    work.mkdir(parents=True, exist_ok=True)
    undisturbed, run = work / "undisturbed", work / "killed"
    shutil.rmtree(undisturbed, ignore_errors=True)
    started = time.monotonic()
    subprocess.run(command(args, undisturbed), check=True, stdout=subprocess.DEVNULL)
    length = time.monotonic() - started
    expected = hashes(undisturbed)
    print(f"undisturbed: {length:.1f} s, {len(expected)} files", flush=True)

    moments = random.Random(args.seed)
    kills, runs, differing = [], 0, 0
    while len(kills) < args.kills:
        shutil.rmtree(run, ignore_errors=True)
        hits = disturbed_run(args, run, length, moments, args.kills - len(kills))
        found = hashes(run)
        wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        kills += hits
        runs += 1
        differing += bool(wrong)
        when = ", ".join(f"{delay:.1f} s ({at})" for delay, at, _ in hits) or "not at all"
        print(f"run {runs}: killed at {when}: {'DIFFERS in ' + ', '.join(wrong) if wrong else 'equal'}", flush=True)
    stages = ", ".join(f"{count} x {name}" for name, count in collections.Counter(at for _, at, _ in kills).most_common())
    print(f"{len(kills)} kills in {runs} runs, {sum(1 for kill in kills if kill[2])} with unfinished files left; {stages}")
    print(f"{runs - differing} of {runs} directories equal the undisturbed one byte for byte")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
