"""The program: where it is found, what its exit codes become, and that nothing is left when a call is interrupted."""

from __future__ import annotations

import inspect
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import hardset
import pytest
from conftest import need_package
from hardset import _commands, _progress

#: A program that says what it is asked to say.
STAND_IN = """#!{python}
import sys, time
print("generate   1/2", file=sys.stderr)
{body}
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes a program of Python lines the one that is found."""

    def make(body: str) -> Path:
        file = tmp_path / "hardset"
        file.write_text(STAND_IN.format(python=sys.executable, body=body))
        file.chmod(0o755)
        monkeypatch.setenv("HARDSET_PROGRAM", str(file))
        return file

    return make


def test_the_variable_comes_first_then_the_scripts_then_the_path(
    stand_in, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    named = stand_in("")
    assert hardset.program() == named
    monkeypatch.delenv("HARDSET_PROGRAM")
    monkeypatch.setattr(hardset._program, "_script_folders", lambda: [str(tmp_path)])
    assert hardset.program() == named
    monkeypatch.setattr(hardset._program, "_script_folders", lambda: [])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert hardset.program() == named
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(hardset.Missing, match="install the wheel"):
        hardset.program()
    monkeypatch.setenv("HARDSET_PROGRAM", "/nowhere/hardset")
    with pytest.raises(hardset.Missing, match="HARDSET_PROGRAM is /nowhere/hardset, which is not a program"):
        hardset.program()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1, hardset.HardsetBug),
        (2, hardset.BadInput),
        (4, hardset.Missing),
        (75, hardset.Stopped),
        (101, hardset.HardsetBug),
    ],
)
def test_exit_codes_are_exceptions_with_the_programs_words(stand_in, code: int, kind: type) -> None:
    program = stand_in(f'print("error: mine.rule is odd\\n  write all", file=sys.stderr); sys.exit({code})')
    with pytest.raises(kind) as caught:
        hardset.status("run")
    error = caught.value
    assert type(error) is kind
    assert (error.message, error.exit_code) == ("mine.rule is odd\n  write all", code)
    assert error.command == (str(program), "status", "run", "--format", "json")
    again = pickle.loads(pickle.dumps(error))
    assert (again.message, again.exit_code, again.command) == (error.message, code, error.command)


def test_lost_items_are_a_warning_and_the_result_is_there(stand_in) -> None:
    stand_in('print("2 items were lost", file=sys.stderr); print(\'{"files": 3}\'); sys.exit(3)')
    with pytest.warns(hardset.ItemsLost, match="2 items were lost") as caught:
        assert hardset.verify("run") == {"files": 3}
    assert Path(caught[0].filename).name == "test_program.py"
    with warnings.catch_warnings():
        warnings.simplefilter("error", hardset.ItemsLost)
        with pytest.raises(hardset.HardsetError) as error:
            hardset.verify("run")
        assert error.value.exit_code == 3


@pytest.mark.parametrize(("name", "kind"), [("SIGKILL", hardset.Stopped), ("SIGSEGV", hardset.HardsetBug)])
def test_a_signal_that_ends_the_program_is_named(stand_in, name: str, kind: type) -> None:
    stand_in(f"import os, signal; print('half way', file=sys.stderr, flush=True); os.kill(os.getpid(), signal.{name})")
    with pytest.raises(kind, match=f"the program was ended by {name}") as caught:
        hardset.status("run")
    assert "half way" not in caught.value.message
    assert ("finished work is kept" in caught.value.message) == (kind is hardset.Stopped)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: hardset.evaluate("r", ["a,b/c.toml"]), "a,b/c.toml: has a comma"),
        (lambda: hardset.mine("r", surrogates=[]), "a list of names is empty"),
        (lambda: hardset.evaluate("r", predictions={"a=b": "f.csv"}), "a=b: has `=`"),
        (lambda: hardset.build("p", set=["mine.rule=all"]), "set is not a mapping"),
        (lambda: hardset.status("a\0b"), "an argument cannot be given to a program: embedded null byte"),
    ],
)
def test_arguments_that_the_program_would_take_for_others_are_refused(stand_in, ask, words: str) -> None:
    stand_in("print('{}')")
    with pytest.raises(hardset.BadInput, match=words):
        ask()


def test_a_path_that_begins_with_a_hyphen_is_no_option(stand_in) -> None:
    stand_in("import json; print(json.dumps({'got': sys.argv[1:3]}))")
    assert hardset.status("--help")["got"] == ["status", "./--help"]
    assert hardset.status(Path("-d"))["got"] == ["status", "./-d"]


def test_an_answer_that_is_not_json_is_a_bug(stand_in) -> None:
    stand_in('print("hello")')
    with pytest.raises(hardset.HardsetBug, match="is not JSON: 'hello"):
        hardset.status("run")


def test_much_on_both_streams_does_not_block(stand_in) -> None:
    stand_in('print("x" * 10**6, file=sys.stderr); print(\'{"a": "\' + "y" * 10**6 + \'"}\')')
    assert len(hardset.status("run")["a"]) == 10**6


def test_options_are_given_as_they_are() -> None:
    options = _commands._options(max_margin=-0.5, rule="all", keep_logits=True, seed=None, dry_run=False)
    assert options == ["--max-margin=-0.5", "--rule=all", "--keep-logits"]
    changes = {
        "a": "1.0",
        "b": True,
        "c": ["x", 2],
        "d": Path("p q"),
        "e": {"k": 0.5},
        "f": 'say "no"\\',
        "g": "Straße 😀",
    }
    assert _commands._set(changes) == [
        '--set=a="1.0"',
        "--set=b=true",
        '--set=c=["x", 2]',
        '--set=d="p q"',
        '--set=e={ "k" = 0.5 }',
        '--set=f="say \\"no\\"\\\\"',
        '--set=g="Straße 😀"',
    ]
    with pytest.raises(hardset.BadInput, match="a is None"):
        _commands._set({"a": None})


def test_every_option_of_a_command_is_one_of_its_function(program: Path) -> None:
    """But for those that the package gives itself, and those that a command has and does not use."""
    ours = {"format", "quiet", "verbose", "help", "scratch"}
    unused = {"device", "engine", "batch", "threads", "data-dir"}
    for command in ("build", "plan", "mine", "report", "release", "evaluate", "compare", "verify", "status"):
        said = subprocess.run([program, command, "--help"], capture_output=True, text=True, check=True).stdout
        options = set(re.findall(r"^ +(?:-., )?--([a-z-]+)", said, re.MULTILINE)) - ours
        parameters = {name.replace("_", "-") for name in inspect.signature(getattr(hardset, command)).parameters}
        assert options - parameters <= unused, command
        assert "scratch" not in parameters
    assert {"device", "engine", "batch", "threads"} <= set(inspect.signature(hardset.build).parameters)


def test_a_build_that_the_program_refuses_says_its_words(program: Path, tmp_path: Path) -> None:
    with pytest.raises(hardset.BadInput, match=r"mine\.rule"):
        hardset.build("fake", tmp_path / "run", set={"mine.rule": "most"}, progress=False)
    with pytest.raises(hardset.BadInput, match=r"nothing\.toml"):
        hardset.plan(tmp_path / "nothing.toml", progress=False)


def test_the_fake_run_from_plan_to_comparison(program: Path, tmp_path: Path) -> None:
    cost = hardset.plan("fake", dry_run=True, progress=False)
    assert not (tmp_path / "run").exists()
    run = hardset.build("fake", tmp_path / "run", progress=False, threads=1, seed=3)
    assert run.result is not None and run.result["mining"]
    assert run.lost is None
    assert run.plan().height == cost["items"] if "items" in cost else run.plan().height > 0
    hard = run.hard().height
    mined = hardset.mine(run, rule="at-least=1", max_margin=-0.01, progress=False)
    assert mined.hard().height > hard
    assert hardset.report(run, progress=False).is_file()
    release = hardset.release(run, tmp_path / "release", set={"release.license": "mit"}, progress=False)
    assert release.record["version"] == "1.0.0"
    pushed = hardset.release(
        run, tmp_path / "pushed", set={"release.license": "mit"}, push="lab/name", dry_run=True, progress=False
    )
    assert pushed.result is not None and pushed.result["push"]["commit"] is None
    scored = tmp_path / "mine.toml"
    scored.write_text("fake = { seed = 9, accuracy = 0.7 }\n")
    other = tmp_path / "other.toml"
    other.write_text("fake = { seed = 8, accuracy = 0.2 }\n")
    evaluation = hardset.evaluate(release, [scored, other], out=tmp_path / "evaluation", progress=False)
    assert evaluation.targets == ["mine", "other"]
    compared = hardset.compare(evaluation, "mine", "other", progress=False)
    assert compared["n"] == len(release)
    assert hardset.verify(evaluation, progress=False)["problems"] == []
    assert hardset.status(run)["planned"] == run.plan().height


def test_damage_is_a_warning_with_the_problems(program: Path, tmp_path: Path) -> None:
    run = hardset.build("fake", tmp_path / "run", progress=False)
    run.places()[0].file.write_bytes(b"damaged")
    with pytest.warns(hardset.ItemsLost, match="problem"):
        assert hardset.verify(run, progress=False)["problems"]


def test_an_interrupt_stops_the_program_and_waits_for_it(stand_in, tmp_path: Path) -> None:
    mark = tmp_path / "stopped"
    stand_in(
        f"""
import signal
def stop(number, frame):
    time.sleep(0.3)
    open({str(mark)!r}, "w").close()
    sys.exit(75)
signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, lambda *_: sys.exit(1))
time.sleep(60)
"""
    )
    threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt, match="finished work is kept: run the same command again to continue"):
        hardset.status("run")
    assert mark.exists(), "the program was not waited for"
    assert time.monotonic() - begun < 20


def test_a_real_build_that_is_interrupted_goes_on(program: Path, tmp_path: Path) -> None:
    changes = {"generate.images_per_category": 100}
    body = f"""
import hardset, logging
logging.basicConfig(level="INFO")
hardset.build("fake", {str(tmp_path / "run")!r}, set={changes})
"""
    # In a session of its own, as in a terminal: an interrupt is for this process and for the program.
    child = subprocess.Popen([sys.executable, "-c", body], stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert child.stderr is not None
    assert "generate" in child.stderr.readline()
    os.killpg(child.pid, signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert child.returncode == -signal.SIGINT
    assert "KeyboardInterrupt: finished work is kept: run the same command again to continue" in said
    assert not (tmp_path / "run" / "manifest.parquet").exists(), "the build was not interrupted"
    again = hardset.build("fake", tmp_path / "run", set=changes, progress=False)
    assert hardset.verify(again, progress=False)["problems"] == []


class Handle:
    def __init__(self) -> None:
        self.pages: list[str] = []

    def update(self, page: object) -> None:
        self.pages.append(page.data)  # type: ignore[attr-defined]


def test_a_notebook_has_one_line_that_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    need_package("IPython")
    handle = Handle()
    monkeypatch.setattr("IPython.display.display", lambda page, display_id: handle)
    shown = _progress.InNotebook("hardset build")
    shown.line("mine <5/10>")
    shown.line("mine 6/10")
    shown.end(0)
    assert "mine &lt;5/10&gt;" in handle.pages[0]
    assert handle.pages[-1].endswith("done</code>")
    assert len(handle.pages) == 2, "two lines within a tenth of a second are one"


def test_without_a_terminal_lines_go_to_the_log(stand_in, caplog: pytest.LogCaptureFixture) -> None:
    stand_in("print('{}')")
    with caplog.at_level("INFO", logger="hardset"):
        hardset.status("run")
    assert "generate   1/2" in caplog.text
