"""Tables and JSON as the commands print them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any


def json_text(content: dict[str, Any]) -> str:
    """JSON on one line, in ASCII where the output is not Unicode."""
    return json.dumps(content, ensure_ascii=not (sys.stdout.encoding or "").lower().startswith("utf"))


def align(rows: Sequence[Sequence[str]]) -> str:
    """Columns of equal width, the first to the left and the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)


def listed(rows: Sequence[tuple[str, str]]) -> str:
    """Names and what they stand for, in two columns to the left."""
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"{name.ljust(width)}  {text}".rstrip() for name, text in rows)


def say(message: str) -> None:
    """A remark for the user, beside the output."""
    print(f"chainrule: {message}", file=sys.stderr)
