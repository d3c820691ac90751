"""Strings in TOML, for the files and the options that this package writes."""

from __future__ import annotations

import json


def quoted(text: str) -> str:
    """`text` as a TOML string."""
    # A JSON string is a TOML string, but for U+007F, and for the pairs of surrogates that ASCII needs.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
