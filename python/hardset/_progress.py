"""Shows the program's lines while it works: one line in a notebook, all lines on a terminal, else nothing.

Does not read their meaning. Where nothing is shown, the lines go to the logger `hardset`.
"""

from __future__ import annotations

import html
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ._optional import need

LOG = logging.getLogger("hardset")
#: A notebook draws its line at most this often.
EVERY_SECS = 0.1


class Progress:
    """Sends lines to the log. Other classes show them."""

    def line(self, text: str) -> None:
        """A line of the program."""
        LOG.info("%s", text)

    def end(self, exit_code: int | None) -> None:
        """The program has ended; `None`: it was interrupted."""


class OnTerminal(Progress):
    """Writes each line to stderr."""

    def line(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class InNotebook(Progress):
    """Keeps one line of the notebook up to date."""

    def __init__(self, command: str) -> None:
        self._html: Any = need("IPython.display").HTML
        self._command = command
        self._begun = time.monotonic()
        self._drawn = 0.0
        self._last = ""
        self._handle: Any = need("IPython.display").display(self._page("begins"), display_id=True)

    def line(self, text: str) -> None:
        self._last = text
        now = time.monotonic()
        if now - self._drawn >= EVERY_SECS:
            self._drawn = now
            self._update(text)

    def end(self, exit_code: int | None) -> None:
        words = {0: "done", 3: "done; some items were lost", None: "interrupted"}.get(exit_code)
        self._update(words or f"ended with exit code {exit_code}: {self._last}")

    def _update(self, text: str) -> None:
        if self._handle is not None:
            self._handle.update(self._page(text))

    def _page(self, text: str) -> Any:
        secs = time.monotonic() - self._begun
        words = html.escape(f"{self._command} · {secs:.0f} s · {text}")
        return self._html(f'<code style="white-space:pre-wrap">{words}</code>')


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this."""
    # A kernel has imported IPython long before.
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    return shell is not None and getattr(shell, "kernel", None) is not None


def progress_for(command: Sequence[str], *, wanted: bool) -> Progress:
    """What shows the lines of `command` here."""
    if not wanted:
        return Progress()
    if in_notebook():
        return InNotebook(" ".join([Path(command[0]).name, *command[1:2]]))
    return OnTerminal() if sys.stderr is not None and sys.stderr.isatty() else Progress()
