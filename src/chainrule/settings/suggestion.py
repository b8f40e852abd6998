"""Words for messages about names and values that a user gave."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


def shortened(value: Any) -> str:
    """A value for a message: what a user gave may be long."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:76]}...'" if text[0] == "'" else f"{text[:77]}..."


def suggestion(given: object, known: Iterable[str]) -> str:
    """The end of a message about a name that is not known: which near one may be meant, or nothing."""
    names = {name.lstrip("-"): name for name in known} if isinstance(given, str) else {}
    near = [names[x] for x in difflib.get_close_matches(str(given).lstrip("-"), names, n=2, cutoff=0.6)]
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
