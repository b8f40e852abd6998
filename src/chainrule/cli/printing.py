"""What the commands print: every line of theirs goes through here, so that no text or name acts on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from chainrule.shown import json_line, one_line, printable

#: Labels that are shown with their rows.
COUNTED = 10


def show(text: str = "") -> None:
    """Print lines, whose fields tabs may separate; nothing else is left of what acts on a terminal."""
    print("\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n")))


def stream(part: str) -> None:
    """Print a part of a text at once, without a line's end of its own; lines and tabs of the text stay."""
    lines = ("\t".join(map(printable, line.split("\t"))) for line in part.split("\n"))
    print("\n".join(lines), end="", flush=True)


def say(message: object) -> None:
    """A remark for the user, beside the output."""
    print(f"chainrule: {printable(str(message))}", file=sys.stderr)


def say_cut(model: Any, cut: int, rows: int) -> None:
    """Say how many of the texts that a model answered for are longer than what it reads of them, if any are."""
    if cut:
        say(model.codec.inputs.cut_texts(cut, rows))


def count_cut(model: Any, rows: Any) -> int:
    """How many of these texts, or rows of a table, are longer than what a model reads of them."""
    if getattr(model.codec.inputs, "truncate", None) is None:
        return 0
    found: int = model.codec.inputs.count_cut(rows if isinstance(rows, list) else rows.texts.to_list())
    return found


def json_text(content: dict[str, Any]) -> str:
    """JSON on one line, in ASCII where the output is not Unicode."""
    return json_line(content, ascii_only=not (sys.stdout.encoding or "").lower().startswith("utf"))


def align(rows: Sequence[Sequence[str]]) -> str:
    """Columns of equal width, the first to the left and the others to the right."""
    shown = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in shown
    ]
    return "\n".join(line.rstrip() for line in lines)


def counted(labels: Mapping[str, int]) -> str:
    """Labels and how many rows have each, the first few."""
    shown = ", ".join(f"{one_line(label)} {rows:,}" for label, rows in islice(labels.items(), COUNTED))
    return f"{shown} and {len(labels) - COUNTED:,} more" if len(labels) > COUNTED else shown


def listed(rows: Sequence[tuple[str, str]]) -> str:
    """Names and what they stand for, in two columns to the left."""
    shown = [(printable(name), printable(text)) for name, text in rows]
    width = max((len(name) for name, _ in shown), default=0)
    return "\n".join(f"{name.ljust(width)}  {text}".rstrip() for name, text in shown)
