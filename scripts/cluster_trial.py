#!/usr/bin/env python3
"""Makes runs by a real Slurm, by a real Ray and by the manifests of Kubernetes, disturbs them, and compares the results.

Each trial is one run: `hardset plan`, `hardset submit`, the scripts that this wrote, one fault in the middle, and
`hardset finish` as the scripts start it. Then the run directory, without jobs/ and lock, must equal that of an undisturbed
`hardset build`, byte for byte. Prints a line for each trial; exit code 1 if anything differs or a fault hit nothing.

    sudo python3 scripts/cluster_trial.py slurm --hardset target/release/hardset --work /tmp/trial
    python3 scripts/cluster_trial.py ray --hardset target/release/hardset --work /tmp/trial
    python3 scripts/cluster_trial.py kubernetes --hardset target/release/hardset --work /tmp/trial

slurm needs scripts/slurm_up (root, and the packages named there). ray and kubernetes install what they need from PyPI
into WORK/venv-*. No cluster of Kubernetes is needed, and none is tried: see the class Kubernetes.

Workers are made slow by stopping and continuing them (class SlowMotion), so that faults hit on fast machines too, and
so that 8 workers fit on two cores.
"""

import argparse
import collections
import hashlib
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time

SCRIPTS = pathlib.Path(__file__).resolve().parent
RAY = "ray==2.60.0"
KUBERNETES_VALIDATE = "kubernetes-validate==1.37.0"
# Longest wait for anything to happen, in seconds.
PATIENCE = 600

RECIPE = """name = "trial"
categories = "imagenet-d"
shard_items = {shard_items}

[generate]
source = "fake"
size_px = {size_px}
images_per_category = {images_per_category}
# Some images are lost, and each of them must be in dropped.parquet in the end.
fail_every = 97

[mine]
surrogates = ["fake-a", "fake-b", "fake-c"]
rule = "at-least=2"
"""
# 452 images in 57 shards, 10 CPU-seconds.
USUAL = {"shard_items": 8, "size_px": 512, "images_per_category": 4}
# 10,057 small images, one in each shard: ten shards for each of a thousand ranks.
THOUSAND = {"shard_items": 1, "size_px": 8, "images_per_category": 89}
# 744 images of a diffusion model in 19 shards, scored by six models.
QUICKSTART = {"pipeline": SCRIPTS.parent / "pipelines" / "quickstart.toml", "set": "shard_items=40"}


class TrialFailed(Exception):
    """A fault hit nothing, or something waited for never came."""


def until(what, condition, patience=PATIENCE, pause=0.1):
    """Waits until the condition gives something, and returns that."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(pause)
    raise TrialFailed(f"{what}: not within {patience} s")


def hashes(run):
    """SHA-256 of every file of a run by its path, without what `finish` does not make: jobs/, lock, and sheets."""
    files = (path for path in run.rglob("*") if path.is_file())
    names = {str(path.relative_to(run)): path for path in files}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in names.items()
        if name != "lock" and not name.startswith(("jobs/", "batches/", "export/"))
    }


class Worker:
    """A process `hardset worker`."""

    def __init__(self, pid, words, node):
        self.pid, self.node = pid, node
        self.rank = words[words.index("--rank") + 1]
        self.run = words[words.index("worker") + 1]
        # Names this process even when it has ended and its number belongs to another.
        self.handle = os.pidfd_open(pid)

    def __del__(self):
        if hasattr(self, "handle"):
            os.close(self.handle)

    def send(self, what):
        try:
            signal.pidfd_send_signal(self.handle, what)
            return True
        except ProcessLookupError:
            return False

    def alive(self):
        return self.send(0) and self.state() != "Z"

    def status(self, key):
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return re.search(rf"^{key}:\s+(\S+)", text, re.MULTILINE)[1]

    def state(self):
        try:
            return self.status("State")
        except (FileNotFoundError, ProcessLookupError):
            return "Z"

    def parent(self):
        return int(self.status("PPid"))

    def written(self):
        """Bytes that it has written so far; None if it has ended."""
        try:
            return int(re.search(r"wchar: (\d+)", pathlib.Path(f"/proc/{self.pid}/io").read_text())[1])
        except (FileNotFoundError, ProcessLookupError):
            return None


class SlowMotion(threading.Thread):
    """Lets every worker of one run work for TURN seconds in each `period` seconds, one after the other.

    It stops and continues the processes; the program is as it is. Also notes which ranks had two workers at once.
    """

    TURN = 0.025

    def __init__(self, run, period):
        super().__init__(daemon=True)
        self.run_dir, self.period = str(run), period
        self.seen = {}  # process -> how often looked at without being a worker
        self.workers = {}  # process -> Worker
        self.frozen = set()  # processes that get no turn for now
        self.together = set()  # ranks that had two workers at once
        self.over = False
        self.guard = threading.Lock()

    def look(self):
        """Finds workers that are new, and forgets those that have ended."""
        processes = {int(name) for name in os.listdir("/proc") if name.isdigit()}
        with self.guard:
            self.workers = {pid: worker for pid, worker in self.workers.items() if worker.alive()}
            self.seen = {pid: times for pid, times in self.seen.items() if pid in processes}
            for pid in processes - self.workers.keys():
                # A process is a shell before it is the program: a few looks are worth it.
                if self.seen.setdefault(pid, 0) < 20:
                    self.seen[pid] += 1
                    worker = worker_of(pid, self.run_dir)
                    if worker:
                        worker.send(signal.SIGSTOP)
                        self.workers[pid] = worker
            counts = collections.Counter(worker.rank for worker in self.workers.values())
            self.together |= {rank for rank, count in counts.items() if count > 1}

    def run(self):
        while not self.over:
            begun = time.monotonic()
            for pid in [*self.workers, None]:
                worker = self.workers.get(pid)
                if worker and pid not in self.frozen:
                    worker.send(signal.SIGCONT)
                    time.sleep(self.TURN)
                    worker.send(signal.SIGSTOP)
                self.look()
            while not self.over and time.monotonic() < begun + self.period:
                time.sleep(self.TURN)
                self.look()

    def end(self):
        """Lets all of them go on."""
        self.over = True
        self.join()
        for worker in self.workers.values():
            worker.send(signal.SIGCONT)

    def now(self):
        """The workers that are there now, by the order of their processes."""
        with self.guard:
            return [self.workers[pid] for pid in sorted(self.workers)]


def worker_of(pid, run):
    """The worker of this run that this process is, or None."""
    try:
        words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        if "worker" not in words or run not in words or "--rank" not in words:
            return None
        # The shell that starts it, or a driver, names these words too, but not as the word after the program.
        if words.index("worker") not in (1, 2):
            return None
        environment = pathlib.Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
        node = [line.partition("=")[2] for line in environment if line.startswith("SLURMD_NODENAME=")]
        return Worker(pid, words, node[0] if node else "")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None


class Runs:
    """Run directories of this trial, and the undisturbed ones to compare with."""

    def __init__(self, hardset, work):
        self.hardset, self.work = str(pathlib.Path(hardset).resolve()), pathlib.Path(work).resolve()
        self.work.mkdir(parents=True, exist_ok=True)
        self.references = {}

    def call(self, *words, codes=(0,)):
        """Runs hardset and returns (exit code, output)."""
        ended = subprocess.run([self.hardset, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if ended.returncode not in codes:
            raise TrialFailed(f"hardset {shlex.join(map(str, words))}: exit code {ended.returncode}:\n{ended.stdout}")
        return ended.returncode, ended.stdout

    def recipe(self, shape):
        """The words of `plan` and `build` that say what is made."""
        if "pipeline" in shape:
            return shape["pipeline"], "--set", shape["set"]
        text = RECIPE.format(**shape)
        path = self.work / f"recipe-{hashlib.sha256(text.encode()).hexdigest()[:8]}.toml"
        path.write_text(text)
        return (path,)

    def reference(self, shape):
        """Hashes of an undisturbed build."""
        recipe = self.recipe(shape)
        if recipe not in self.references:
            run = self.work / "undisturbed"
            shutil.rmtree(run, ignore_errors=True)
            begun = time.monotonic()
            # Exit code 3: images were lost, as the recipe wants it.
            self.call("build", *recipe, "--run-dir", run, "-q", codes=(0, 3))
            self.references[recipe] = hashes(run)
            # Also the release and the evaluation that a build may make beside it.
            for folder in self.work.glob("undisturbed*"):
                shutil.rmtree(folder)
            seconds = time.monotonic() - begun
            print(f"undisturbed build: {seconds:.0f} s, {len(self.references[recipe])} files", flush=True)
        return self.references[recipe]

    def planned(self, name, shape):
        # A blank and a quote: what submit writes must stand them.
        run = self.work / f"it's {name}"
        shutil.rmtree(run, ignore_errors=True)
        self.call("plan", *self.recipe(shape), "--run-dir", run, "-q")
        return run

    def submit_missing(self, run):
        """Writes the scripts for the ranks that lack. One that was killed counts as at work for two minutes."""
        until("no rank counts as at work", lambda: not re.search("at work|left out", self.call("submit", run, "--missing", codes=(0, 2))[1]), pause=5)

    def differences(self, run, shape):
        """What differs from the undisturbed run, as a text; empty if nothing does."""
        expected, found = self.reference(shape), hashes(run)
        wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        return ", ".join(wrong[:8]) + (f" and {len(wrong) - 8} more" if len(wrong) > 8 else "")


def job_folder(run):
    return run / "jobs" / "0001"


def starts(run, pattern):
    """How often each rank started, by the lines in the logs."""
    counts = collections.Counter()
    for log in job_folder(run).glob("logs/*.log"):
        counts.update(re.findall(pattern, log.read_text(errors="replace"), re.MULTILINE))
    return counts


def trial(runs, name, shape, body):
    """One trial: `body(run)` makes the run and says what it did; returns whether all is as it should be."""
    runs.reference(shape)
    begun = time.monotonic()
    run = runs.planned(name, shape)
    try:
        said, ranks, counts, together = body(run)
        wrong = runs.differences(run, shape)
    except TrialFailed as error:
        print(f"{name}: FAILED: {error}; see {run}", flush=True)
        return False
    again = sorted((rank for rank, count in counts.items() if count > 1), key=int)
    told = ", ".join(again[:12]) + (", …" if len(again) > 12 else "") or "none"
    print(
        f"{name}: {said}; {ranks} ranks, {sum(counts.values())} starts; started more than once: {told}; two at once: "
        f"{', '.join(sorted(together, key=int)) or 'none'}; {time.monotonic() - begun:.0f} s; "
        f"{len(runs.reference(shape))} files compared, {'DIFFERS: ' + wrong if wrong else 'equal'}",
        flush=True,
    )
    if not wrong:
        shutil.rmtree(run)
    return not wrong


class Slurm:
    """A Slurm of scripts/slurm_up, and what can happen to it."""

    def __init__(self, runs):
        self.runs, self.folder = runs, runs.work / "slurm"
        os.environ["SLURM_CONF"] = str(self.folder / "slurm.conf")
        self.slow = None
        # Requeued tasks that wait, and since when.
        self.waiting = {}

    def script(self, verb, *words):
        subprocess.run([SCRIPTS / "slurm_up", verb, self.folder, *words], check=True)

    def ask(self, *words):
        """What a command of Slurm prints; empty if the controller does not answer."""
        return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout

    def start(self, run, script="start.sh"):
        """Runs a start script; returns the number of the job that finishes."""
        # From elsewhere, and by its path: the script must find its folder itself.
        ended = subprocess.run(["bash", job_folder(run) / script], cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        found = re.search(r"^job (\d+): hardset finish", ended.stdout, re.MULTILINE)
        if ended.returncode != 0 or not found:
            raise TrialFailed(f"{script}: exit code {ended.returncode}:\n{ended.stdout}")
        return found[1]

    def state(self, job):
        text = self.ask("scontrol", "-o", "show", "job", str(job))
        return dict(word.split("=", 1) for word in text.split() if "=" in word)

    def finished(self, job, patience=PATIENCE):
        """Waits for the job that finishes, which waits for all others; returns its exit code, None if Slurm forgot it."""

        def ended():
            self.let_requeued_start()
            state = self.state(job)
            if not state and self.ask("sinfo", "-h"):
                return {"ExitCode": "forgotten"}
            return state if state.get("JobState") not in (None, "PENDING", "RUNNING", "COMPLETING", "CONFIGURING") else None

        code = until(f"job {job} ends", ended, patience, pause=1)["ExitCode"]
        return None if code == "forgotten" else int(code.split(":")[0])

    def let_requeued_start(self):
        """Slurm starts what was requeued 120 seconds later; a trial cannot wait for that, but must a little.

        Where a task starts again at once, Slurm takes the late news of its last end for the end of the new one.
        """
        now, waiting = time.monotonic(), {}
        for line in self.ask("squeue", "-h", "-t", "PD", "-r", "-o", "%i %r").splitlines():
            job, _, reason = line.partition(" ")
            if reason == "BeginTime":
                waiting[job] = self.waiting.get(job, now)
                if now - waiting[job] > 8:
                    self.ask("scontrol", "update", f"JobId={job}", "StartTime=now")
        self.waiting = waiting

    def at_work(self, wanted=1):
        """Workers that are there and have written something, once there are so many."""

        def found():
            workers = [worker for worker in self.slow.now() if (worker.written() or 0) > self.evident]
            return workers if len(workers) >= wanted else None

        return until(f"{wanted} workers at work", found)

    def task(self, worker):
        """What Slurm calls the task of this worker: `4711_17`."""
        environment = pathlib.Path(f"/proc/{worker.pid}/environ").read_bytes().decode(errors="replace").split("\0")
        values = dict(line.split("=", 1) for line in environment if "=" in line)
        return f"{values['SLURM_ARRAY_JOB_ID']}_{values['SLURM_ARRAY_TASK_ID']}"

    def lose_node(self, verb, node):
        """Kills a node or cuts it off, and waits until Slurm has noticed."""
        self.script(verb, node)
        until(f"{node} is down", lambda: "down" in self.ask("sinfo", "-h", "-N", "-p", "low", "-n", node, "-o", "%T"))
        # A job that is told to start in the second in which its node goes down stays RUNNING for ever, with no process.
        time.sleep(5)

    def bring_back(self, node):
        self.script("start-node", node)
        until(f"{node} is back", lambda: self.ask("sinfo", "-h", "-N", "-p", "low", "-n", node, "-o", "%T").strip() in ("idle", "mixed", "allocated"))

    # The faults. Each returns what it did, as a text.

    def none(self):
        return "undisturbed"

    def kill_worker(self):
        worker = self.at_work()[0]
        worker.send(signal.SIGKILL)
        return f"the worker of rank {worker.rank} killed, requeued by its script"

    def kill_script(self):
        worker = self.at_work()[0]
        # The shell first, or it would give the rank back to the queue.
        os.kill(worker.parent(), signal.SIGKILL)
        worker.send(signal.SIGKILL)
        return f"script and worker of rank {worker.rank} killed"

    def requeue(self):
        worker = self.at_work()[0]
        subprocess.run(["scontrol", "requeue", self.task(worker)], check=True)
        return f"rank {worker.rank} requeued by the administrator"

    def preempt(self):
        at_work = {worker.rank for worker in self.at_work(6)}
        words = ["sbatch", "--parsable", "-p", "high", "-N4", "--exclusive", "-o", "/dev/null", "--wrap", "sleep 2"]
        urgent = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        until("the urgent job runs", lambda: self.state(urgent).get("JobState") in ("RUNNING", "COMPLETED"))
        return f"an urgent job took all nodes from ranks {', '.join(sorted(at_work, key=int))}"

    def time_limit(self):
        self.at_work()
        return "one minute of time for each start"

    def kill_node(self):
        return self.node_lost("kill-node", "killed")

    def node_lost(self, verb, told):
        node = self.at_work(4)[0].node
        ranks = [worker.rank for worker in self.slow.now() if worker.node == node]
        self.lose_node(verb, node)
        self.let_requeued_start()
        self.bring_back(node)
        return f"{node} {told} with ranks {', '.join(ranks)}"

    def cut_node(self):
        node = self.at_work(4)[0].node
        old = {worker.rank: worker for worker in self.slow.now() if worker.node == node}
        # They stand still until their successors are at work, so that both are surely there at the same time.
        self.slow.frozen |= {worker.pid for worker in old.values()}
        self.lose_node("cut-node", node)

        def successors():
            self.let_requeued_start()
            return {worker.rank: worker for worker in self.slow.now() if worker.rank in old and worker.node != node}

        def both_write():
            new = successors()
            return new if new and all((worker.written() or 0) > self.evident for worker in new.values()) else None

        new = until("the ranks of the cut off node run elsewhere", both_write)
        before = {rank: old[rank].written() for rank in new}
        self.slow.frozen.clear()
        grown = {}

        def zombies_write():
            for rank in new:
                written = old[rank].written()
                if written is not None and before[rank] is not None and new[rank].alive():
                    grown[rank] = written - before[rank]
            return grown if grown and max(grown.values()) > 3 * self.evident else None

        until("a worker that was cut off writes while its successor lives", zombies_write, patience=300, pause=0.02)
        until("the cut off workers end", lambda: not any(worker.alive() for worker in old.values()), pause=0.5)
        self.bring_back(node)
        bytes_each = ", ".join(f"rank {rank} {grown[rank]:,} bytes" for rank in sorted(grown, key=int))
        return f"{node} cut off; its workers wrote on while their successors worked ({bytes_each})"

    def controller(self):
        self.at_work(4)
        # The controller saves what it knows every five seconds, and forgets what came later.
        time.sleep(8)
        ranks = [worker.rank for worker in self.at_work()]
        self.restart_controller()
        return f"the controller killed while ranks {', '.join(ranks)} were at work, and started again 10 s later"

    def controller_forgets(self):
        ranks = [worker.rank for worker in self.at_work(4)]
        self.restart_controller("-c")
        # It ends tasks that it does not know.
        until("no worker is left", lambda: not self.slow.now(), pause=0.5)
        return f"the controller killed while ranks {', '.join(ranks)} were at work, and started without what it had saved"

    def restart_controller(self, *words):
        """Long enough after the kill for some ranks to end while nobody listens."""
        self.script("kill-controller")
        time.sleep(10)
        self.script("start-controller", *words)
        until("the controller answers", lambda: self.ask("sinfo", "-h"))

    def cancel(self):
        worker = self.at_work()[0]
        subprocess.run(["scancel", self.task(worker)], check=True)
        return f"rank {worker.rank} cancelled"

    def made(self, run, fault):
        """One run with this fault; see `trial`."""
        words = ["--to", "slurm", "--ranks", fault.ranks, "--slots", fault.slots]
        self.runs.call("submit", run, *words, "--", "--partition=low", *fault.options)
        self.evident = fault.evident
        self.slow = SlowMotion(run, fault.period) if fault.period else None
        try:
            if self.slow:
                self.slow.start()
            job = self.start(run)
            said = fault.does(self)
            code = self.finished(job, patience=PATIENCE + 3 * fault.ranks)
            if fault.loses:
                if code is None:
                    code, _ = self.runs.call("finish", run, codes=(4,))
                if code != 4:
                    raise TrialFailed(f"{said}: finish ended with {code}, not 4")
                self.runs.submit_missing(run)
                code = self.finished(self.start(run, "start-missing.sh"))
                said += ", then submit --missing"
            if code not in (0, 3):
                log = "".join(path.read_text() for path in sorted(job_folder(run).glob("logs/finish_*.log")))
                raise TrialFailed(f"{said}: finish ended with {code}: {log}")
            counts = starts(run, r"^rank (\d+), start")
            if fault.hits and not fault.loses and sum(counts.values()) <= fault.ranks:
                raise TrialFailed(f"{said}: no rank started again, so it hit nothing")
        finally:
            if self.slow:
                self.slow.end()
            self.ask("scancel", "-u", str(os.getuid()))
        return said, fault.ranks, counts, self.slow.together if self.slow else set()


class Fault:
    """One fault, and the job that it is tried on."""

    def __init__(self, does, ranks=16, slots=8, options=(), loses=False, hits=True, period=0.4, shape=USUAL, usual=True, evident=100_000):
        self.does, self.ranks, self.slots, self.options = does, ranks, slots, options
        # Whether a rank lacks in the end, and whether some start again.
        self.loses, self.hits = loses, hits
        # For SlowMotion; 0: as fast as they are.
        self.period, self.shape, self.usual = period, shape, usual
        # Bytes that a worker has written if it is in the middle of its work.
        self.evident = evident


SLURM_FAULTS = {
    "none": Fault(Slurm.none, hits=False),
    "kill-worker": Fault(Slurm.kill_worker),
    "kill-script": Fault(Slurm.kill_script, loses=True),
    "requeue": Fault(Slurm.requeue),
    "preempt": Fault(Slurm.preempt, period=1.0),
    # Slurm looks at time limits every 30 seconds.
    "time-limit": Fault(Slurm.time_limit, ranks=4, slots=4, options=("--time=1", "--signal=B:TERM@50"), period=1.0),
    "kill-node": Fault(Slurm.kill_node),
    "cut-node": Fault(Slurm.cut_node),
    "controller": Fault(Slurm.controller, hits=False),
    "controller-forgets": Fault(Slurm.controller_forgets, loses=True),
    "cancel": Fault(Slurm.cancel, loses=True),
    # Some 10 minutes each; only if asked for.
    "quickstart": Fault(Slurm.cut_node, shape=QUICKSTART, usual=False, evident=100),
    "thousand": Fault(Slurm.none, ranks=1000, slots=2, hits=False, period=0, shape=THOUSAND, usual=False),
}


def slurm(args, runs):
    names = args.only.split(",") if args.only else [name for name, fault in SLURM_FAULTS.items() if fault.usual]
    cluster = Slurm(runs)
    if cluster.folder.exists():
        cluster.script("down")
        shutil.rmtree(cluster.folder)
    cluster.script("up")
    try:
        return [trial(runs, name, SLURM_FAULTS[name].shape, lambda run: cluster.made(run, SLURM_FAULTS[name])) for name in names]
    finally:
        cluster.script("down")


def venv(work, name, package):
    """The Python of a virtual environment that has this package; made if it is not there."""
    folder = work / f"venv-{name}"
    if not (folder / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check", package], check=True)
        (folder / "complete").touch()
    return folder / "bin/python"


class Ray:
    """A Ray of three machines, all of them this one, and what can happen to it."""

    PORT = 6399
    RANKS = 12

    def __init__(self, runs):
        self.runs = runs
        self.python = venv(runs.work, "ray", RAY)
        # Ray's sockets are below this folder, and the names of sockets are short.
        self.folder = pathlib.Path(f"/tmp/hardset-ray-{os.getpid()}")
        self.environment = {
            **os.environ,
            "PYTHON": str(self.python),
            "RAY_ADDRESS": f"127.0.0.1:{self.PORT}",
            "RAY_USAGE_STATS_ENABLED": "0",
            # Connections on this machine alone: no token.
            "RAY_AUTH_MODE": "disabled",
        }
        self.raylets = []
        self.slow = self.driver = None

    def node(self, *words):
        """Starts a machine of the cluster; returns the process of its raylet."""
        before = self.processes("raylet")
        common = ["--node-ip-address=127.0.0.1", "--object-store-memory=80000000", "--disable-usage-stats"]
        environment = {name: value for name, value in self.environment.items() if name != "RAY_ADDRESS"}
        ended = subprocess.run(
            [self.python.parent / "ray", "start", *common, *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if ended.returncode != 0:
            raise TrialFailed(f"ray start: {ended.stdout}")
        return (self.processes("raylet") - before).pop()

    def processes(self, name=""):
        """The processes of this Ray whose program has this name."""
        found = set()
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if str(self.folder) in words and pathlib.Path(words.split("\0")[0]).name.startswith(name):
                found.add(int(path.parent.name))
        return found

    def machine(self):
        return self.node(f"--address=127.0.0.1:{self.PORT}", "--num-cpus=2")

    def up(self):
        self.node("--head", f"--port={self.PORT}", "--num-cpus=0", "--include-dashboard=false", f"--temp-dir={self.folder}")
        self.raylets = [self.machine() for _ in range(3)]

    def down(self):
        for kind in (signal.SIGTERM, signal.SIGKILL):
            for pid in self.processes():
                try:
                    os.kill(pid, kind)
                except ProcessLookupError:
                    pass
            time.sleep(3)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, run, script="start.sh"):
        self.driver = subprocess.Popen(
            ["bash", job_folder(run) / script], cwd="/", env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def at_work(self, wanted=1):
        def found():
            if self.driver.poll() is not None:
                raise TrialFailed(f"the driver ended with {self.driver.returncode}:\n{self.driver.stdout.read()}")
            workers = [worker for worker in self.slow.now() if (worker.written() or 0) > 100_000]
            return workers if len(workers) >= wanted else None

        return until(f"{wanted} workers at work", found)

    # The faults. Each returns what it did, as a text.

    def none(self, run):
        return "undisturbed"

    def kill_worker(self, run):
        worker = self.at_work()[0]
        worker.send(signal.SIGKILL)
        return f"the worker of rank {worker.rank} killed"

    def kill_task(self, run):
        worker = self.at_work()[0]
        os.kill(worker.parent(), signal.SIGKILL)
        until("the worker ends with the process of Ray that started it", lambda: not worker.alive(), patience=5, pause=0.01)
        return f"the process of Ray that ran rank {worker.rank} killed; the worker ended with it"

    def kill_machine(self, run):
        workers = self.at_work(3)
        raylet = self.raylets.pop(0)
        os.kill(raylet, signal.SIGKILL)
        self.raylets.append(self.machine())
        return f"one of the machines killed while ranks {', '.join(worker.rank for worker in workers)} were at work"

    def kill_driver(self, run):
        workers = self.at_work(3)
        self.driver.kill()
        self.driver.communicate()
        until("all workers end with the driver", lambda: not self.slow.now())
        self.runs.call("finish", run, codes=(4,))
        self.runs.submit_missing(run)
        self.start(run, "start-missing.sh")
        return f"the driver killed while ranks {', '.join(worker.rank for worker in workers)} were at work, then submit --missing"

    def made(self, run, fault):
        self.runs.call("submit", run, "--to", "ray", "--ranks", self.RANKS)
        self.slow = SlowMotion(run, 0.4)
        self.slow.start()
        try:
            self.start(run)
            said = fault(self, run)
            try:
                output, _ = self.driver.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                self.driver.kill()
                raise TrialFailed(f"{said}: the driver does not end:\n{self.driver.communicate()[0]}") from None
            if self.driver.returncode not in (0, 3):
                raise TrialFailed(f"{said}: the driver ended with {self.driver.returncode}:\n{output}")
        finally:
            self.slow.end()
        return said, self.RANKS, starts(run, r"^rank (\d+) on "), self.slow.together


RAY_FAULTS = {
    "none": Ray.none,
    "kill-worker": Ray.kill_worker,
    "kill-task": Ray.kill_task,
    "kill-machine": Ray.kill_machine,
    "kill-driver": Ray.kill_driver,
}


def ray(args, runs):
    names = args.only.split(",") if args.only else list(RAY_FAULTS)
    cluster = Ray(runs)
    cluster.up()
    try:
        return [trial(runs, f"ray {name}", USUAL, lambda run: cluster.made(run, RAY_FAULTS[name])) for name in names]
    finally:
        cluster.down()


class Kubernetes:
    """Manifests, checked without a cluster, and their commands, run by a loop in place of one.

    The schema is checked by kubernetes-validate; what hangs together across fields, by `broken_rules`. A stand-in for
    kubectl (`kubectl` below) runs each command of a manifest with the index put in, so that start.sh itself is run too.
    What this cannot show: that a cluster admits the manifest, mounts the claim and starts pods again.
    """

    RANKS = 6
    IMAGE, CLAIM = "registry.example/hardset:0.4.0", "hardset-run"

    def __init__(self, runs):
        self.runs, self.python = runs, venv(runs.work, "kubernetes", KUBERNETES_VALIDATE)

    def read(self, path):
        """The documents of a YAML file."""
        program = "import sys, yaml, json; json.dump(list(yaml.safe_load_all(open(sys.argv[1]))), sys.stdout)"
        return json.loads(subprocess.run([self.python, "-c", program, path], check=True, stdout=subprocess.PIPE).stdout)

    def schema_problem(self, manifest):
        """What kubernetes-validate says of a manifest; empty if nothing."""
        path = self.runs.work / "manifest.json"
        # The tool knows no `generateName`: it wants the name that a cluster would give.
        named = {**manifest, "metadata": {"name": manifest["metadata"]["generateName"] + "x7k2p"}}
        path.write_text(json.dumps(named))
        words = [self.python.parent / "kubernetes-validate", "--strict", path]
        ended = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return ended.stdout.strip() if ended.returncode != 0 else ""

    def check(self, manifest, run, ranks):
        problems = broken_rules(manifest, run, ranks)
        schema = self.schema_problem(manifest)
        return problems + ([schema] if schema else [])

    def made(self, run):
        words = ["--to", "kubernetes", "--ranks", self.RANKS, "--slots", 2, "--image", self.IMAGE, "--claim", self.CLAIM]
        self.runs.call("submit", run, *words)
        folder = job_folder(run)
        (job,), (finish,) = self.read(folder / "job.yaml"), self.read(folder / "finish.yaml")
        for name, problems in {
            "job.yaml": self.check(job, run, self.RANKS),
            "finish.yaml": [text for text in [self.schema_problem(finish)] if text] + finish_problems(finish, run),
        }.items():
            if problems:
                raise TrialFailed(f"{name}: {'; '.join(problems)}")
        refused = self.broken_manifests(job, run)
        # Ranks 1 and 4 are left out at first, as if their pods had failed for good.
        self.start(run, "start.sh", leave_out="1,4", finish=4)
        self.runs.call("submit", run, "--missing")
        (missing,) = self.read(folder / "job-missing.yaml")
        problems = self.check(missing, run, 2)
        if problems:
            raise TrialFailed(f"job-missing.yaml: {'; '.join(problems)}")
        self.start(run, "start-missing.sh", leave_out="", finish=0)
        said = f"no cluster: the commands of the manifests run by a loop, the first start of each killed; {refused} broken manifests refused"
        return said, self.RANKS, collections.Counter(), set()

    def start(self, run, script, leave_out, finish):
        """Runs a start script with the stand-in for kubectl."""
        folder = self.runs.work / "kubectl"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        stand_in = folder / "kubectl"
        stand_in.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(__file__)} kubectl "$@"\n')
        stand_in.chmod(0o755)
        environment = {
            **os.environ,
            "PATH": f"{folder}:{os.environ['PATH']}",
            "TRIAL_HARDSET": self.runs.hardset,
            "TRIAL_PYTHON": str(self.python),
            "TRIAL_FOLDER": str(folder),
            "TRIAL_LEAVE_OUT": leave_out,
        }
        ended = subprocess.run(["bash", job_folder(run) / script], cwd="/", env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        codes = [json.loads(path.read_text())["code"] for path in folder.glob("*finish*.json")]
        if ended.returncode != 0 or len(codes) != 1 or (codes[0] == 4) != (finish == 4):
            raise TrialFailed(f"{script}: exit code {ended.returncode}, finish {codes}:\n{ended.stdout}")

    def broken_manifests(self, job, run):
        """Breaks the manifest in every way that matters, and counts; each must be refused, or the check checks nothing."""
        spec, pod, container = ("spec",), ("spec", "template", "spec"), ("spec", "template", "spec", "containers", 0)
        command = at(job, container)["command"]
        breaks = {
            "restartPolicy OnFailure": (pod, "restartPolicy", "OnFailure"),
            "not indexed": (spec, "completionMode", "NonIndexed"),
            "too few completions": (spec, "completions", self.RANKS - 1),
            "completions a text": (spec, "completions", str(self.RANKS)),
            "an unknown key": (spec, "backOffLimitPerIndex", 5),
            "no limit for each index": (spec, "backoffLimitPerIndex", None),
            "too few failed indexes": (spec, "maxFailedIndexes", 1),
            "the job fails on 75": (spec, "podFailurePolicy", {"rules": [fail_on([2, 75]), *at(job, spec)["podFailurePolicy"]["rules"][1:]]}),
            "75 is counted": (spec, "podFailurePolicy", {"rules": at(job, spec)["podFailurePolicy"]["rules"][:2]}),
            "evictions are counted": (spec, "podFailurePolicy", {"rules": [fail_on([2]), ignore_on([75])]}),
            "another container's codes": (container, "name", "main"),
            "one rank for all": (container, "command", ["0" if "INDEX" in word else word for word in command]),
            "the volume elsewhere": (container, "volumeMounts", [{"name": "run", "mountPath": "/run/elsewhere"}]),
            "no such volume": (container, "volumeMounts", [{"name": "data", "mountPath": str(run)}]),
        }
        for name, (where, key, value) in breaks.items():
            broken = json.loads(json.dumps(job))
            if value is None:
                del at(broken, where)[key]
            else:
                at(broken, where)[key] = value
            if not self.check(broken, run, self.RANKS):
                raise TrialFailed(f"a broken manifest passes the check: {name}")
        return len(breaks)


def at(manifest, path):
    for step in path:
        manifest = manifest[step]
    return manifest


def fail_on(codes):
    return {"action": "FailJob", "onExitCodes": {"containerName": "hardset", "operator": "In", "values": codes}}


def ignore_on(codes):
    return {**fail_on(codes), "action": "Ignore"}


def mounted_at(pod):
    """Where the volume of the claim is mounted; None if it is not."""
    claims = [volume["name"] for volume in pod.get("volumes", []) if volume.get("persistentVolumeClaim", {}).get("claimName")]
    mounts = [mount for mount in pod["containers"][0].get("volumeMounts", []) if [mount["name"]] == claims]
    return mounts[0]["mountPath"] if mounts else None


def broken_rules(manifest, run, ranks):
    """What a Job of ranks must be beyond its schema; the rules that it breaks."""
    spec = manifest["spec"]
    pod = spec["template"]["spec"]
    container = pod["containers"][0]
    rules = spec.get("podFailurePolicy", {}).get("rules", [])
    codes = collections.defaultdict(list)
    for rule in rules:
        about = rule.get("onExitCodes")
        if about and about["operator"] == "In" and about.get("containerName", container["name"]) == container["name"]:
            codes[rule["action"]] += about["values"]
    ignored = [condition["type"] for rule in rules if rule["action"] == "Ignore" for condition in rule.get("onPodConditions", [])]
    words = container["command"]
    after_rank = words[words.index("--rank") + 1] if "--rank" in words[:-1] else None
    holds = {
        "podFailurePolicy and backoffLimitPerIndex need restartPolicy Never": pod.get("restartPolicy") == "Never",
        "backoffLimitPerIndex needs completionMode Indexed": spec.get("completionMode") == "Indexed",
        "a limit for each index": spec.get("backoffLimitPerIndex", 0) >= 1,
        "no rank's failure ends the others": spec.get("maxFailedIndexes") == spec.get("completions"),
        f"completions is {ranks}": spec.get("completions") == ranks,
        "parallelism is at most completions": spec.get("parallelism", 1) <= ranks,
        "the job fails on exit code 2 alone": codes["FailJob"] == [2],
        "exit code 75 alone is not counted": codes["Ignore"] == [75],
        "an eviction is not counted": ignored == ["DisruptionTarget"],
        "the index is the rank": after_rank == "$(JOB_COMPLETION_INDEX)",
        "the volume is mounted at the run's own path": mounted_at(pod) == str(run),
        "the command names the run": expanded(words[2], {}) == str(run),
    }
    return [f"broken: {rule}" for rule, kept in holds.items() if not kept]


def finish_problems(manifest, run):
    pod = manifest["spec"]["template"]["spec"]
    words = [expanded(word, {}) for word in pod["containers"][0]["command"]]
    holds = {
        "finish.yaml finishes the run": words[1:3] == ["finish", str(run)],
        "the volume is mounted at the run's own path": mounted_at(pod) == str(run),
        "what lacks is not tried again": manifest["spec"].get("backoffLimit") == 0,
    }
    return [f"broken: {rule}" for rule, kept in holds.items() if not kept]


def expanded(word, variables):
    """A word of a command as Kubernetes starts it: $(NAME) is a variable, $$ a dollar, anything else is itself."""

    def value(found):
        return "$" if found[0] == "$$" else variables.get(found[1], found[0])

    return re.sub(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_]*)\)", value, word)


def kubectl(words):
    """The stand-in for kubectl: `create` makes all pods of a Job at once, one after the other; `get` and `logs` tell of it."""
    folder, hardset = pathlib.Path(os.environ["TRIAL_FOLDER"]), os.environ["TRIAL_HARDSET"]
    if words[0] == "create":
        program = "import sys, yaml, json; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)"
        manifest = json.loads(subprocess.run([os.environ["TRIAL_PYTHON"], "-c", program, words[2]], check=True, stdout=subprocess.PIPE).stdout)
        spec, name = manifest["spec"], manifest["metadata"]["generateName"] + "trial"
        command = spec["template"]["spec"]["containers"][0]["command"]
        indexed = spec.get("completionMode") == "Indexed"
        leave_out = os.environ["TRIAL_LEAVE_OUT"].split(",") if indexed else []
        log, code = "", 0
        for index in map(str, range(spec.get("completions", 1))):
            if index in leave_out:
                code = 1
                continue
            started = [hardset, *(expanded(word, {"JOB_COMPLETION_INDEX": index}) for word in command[1:])]
            if indexed:
                # The first pod of each index dies; a second one takes its place.
                try:
                    subprocess.run(started, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=0.2)
                except subprocess.TimeoutExpired:
                    pass
            pod = subprocess.run(started, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            log, code = log + pod.stdout, max(code, pod.returncode)
        (folder / f"{name}.json").write_text(json.dumps({"log": log, "code": code}))
        print(f"job.batch/{name}")
    else:
        named = [word for word in words if word.startswith("job.batch/")][0]
        job = json.loads((folder / f"{named.removeprefix('job.batch/')}.json").read_text())
        if words[0] == "get":
            print("SuccessCriteriaMet Complete" if job["code"] == 0 else "FailureTarget Failed", end="")
        else:
            print(job["log"], end="")
    return 0


def kubernetes(args, runs):
    cluster = Kubernetes(runs)
    return [trial(runs, "kubernetes", USUAL, cluster.made)]


def main():
    if sys.argv[1:2] == ["kubectl"]:
        return kubectl(sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, names in {"slurm": SLURM_FAULTS, "ray": RAY_FAULTS, "kubernetes": {}}.items():
        one = verbs.add_parser(verb)
        one.add_argument("--hardset", required=True, help="the program")
        one.add_argument("--work", required=True, help="a folder for runs and daemons, on a local disk")
        if names:
            one.add_argument("--only", help=f"some of: {', '.join(names)}")
    args = parser.parse_args()
    # So that daemons are ended when the trial is.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    outcomes = {"slurm": slurm, "ray": ray, "kubernetes": kubernetes}[args.verb](args, Runs(args.hardset, args.work))
    print(f"{sum(outcomes)} of {len(outcomes)} trials ended in the bytes of an undisturbed run")
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
