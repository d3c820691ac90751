"""gpu_check's command line, and its table."""
import argparse
import json
import os
import pathlib
import shutil
import tempfile
import time

from common import ROOT, Row, Setting
from steps import STEPS

COLUMNS = "{:<8} {:<12} {:<36} {:>7}  {}"


def program(asked):
    """The program that was asked for, or one that was built."""
    targets = [os.environ.get("CARGO_TARGET_DIR"), pathlib.Path.home() / ".cache/hardset-build", ROOT / "target"]
    built = [pathlib.Path(target) / "release/hardset" for target in targets if target]
    found = asked or next((str(path) for path in built if path.exists()), None) or shutil.which("hardset")
    if found is None or not os.access(found, os.X_OK):
        raise SystemExit(f"there is no program {found or 'hardset'}; build it, or give --hardset PROGRAM")
    return os.path.abspath(found)


def arguments(about):
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cpu", action="store_true", help="small sizes on the CPU")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--hardset", metavar="PROGRAM")
    parser.add_argument("--model", type=pathlib.Path, metavar="DIR")
    parser.add_argument("--mining", type=pathlib.Path, metavar="PIPELINE")
    parser.add_argument("--steps-only", metavar="NAME,…")
    parser.add_argument("--list", action="store_true", help="name the steps, and their limits in seconds")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE")
    parser.add_argument("--work", type=pathlib.Path, metavar="DIR")
    return parser.parse_args()


def chosen(names):
    """The steps that were asked for, in their own order."""
    known = [name for name, _, _ in STEPS]
    wanted = names.split(",") if names else known
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise SystemExit(f"no step is called {', '.join(unknown)}; there are {', '.join(known)}")
    return [step for step in STEPS if step[0] in wanted]


def line(row):
    return COLUMNS.format(row.verdict, row.step, row.what, f"{row.secs:.1f} s", row.detail)


def checked(setting, steps):
    """All rows; a step that breaks off has a row for that."""
    rows = []
    for name, step, limit_secs in steps:
        begun = time.monotonic()
        setting.deadline = begun + limit_secs
        try:
            for row in step(setting):
                rows.append(row)
                print(line(row), flush=True)
        except Exception as problem:  # the next steps are tried all the same
            said, secs = f"{type(problem).__name__}: {problem}", time.monotonic() - begun
            rows.append(Row(name, "the step", "FAIL", secs, said, {}))
            print(line(rows[-1]), flush=True)
    return rows


def main(about):
    args = arguments(about)
    if args.list:
        print("\n".join(f"{name:<12} {limit_secs} s" for name, _, limit_secs in STEPS))
        return 0
    steps = chosen(args.steps_only)
    work = pathlib.Path(tempfile.mkdtemp(prefix="gpu-check-")) if args.work is None else args.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    resolved = [path.resolve() if path else None for path in (args.model, args.mining)]
    setting = Setting(program(args.hardset), work, "cpu" if args.cpu else args.device, *resolved)
    try:
        rows = checked(setting, steps)
    finally:
        if args.work is None:
            shutil.rmtree(work, ignore_errors=True)
    counts = {verdict: sum(row.verdict == verdict for row in rows) for verdict in ("PASS", "FAIL", "SKIPPED")}
    print("\n" + "\n".join([COLUMNS.format("verdict", "step", "what", "time", "found"), *map(line, rows)]))
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    if args.json:
        facts = {"hardset": setting.hardset, "device": setting.device, "counts": counts}
        args.json.write_text(json.dumps(facts | {"rows": [vars(row) for row in rows]}, indent=2) + "\n")
    return 1 if counts["FAIL"] else 0
