"""Reading records: one JSON object a line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from chainrule.errors import DataError

Line = dict[str, Any]
#: What stands at the end of a line that was cut short, where more was written later.
CUT = b" (cut short)"


def read_record(path: str | os.PathLike[str]) -> list[Line]:
    r"""The lines of a record, whole ones only.

    What was cut short, as by a crash, is left out: the last line, or one that says so.

    Raises:
        DataError: when the file is missing, or a line before the last is not a JSON object; the message has its number.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "record.jsonl"
        >>> _ = path.write_text('{"kind": "run"}\n{"kind": "epo')
        >>> read_record(path)
        [{'kind': 'run'}]
    """
    try:
        pieces = Path(path).read_bytes().split(b"\n")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    lines: list[Line] = []
    for number, piece in enumerate(pieces, start=1):
        if not piece.strip() or piece.endswith(CUT):
            continue
        try:
            line = json.loads(piece.decode())
        except (ValueError, RecursionError) as error:
            if number == len(pieces):
                break
            raise DataError(f"{path}, line {number}: is not JSON: {error}") from error
        if not isinstance(line, dict):
            raise DataError(f"{path}, line {number}: expected a JSON object, got {piece[:60].decode(errors='replace')}")
        lines.append(line)
    return lines
