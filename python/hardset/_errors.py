"""What goes wrong, as exceptions with the program's own words.

One class for each exit code of the program, named as what happened. `.message` is the program's text without
`error: `, `.exit_code` its number, `.command` the command line (empty where no program ran). The package raises the
same classes for what it finds itself, with the code that the program would give.
"""

from __future__ import annotations

from collections.abc import Sequence


def first_line(error: BaseException) -> str:
    """The first line of what an error of a library says, or its kind where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


class HardsetError(Exception):
    """Any failure of the program or of this package."""

    #: The program's exit code for this kind of failure.
    code = 1

    def __init__(self, message: str, *, exit_code: int | None = None, command: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = self.code if exit_code is None else exit_code
        self.command = tuple(command)

    def __reduce__(self) -> tuple[object, ...]:
        # The arguments are keyword-only, so that the default way of pickling would lose them.
        return _rebuild, (type(self), self.message, self.exit_code, self.command)


def _rebuild(kind: type[HardsetError], message: str, exit_code: int, command: tuple[str, ...]) -> HardsetError:
    return kind(message, exit_code=exit_code, command=command)


class HardsetBug(HardsetError):  # noqa: N818
    """Exit code 1: a bug of the program, or something that nobody expected. Please report it."""

    code = 1


class BadInput(HardsetError):  # noqa: N818
    """Exit code 2: a file, an option or an argument is wrong. The message says which, and what to do."""

    code = 2


class ItemsLost(HardsetError, UserWarning):  # noqa: N818
    """Exit code 3: the work is done, but some items were lost, each with a reason.

    It is given as a warning, because there is a result. `warnings.simplefilter("error", hardset.ItemsLost)` makes it an
    exception.
    """

    code = 3


class Missing(HardsetError):  # noqa: N818
    """Exit code 4: a file, a library, a device or the program itself is missing, or another process has the lock."""

    code = 4


class Stopped(HardsetError):  # noqa: N818
    """Exit code 75: a signal stopped the program. The same call goes on where it stopped."""

    code = 75


class PartOnly(UserWarning):
    """A run is not done, or has lost files, so that rows of its tables are missing. Given as a warning."""


#: The class for each exit code; other codes mean a bug.
BY_CODE: dict[int, type[HardsetError]] = {
    kind.code: kind for kind in (HardsetBug, BadInput, ItemsLost, Missing, Stopped)
}
