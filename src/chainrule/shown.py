"""Values as they are shown to people: in one line, not too long, and without what acts on a terminal."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from itertools import islice
from typing import Any

from chainrule.errors import shortened

#: Control characters, ends of lines and paragraphs, marks that turn the direction of a line, halves of surrogate pairs.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_ENCODERS = {ascii_only: json.JSONEncoder(ensure_ascii=ascii_only, allow_nan=False) for ascii_only in (False, True)}
_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def printable(text: str) -> str:
    r"""Text that neither ends a line nor acts on a terminal: what would is shown by its code.

    Example:
        >>> printable("red \x1b[31m\n")
        'red \\x1b[31m\\n'
    """
    return text if text.isprintable() else _UNSAFE.sub(_escape, text)


def one_line(text: str, limit: int = 40) -> str:
    r"""Printable text of at most so many characters.

    Example:
        >>> one_line("two\nlines"), one_line("a long text", 7)
        ('two\\nlines', 'a long…')
    """
    shown = printable(text[: limit + 1])
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def listing(values: Iterable[object], most: int = 10) -> str:
    """Values as a message lists them: the first few, and how many more there are.

    Example:
        >>> listing(["text", "label"]), listing(range(1000), 2), listing([])
        ("'text', 'label'", '0, 1 and 998 more', 'none')
    """
    held = list(values)
    shown = ", ".join(map(shortened, islice(held, most)))
    return f"{shown} and {len(held) - most:,} more" if len(held) > most else shown or "none"


def json_line(content: Mapping[str, Any], *, ascii_only: bool = False) -> str:
    r"""JSON on one line for every reader, as some end a line at more than a line break.

    Example:
        >>> json_line({"text": "é\u2028\x85"})
        '{"text": "é\\u2028\\u0085"}'
    """
    text = _ENCODERS[ascii_only].encode(content)
    return text if text.isprintable() else _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def json_value(value: Any) -> Any:
    """A value as JSON can hold it: dates in ISO format, bytes in base64, null for NaN and infinity."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
