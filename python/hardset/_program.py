"""Finds the program `hardset` and runs it.

Does not know the commands. Holds always: the program is run with `--format json`, its exit code becomes an exception
or, if only items were lost, a warning, and an interrupted call leaves no program behind.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import sysconfig
import threading
import warnings
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ._errors import BY_CODE, BadInput, HardsetBug, HardsetError, ItemsLost, Missing, Stopped
from ._progress import Progress, progress_for

#: Names the program, before every other place.
VARIABLE = "HARDSET_PROGRAM"
#: Lines of stderr that are kept for the words of an error.
KEPT_LINES = 200
#: A terminal and a notebook send an interrupt to the program too; after this time it is asked to stop.
GRACE_SECS = 2.0
#: What an interrupt says where the program came to a safe place, in the program's words.
KEPT = "finished work is kept: run the same command again to continue"


@dataclass(frozen=True)
class Outcome:
    """What a call of the program gave."""

    #: The object that the program printed.
    answer: dict[str, Any]
    #: The warning about lost items; `None` if none was lost.
    lost: ItemsLost | None


def program() -> Path:
    """The program: `HARDSET_PROGRAM`, else the one installed with this Python, else the one on the PATH."""
    named = os.environ.get(VARIABLE)
    if named:
        found = shutil.which(named)
        if found is None:
            raise Missing(f"{VARIABLE} is {named}, which is not a program; correct it, or unset it")
        return Path(found)
    for folder in _script_folders():
        found = shutil.which("hardset", path=folder)
        if found is not None:
            return Path(found)
    found = shutil.which("hardset")
    if found is None:
        raise Missing(
            f"the program hardset was not found: install the wheel of this project with pip, or set {VARIABLE} to a "
            "program that cargo has built"
        )
    return Path(found)


def _script_folders() -> list[str]:
    folders = [sysconfig.get_path("scripts")]
    user = f"{os.name}_user"
    if user in sysconfig.get_scheme_names():
        folders.append(sysconfig.get_path("scripts", user))
    return folders


def run(arguments: Sequence[str], *, progress: bool = True) -> Outcome:
    """Runs the program with `arguments` to its end. `progress`: whether its lines are shown while it works."""
    command = [str(program()), *arguments, "--format", "json"]
    shown = progress_for(command, wanted=progress)
    code, stdout, tail = _run(command, shown)
    if code < 0:
        raise _ended_by(-code, command)
    if code not in (0, ItemsLost.code):
        kind = BY_CODE.get(code, HardsetBug)
        words = _error_words(tail) or f"the program ended with exit code {code} and said nothing"
        raise kind(words, exit_code=code, command=command)
    answer = _parse(stdout, command)
    if code == 0:
        return Outcome(answer, None)
    lost = ItemsLost(_lost_words(tail, answer), command=command)
    # The caller of the package's function is the one who should see it.
    warnings.warn(lost, stacklevel=3)
    return Outcome(answer, lost)


def _ended_by(number: int, command: Sequence[str]) -> HardsetError:
    """The error for a program that a signal has ended: a bug only if it is one that programs give themselves."""
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    if name in ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE"):
        return HardsetBug(f"the program was ended by {name}; please report it", exit_code=-number, command=command)
    often = "; often the machine had no memory left" if name == "SIGKILL" else ""
    return Stopped(f"the program was ended by {name}{often}; {KEPT}", exit_code=-number, command=command)


def _run(command: Sequence[str], shown: Progress) -> tuple[int, str, list[str]]:
    pipe = subprocess.PIPE
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe)
    except OSError as error:
        raise Missing(f"{command[0]} cannot be started: {error.strerror}", command=command) from error
    except ValueError as error:
        raise BadInput(f"an argument cannot be given to a program: {error}", command=command) from error
    assert child.stdout is not None and child.stderr is not None
    out, err = child.stdout, child.stderr
    stdout: list[bytes] = []
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    readers = [
        threading.Thread(target=lambda: stdout.append(_all(out)), daemon=True),
        threading.Thread(target=_lines, args=(err, lines), daemon=True),
    ]
    for reader in readers:
        reader.start()
    tail: deque[str] = deque(maxlen=KEPT_LINES)
    try:
        while (line := _next(lines)) is not None:
            tail.append(line)
            shown.line(line)
        code = child.wait()
    except BaseException as error:
        code = _stop(child)
        shown.end(None)
        if isinstance(error, KeyboardInterrupt) and code == Stopped.code:
            raise KeyboardInterrupt(KEPT) from None
        raise
    for reader in readers:
        reader.join()
    shown.end(code)
    return code, b"".join(stdout).decode("utf-8", errors="replace"), list(tail)


def _all(stream: IO[bytes]) -> bytes:
    with stream:
        return stream.read()


def _lines(stream: IO[bytes], lines: queue.SimpleQueue[str | None]) -> None:
    with stream:
        for raw in stream:
            lines.put(raw.decode("utf-8", errors="replace").rstrip("\r\n"))
    lines.put(None)


def _next(lines: queue.SimpleQueue[str | None]) -> str | None:
    """The next line; `None` after the last one."""
    while True:
        try:
            # A wait without an end cannot be interrupted if another thread gets the signal.
            return lines.get(timeout=0.2)
        except queue.Empty:
            continue


def _stop(child: subprocess.Popen[bytes]) -> int:
    """Lets the program come to a safe place, and waits for it. Returns its exit code."""
    try:
        return child.wait(timeout=GRACE_SECS)
    except subprocess.TimeoutExpired:
        # Not SIGINT: a second one ends the program at once.
        child.terminate()
        return child.wait()


def _parse(stdout: str, command: Sequence[str]) -> dict[str, Any]:
    try:
        answer = json.loads(stdout)
    except ValueError as error:
        raise HardsetBug(f"the program's answer is not JSON: {stdout[:200]!r}", command=command) from error
    if not isinstance(answer, dict):
        raise HardsetBug(f"the program's answer is not an object: {stdout[:200]!r}", command=command)
    return answer


def _error_words(tail: list[str]) -> str:
    """The program's error: from the last line that begins with `error: ` on; else the end of what it said."""
    starts = [at for at, line in enumerate(tail) if line.startswith("error: ")]
    lines = tail[starts[-1] :] if starts else tail[-5:]
    return "\n".join(lines).removeprefix("error: ").strip()


def _lost_words(tail: list[str], answer: dict[str, Any]) -> str:
    problems = answer.get("problems")
    if isinstance(problems, list) and problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        return f"{len(problems)} problem(s): " + "; ".join(str(problem) for problem in problems[:3]) + more
    said = [line for line in tail if "lost" in line or "dropped" in line or "left out" in line]
    return said[-1].strip() if said else "some items were lost; the rest is done, and each has a row with its reason"
