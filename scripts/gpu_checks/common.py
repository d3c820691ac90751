"""What every step of gpu_check uses: its setting, commands with a time limit, and rows of the table."""
import dataclasses
import importlib.util
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEER = pathlib.Path(__file__).resolve().with_name("peer.py")
SECOND = ROOT / "tests/golden/sd-second"
QUICK = ROOT / "models/quickstart"


class Skip(Exception):
    """What is needed is not here."""


class Fail(Exception):
    """What was found is not what it should be."""


@dataclasses.dataclass
class Setting:
    """Where and with what the steps work."""

    hardset: str
    work: pathlib.Path
    device: str
    """`cpu` for small sizes, or a GPU."""
    model: pathlib.Path | None = None
    mining: pathlib.Path | None = None
    deadline: float = 0.0
    """Of the step that is running, in seconds of the monotonic clock."""

    @property
    def small(self):
        return self.device == "cpu"


@dataclasses.dataclass
class Row:
    """A line of the table."""

    step: str
    what: str
    verdict: str
    secs: float
    detail: str
    facts: dict


@dataclasses.dataclass
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str
    secs: float

    def json(self):
        """The object that it printed on its last line."""
        lines = self.out.strip().splitlines()
        try:
            return json.loads(lines[-1])
        except (IndexError, ValueError):
            raise Fail(f"no JSON, exit code {self.code}: {tail(self.err or self.out)}") from None


def tail(text):
    """The last line that says something, for a table."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "nothing was said"


def cuda_folders():
    """Folders of NVIDIA's wheels beside torch."""
    folders = []
    for path in map(pathlib.Path, sys.path):
        folders += [str(lib) for lib in sorted((path / "nvidia").glob("*/lib"))]
    return folders


def environment():
    """This process's, with the folders of CUDA's libraries, and no network for diffusers."""
    known = [folder for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":") if folder]
    folders = ":".join(known + cuda_folders())
    return os.environ | {"LD_LIBRARY_PATH": folders, "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}


def start(command, **options):
    """A process in a group of its own, so that it can be ended with its children."""
    command = [str(part) for part in command]
    return subprocess.Popen(command, text=True, start_new_session=True, env=environment(), cwd=ROOT, **options)


def end(process):
    """Kills a process that is still there, and its children."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run(setting, command):
    """Runs a command; past the step's time it is killed, and that is a failure."""
    begun = time.monotonic()
    process = start(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, err = process.communicate(timeout=max(1.0, setting.deadline - begun))
    except subprocess.TimeoutExpired:
        end(process)
        process.communicate()
        raise Fail(f"not done in the step's time: {' '.join(map(str, command))[:200]}") from None
    finally:
        end(process)
    return Done(process.returncode, out, err, time.monotonic() - begun)


def hardset(setting, *args):
    return run(setting, [setting.hardset, *args])


def succeed(setting, *args):
    """The same, of what has to end well."""
    done = hardset(setting, *args)
    if done.code != 0:
        raise Fail(f"exit code {done.code} of `hardset {' '.join(map(str, args))[:120]}`: {tail(done.err or done.out)}")
    return done


def peer(setting, *args):
    """A part of peer.py, in a process of its own; its JSON."""
    done = run(setting, [sys.executable, PEER, *args])
    if done.code != 0:
        raise Fail(f"the peer failed: {tail(done.err or done.out)}")
    return done.json()


def need_diffusers(setting):
    """Skips what cannot be compared with diffusers here."""
    missing = [name for name in ("torch", "diffusers", "transformers") if importlib.util.find_spec(name) is None]
    if missing:
        raise Skip(f"python3 has no {', '.join(missing)}")
    if not setting.small:
        need_torch_gpu(setting)


def need_torch_gpu(setting):
    if importlib.util.find_spec("torch") is None:
        raise Skip("python3 has no torch")
    if run(setting, [sys.executable, "-c", "import torch; raise SystemExit(not torch.cuda.is_available())"]).code != 0:
        raise Skip("torch sees no GPU")


@dataclasses.dataclass
class Engine:
    """What runs a diffusion model, and the options that ask for it."""

    name: str
    options: list


def engines(setting):
    """The diffusion engines that can be asked for."""
    if "--engine" not in hardset(setting, "--help").out:
        return [Engine("candle", [])]
    return [Engine(name, ["--engine", name]) for name in ("ort", "candle")]


def need_engine(setting, engine):
    """Skips an engine that this program does not have on this device, and says why."""
    about = hardset(setting, "doctor", "--device", setting.device, "--format", "json").json()
    if engine.name == "candle" and not setting.small and "cuda" not in about["features"]:
        raise Skip("the program was built without the feature cuda")
    if engine.name == "ort" and not about["usable"]:
        raise Skip(f"ONNX Runtime: {about['runtime']}"[:200])


def attempt(setting, step, what, check, *args):
    """A row of what `check(setting, *args)` finds: it gives a detail and facts, or raises."""
    begun = time.monotonic()
    try:
        verdict, (detail, facts) = "PASS", check(setting, *args)
    except Skip as reason:
        verdict, detail, facts = "SKIPPED", str(reason), {}
    except Fail as problem:
        verdict, detail, facts = "FAIL", str(problem), {}
    except Exception as bug:  # one step's bug must not take the others along
        verdict, detail, facts = "FAIL", f"gpu_check itself: {type(bug).__name__}: {bug}", {}
    return Row(step, what, verdict, time.monotonic() - begun, detail, facts)
