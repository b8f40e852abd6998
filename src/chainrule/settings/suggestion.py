"""Words for messages about names that a user gave."""

from __future__ import annotations

from collections.abc import Iterable


def suggestion(given: object, known: Iterable[str]) -> str:
    """The end of a message about a name that is not known: which near one may be meant, or nothing."""
    import difflib  # only mistakes need it

    names = {name.lstrip("-"): name for name in known} if isinstance(given, str) else {}
    near = [names[x] for x in difflib.get_close_matches(str(given).lstrip("-"), names, n=2, cutoff=0.6)]
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
