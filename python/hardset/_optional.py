"""Imports what only a part of the package needs.

Holds always: a missing package is an error that names the extra which brings it, and never a bare ImportError.
"""

from __future__ import annotations

import importlib
from typing import Any

from ._errors import Missing


def need(module: str, *, extra: str | None = None, other: str | None = None) -> Any:
    """The module; `extra`: the extra of this package that has it, or `other`. An error if it is missing."""
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if error.name is not None and error.name.partition(".")[0] != package:
            raise Missing(f"{package} cannot be imported, because {error.name} is missing: {error}") from error
        install = f"pip install 'hardset[{extra}]'" if extra else f"pip install {package}"
        install += f", or 'hardset[{other}]'" if other else ""
        raise Missing(f"the package {package} is missing: {install}") from error
