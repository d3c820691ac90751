#!/usr/bin/env python3
"""Makes ranks of job {{job}} as tasks of Ray, then finishes the run. Written by `hardset submit --to ray`; read it, change it.

    python3 ray_job.py --ranks 0-99                              on the cluster of RAY_ADDRESS, else this machine alone
    python3 ray_job.py --ranks 17,403                            these ranks alone

The run directory must be on every machine, under the same path, or in a bucket. This script may be killed and started again at any time:
what is done is not done again. Exit code: that of `hardset finish`; 2 if a rank says that trying again is useless.
"""

import argparse
import ctypes
import os
import signal
import subprocess
import sys
import time

import ray

HARDSET = {{hardset}}
RUN = {{run}}
JOB = "{{job}}"
WORKER_OPTIONS = {{worker_options}}
# On the machine that makes the rank; if the run is in a bucket, this is no folder that they share.
LOGS = {{logs}}
# What one rank takes of a machine: cores, as many as it has threads, and GPUs, of which Ray gives each task its own
# (`--device cuda:0` is the first of these). A rank waits for ever if no machine has as much.
CPUS = {{cpus}}
GPUS = {{gpus}}
# How often a rank starts again, after the loss of a machine and after an error alike.
RETRIES = 20
# Ranks at a time, as far as the cluster has room; 0 for no limit.
SLOTS = {{slots}}


class RankFailed(Exception):
    """The worker ended with an error that may be its machine's: Ray starts the rank again."""


def dies_with_its_parent():
    """Asks Linux to kill the worker when the process of Ray that started it dies: no second writer stays behind."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == 1:
        os._exit(75)  # it has died already


@ray.remote(num_cpus=CPUS, num_gpus=GPUS, max_retries=RETRIES, retry_exceptions=[RankFailed])
def make_rank(rank):
    """Makes one rank and returns the worker's exit code: 0, or 2 if trying again is useless."""
    command = [HARDSET, "worker", RUN, "--job", JOB, "--rank", str(rank), *WORKER_OPTIONS]
    if not any(option.startswith("--threads=") for option in WORKER_OPTIONS):
        command.append(f"--threads={CPUS}")
    os.makedirs(LOGS, exist_ok=True)
    with open(os.path.join(LOGS, f"ray_{rank:05}.log"), "ab") as log:
        log.write(f"rank {rank} on {os.uname().nodename}, process {os.getpid()} of Ray, {time.strftime('%F %T')}\n".encode())
        log.flush()
        worker = subprocess.run(command, stdout=log, stderr=log, preexec_fn=dies_with_its_parent)
        log.write(f"rank {rank} ended with exit code {worker.returncode}, {time.strftime('%F %T')}\n".encode())
    if worker.returncode not in (0, 2):
        raise RankFailed(f"rank {rank} ended with exit code {worker.returncode} on {os.uname().nodename}")
    return worker.returncode


@ray.remote(num_cpus=1, num_gpus=0, max_retries=RETRIES)
def finish():
    """Puts the ranks together; a task, because the run is on the machines of the cluster. Returns exit code and output."""
    ended = subprocess.run([HARDSET, "finish", RUN, "--job", JOB], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return ended.returncode, ended.stdout


def ranks_of(text):
    """The numbers of `0-99,403`."""
    ranks = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        ranks += range(int(first), int(last or first) + 1)
    return ranks


def make_all(ranks):
    """Makes these ranks; prints how many are through and which are not; returns whether trying again is worth it."""
    waiting, at_work = list(reversed(ranks)), {}
    through, begun, told = 0, time.time(), 0.0
    while waiting or at_work:
        while waiting and (SLOTS == 0 or len(at_work) < SLOTS):
            rank = waiting.pop()
            at_work[make_rank.remote(rank)] = rank
        ended, _ = ray.wait(list(at_work), timeout=5)
        for task in ended:
            rank = at_work.pop(task)
            try:
                code = ray.get(task)
            except Exception as error:  # all retries are used up; the other ranks go on
                print(f"rank {rank} is given up: {type(error).__name__}: {(str(error).splitlines() or [''])[-1]}", flush=True)
                continue
            if code == 2:
                print(f"rank {rank} ended with exit code 2: trying again is useless; see logs/ray_{rank:05}.log", flush=True)
                return False
            through += 1
        if time.time() - told > 30 or not (waiting or at_work):
            told = time.time()
            print(f"{through} of {len(ranks)} ranks through after {told - begun:.0f} s", flush=True)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ranks", required=True, type=ranks_of, help="which ranks, for example 0-99 or 17,403")
    arguments = parser.parse_args()
    ray.init()
    if not make_all(arguments.ranks):
        return 2
    code, output = ray.get(finish.remote())
    print(output, end="", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
