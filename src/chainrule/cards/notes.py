"""What only people know of a model, for its card."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from chainrule.errors import DataError, shortened
from chainrule.settings.suggestion import suggestion

#: By the key of a note, its title and what it is to tell.
NOTES: Mapping[str, tuple[str, str]] = {
    "intended_use": ("Intended use", "what the model is made for, and who is to use it"),
    "out_of_scope": ("Uses out of scope", "what it is not to be used for"),
    "factors": ("Groups and conditions", "people, sources or surroundings for which it may be better or worse"),
    "data": ("Where the data come from", "who collected and labelled them, how, when, and under which licence"),
    "ethics": ("Ethical considerations", "harm that its answers may do, and what was done against it"),
    "caveats": ("Caveats and recommendations", "what else is to be minded"),
    "license": ("Licence", "under which the model may be used"),
    "contact": ("Contact", "whom to ask"),
}


def read_notes(path: str | os.PathLike[str]) -> dict[str, str]:
    """The notes of a TOML file: a line each, such as `intended_use = "sorting letters of our customers"`.

    Raises:
        DataError: when it cannot be read, or tells of something else.
    """
    try:
        held = tomllib.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return checked_notes(held, str(path))


def checked_notes(notes: Mapping[str, object], where: str = "notes") -> dict[str, str]:
    """Notes that a card has room for.

    Raises:
        DataError: for a key that there is not, or what is no text.
    """
    found = {}
    for key, text in notes.items():
        if key not in NOTES:
            near = suggestion(key, NOTES) or f"; there are: {', '.join(NOTES)}"
            raise DataError(f"{where}: {shortened(key)} is no note of a card{near}")
        if not isinstance(text, str):
            raise DataError(f"{where}: expected a text as {key}, got {shortened(text)}")
        found[key] = text
    return found
