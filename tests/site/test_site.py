"""Holds the documentation to the program: options exist, pages are in the nav, recipes are TOML, the tutorial is run.

What the program accepts is read from docs/cli.md, which `scripts/cli_page --check` holds against the program itself.
Needs PyYAML (docs/requirements.txt brings it); run with `python -m unittest discover -s tests/site`.
"""

import importlib.machinery
import importlib.util
import re
import shlex
import sys
import tempfile
import tomllib
import unittest
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
DOCS = CHECKOUT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
# A figure of the past may name options that are gone.
HISTORY = DOCS / "decisions"


def load(name, path):
    loader = importlib.machinery.SourceFileLoader(name, str(path))
    spec = importlib.util.spec_from_loader(name, loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)
    return module


def blocks(page):
    """(first line, language, text) of every fenced block, and of every block that is indented by four."""
    found, kind, lines = [], None, []
    for number, line in enumerate([*page.read_text().splitlines(), "<end>"], 1):
        fence = re.match(r"\s*```(\S*)", line)
        if kind == "indented" and line.strip() and not line.startswith("    "):
            found.append((start, "", "\n".join(lines)))
            kind = None
        if kind is None and fence:
            kind, lines, start = fence[1] or "plain", [], number + 1
        elif kind is None and line.startswith("    "):
            kind, lines, start = "indented", [line.strip()], number
        elif kind is not None and fence and kind != "indented":
            found.append((start, kind, "\n".join(lines)))
            kind = None
        elif kind is not None:
            lines.append(line.strip() if kind == "indented" else line)
    return found


def commands(page):
    """(line, words) of every call of hardset in the blocks and in the code of a page's sentences."""
    calls = []
    for start, kind, text in blocks(page):
        if kind in ("sh", "bash", "console", "") and not text.startswith("Usage"):
            whole = re.sub(r"\\\n\s*", " ", text)
            calls += [(start, line) for line in re.findall(r"^(?:\$ )?(hardset [a-z].*)$", whole, re.MULTILINE)]
    plain = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    calls += [(0, " ".join(code.split())) for code in re.findall(r"`(hardset [a-z][^`]*)`", plain)]
    return [(line, words(call)) for line, call in calls]


def words(call):
    call = re.split(r"\s(?:#|&&|\|\||[|;])\s?|;|\s>|\s+<<", call)[0]
    try:
        return shlex.split(call)
    except ValueError:
        return call.split()


def accepted():
    """Options and their short forms by command, as docs/cli.md lists them; and the options of every command."""
    options = {}
    for section in re.split(r"^##+ ", (DOCS / "cli.md").read_text(), flags=re.MULTILINE)[1:]:
        name = section.splitlines()[0]
        found = re.findall(r"^ {2,6}(?:(-\w), )?(--[a-z-]+)", section, re.MULTILINE)
        options[name] = {option for pair in found for option in pair if option}
    shared = options.pop("Options of every command")
    return {name: own | shared for name, own in options.items()}


def options_of_module(module):
    """The options of `python -m hardset.MODULE`, from its source."""
    package = CHECKOUT / "python" / "hardset" / module
    source = package / "__main__.py" if package.is_dir() else package.with_suffix(".py")
    return set(re.findall(r'add_argument\(\s*"(--[a-z-]+)"', source.read_text()))


class Site(unittest.TestCase):
    def test_every_command_line_names_a_command_and_options_that_exist(self):
        known = accepted()
        wrong = []
        for page in [*PAGES, CHECKOUT / "README.md"]:
            if HISTORY in page.parents:
                continue
            for line, call in commands(page):
                wrong += [f"{page.relative_to(CHECKOUT)}:{line}: {text}" for text in problems(call, known)]
        self.assertEqual(wrong, [], "see docs/cli.md")

    def test_every_call_of_a_python_module_has_options_that_exist(self):
        wrong, seen = [], set()
        for page in [*PAGES, CHECKOUT / "README.md"]:
            if HISTORY in page.parents:
                continue
            for module, rest in re.findall(r"python -m hardset\.(\w+)([^`\n#]*)", page.read_text()):
                seen.add(module)
                own = options_of_module(module)
                found = re.findall(r"(?<!\S)--[a-z-]+", rest)
                wrong += [f"{page.relative_to(CHECKOUT)}: {module} {option}" for option in found if option not in own]
        self.assertEqual(seen, {"export", "predict", "push"})
        self.assertEqual(wrong, [])

    def test_pip_installs_the_wheel_because_no_registry_has_it(self):
        bare = re.compile(r"pip install \"?hardset(?:\[|\s).*")
        found = {page.name: bare.findall(page.read_text()) for page in [*PAGES, CHECKOUT / "README.md"]}
        self.assertEqual({name: lines for name, lines in found.items() if lines}, {})

    def test_the_check_of_command_lines_finds_what_is_wrong(self):
        known = {"hardset": {"--help"}, "hardset mine": {"--rule"}, "hardset annotate export": {"--to"}}
        cases = {
            "hardset mine RUN --rule all": [],
            "hardset mine RUN --rule=all": [],
            "hardset mine RUN --rules all": ["--rules is no option of hardset mine"],
            "hardset annotate export RUN --to csv": [],
            "hardset anotate RUN": ["hardset anotate is no command"],
            "hardset mine RUN -- --anything": [],
        }
        for call, expected in cases.items():
            self.assertEqual(problems(call.split(), known), expected, call)

    def test_every_page_is_in_the_nav_once(self):
        nav = list(pages_of(yaml.safe_load((CHECKOUT / "mkdocs.yml").read_text())["nav"]))
        self.assertEqual(len(nav), len(set(nav)), "a page is in the nav twice")
        here = {page.relative_to(DOCS).as_posix() for page in PAGES}
        listed = {name for entry in nav for name in ([entry] if "*" not in entry else globbed(entry))}
        self.assertEqual(here - listed, set(), "pages that are not in the nav of mkdocs.yml")
        self.assertEqual(listed - here, set(), "entries of the nav that are not pages")

    def test_every_toml_block_is_toml(self):
        wrong = []
        for page in PAGES:
            for line, kind, text in blocks(page):
                if kind == "toml":
                    try:
                        tomllib.loads(text)
                    except tomllib.TOMLDecodeError as error:
                        wrong.append(f"{page.relative_to(CHECKOUT)}:{line}: {error}")
        self.assertEqual(wrong, [])

    def test_every_block_of_the_tutorial_is_run_or_says_why_not(self):
        checker = load("check_tutorial", CHECKOUT / "scripts" / "check_tutorial")
        page = (DOCS / "tutorial.md").read_text()
        found = checker.blocks_of(page)
        self.assertEqual(len(found), page.count("```sh\n"))
        self.assertEqual(set(re.findall(r"^```(\w+)$", page, re.MULTILINE)), {"sh", "text"})
        self.assertLessEqual(sum(block.skip is not None for block in found), 1)
        self.assertGreater(sum(bool(block.shown) for block in found), 8)

    def test_a_shown_line_must_be_printed_and_in_order(self):
        checker = load("check_tutorial", CHECKOUT / "scripts" / "check_tutorial")
        output = ["a: 177 of 744 (23.8 %)", "b   done"]
        cases = {
            "a: … of 744": None,
            "b done": None,
            "a: 178 of 744": "this line is not in the output, or not in this order: a: 178 of 744",
        }
        for shown, expected in cases.items():
            self.assertEqual(checker.missing_line([shown], output), expected)
        self.assertIsNotNone(checker.missing_line(["b done", "a: …"], output))

    def test_a_block_that_fails_is_named_with_its_command_and_the_session_goes_from_block_to_block(self):
        checker = load("check_tutorial", CHECKOUT / "scripts" / "check_tutorial")
        page = "```sh\ncd .. && A=1\n```\n\n```sh\necho $A\nls nowhere\necho c\n```\n"
        with tempfile.TemporaryDirectory() as work:
            Path(work, "lab").mkdir()
            (first, no_problem), (output, problem), _ = checker.session(checker.blocks_of(page), Path(work))
        self.assertEqual((first, no_problem), ([], None))
        self.assertEqual((output[0], problem), ("1", "this command failed: ls nowhere"))

    def test_links_that_leave_docs_become_text_or_links_to_the_repository(self):
        inside = load("site_hooks", CHECKOUT / "scripts" / "site_hooks.py").inside
        self.assertEqual(inside("see [a](../README.md).", "words.md", None), "see a.")
        linked = inside("[a](../README.md)", "words.md", "https://x/y/")
        self.assertEqual(linked, "[a](https://x/y/blob/main/README.md)")
        for kept in ("[a](people.md#x)", "[a](../words.md)", "[a](https://x.y)", "![a](../../x.png)"):
            self.assertEqual(inside(kept, "how-to/slurm.md", None), kept)

    def test_pictures_of_the_tutorial_are_small(self):
        for picture in (DOCS / "images").glob("tutorial-*"):
            self.assertLess(picture.stat().st_size, 150_000, picture.name)


def problems(call, known):
    """What is wrong with the words of a command line."""
    name = " ".join(call[:3]) if " ".join(call[:3]) in known else " ".join(call[:2])
    if call[1].startswith("-"):
        name = "hardset"
    if name not in known:
        return [f"{name} is no command"]
    # What follows `--` is for another program.
    own = call[: call.index("--")] if "--" in call else call
    names = [word.split("=")[0] for word in own if re.match(r"--?[a-z]", word)]
    return [f"{option} is no option of {name}" for option in names if option not in known[name]]


def pages_of(nav):
    for entry in nav:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            yield from pages_of(value) if isinstance(value, list) else [value]


def globbed(entry):
    return [path.relative_to(DOCS).as_posix() for path in (DOCS / entry[:-2]).glob("*.md")]


if __name__ == "__main__":
    unittest.main()
