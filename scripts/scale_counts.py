#!/usr/bin/env python3
"""Counts what a run of many shards costs, without many machines: what a worker asks of the file system before its first
shard and for each shard, its memory, and how long plan, submit, status and finish take.

The pool is one of fakes with tiny images; nothing but the number of shards and of ranks matters. In memory (`--work` in
/dev/shm) the disk does not count. `--whole` also makes all ranks and finishes, which takes a quarter of an hour of two
cores for 100,000 shards.

    scripts/scale_counts.py HARDSET --work /dev/shm/scale --shards 10000,100000 --ranks 10,100,1000,10000
    scripts/scale_counts.py HARDSET --work /dev/shm/scale --shards 100000 --ranks 1000,10000 --whole
    scripts/scale_counts.py HARDSET --work /tmp/scale --plan 100000000

Needs strace; the standard library only.
"""

import argparse
import collections
import os
import pathlib
import re
import resource
import shutil
import subprocess
import time

CATEGORIES = 113
RECIPE = """name = "scale"
categories = "imagenet-d"
shard_items = {shard_items}

[generate]
source = "fake"
size_px = 8
images_per_category = {images}

[mine]
surrogates = ["fake-a", "fake-b"]
rule = "all"
"""


def timed(command, allowed=(0,)):
    """Runs a command; seconds, and the peak of its memory in MB."""
    begun = time.time()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in allowed:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {code}: {errors.decode(errors='replace')}")
    return time.time() - begun, usage.ru_maxrss / 1024


def traced(command, run):
    """What a worker asks of the run before it writes its first image, and from there on."""
    log = run.parent / "trace"
    calls = "openat,open,stat,lstat,newfstatat,statx,access,readlink,getdents64,rename,renameat2,link,linkat,unlink,mkdir"
    subprocess.run(["strace", "-f", "-y", "-qq", "-e", f"trace={calls}", "-o", log, *command], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    before, after, read = collections.Counter(), collections.Counter(), set()
    begun = False
    for line in log.open(errors="replace"):
        if str(run) not in line:
            continue
        call = re.sub(r"^\d+ +", "", line).split("(", 1)[0]
        begun = begun or ("/images/" in line and "unfinished" in line)
        (after if begun else before)[call] += 1
        path = re.search(r'openat\([^"]*"([^"]+)", O_RDONLY', line)
        if path and not begun and os.path.isfile(path[1]):
            read.add(path[1])
    return before, after, sum(os.path.getsize(path) for path in read)


def planned(hardset, work, shards, shard_items):
    """A run with that many shards; how long its plan took, and the memory."""
    run = work / f"run-{shards}"
    shutil.rmtree(run, ignore_errors=True)
    images = -(-shards * shard_items // CATEGORIES)
    recipe = work / f"recipe-{shards}.toml"
    recipe.write_text(RECIPE.format(shard_items=shard_items, images=images))
    seconds, megabytes = timed([hardset, "plan", recipe, "-q", "--run-dir", run])
    size = sum(path.stat().st_size for path in run.glob("plan.*.parquet"))
    print(f"plan of {shards} shards, {images * CATEGORIES} items: {seconds:.1f} s, {megabytes:.0f} MB, file {size / 1e6:.1f} MB", flush=True)
    return run


def words(counter):
    return ", ".join(f"{name} {count}" for name, count in sorted(counter.items())) or "nothing"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("hardset", type=lambda text: pathlib.Path(text).resolve())
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--shards", default="10000", help="numbers of shards")
    parser.add_argument("--ranks", default="10,100,1000,10000", help="numbers of ranks")
    parser.add_argument("--shard-items", type=int, default=10)
    parser.add_argument("--whole", action="store_true", help="also make all ranks, and finish")
    parser.add_argument("--plan", type=int, help="only a plan of so many items, in shards of 1,024")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    args.work = args.work.resolve()
    if args.plan:
        planned(args.hardset, args.work, -(-args.plan // 1024), 1024)
        return
    for shards in map(int, args.shards.split(",")):
        run = planned(args.hardset, args.work, shards, args.shard_items)
        for ranks in map(int, args.ranks.split(",")):
            seconds, megabytes = timed([args.hardset, "submit", run, "--to", "slurm", "--ranks", str(ranks)])
            print(f"submit of {ranks} ranks: {seconds:.2f} s, {megabytes:.0f} MB")
            job = sorted(path.name for path in (run / "jobs").iterdir())[-1]
            worker = [args.hardset, "worker", run, "--job", job, "-q", "--threads", "1", "--rank"]
            if args.whole:
                begun = time.time()
                for rank in range(ranks):
                    timed([*worker, str(rank)])
                print(f"all ranks: {time.time() - begun:.0f} s")
            else:
                rank = ranks - 1
                if shards // ranks <= 2000:
                    for folder in (run / "images", run / "predictions"):
                        shutil.rmtree(folder, ignore_errors=True)
                    before, after, size = traced([*worker, str(rank)], run)
                    own = (rank + 1) * shards // ranks - rank * shards // ranks
                    print(f"worker of {ranks} ranks over {shards} shards, before the first image: {words(before)}; {size} bytes in files that were opened")
                    print(f"   then for each of {own} shards: {sum(after.values()) / own:.1f} calls on the run ({words(after)})")
                    for folder in (run / "images", run / "predictions", run / "jobs" / job / "ranks"):
                        shutil.rmtree(folder)
                    _, megabytes = timed([*worker, str(rank)])
                    print(f"   memory: {megabytes:.0f} MB", flush=True)
            seconds, megabytes = timed([args.hardset, "status", run])
            print(f"status with {ranks} ranks: {seconds:.2f} s, {megabytes:.0f} MB")
            if args.whole:
                seconds, megabytes = timed([args.hardset, "finish", run, "-q", "--job", job])
                print(f"finish of {ranks} ranks over {shards} shards: {seconds:.1f} s, {megabytes:.0f} MB", flush=True)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
