"""The record of a run: one JSON object a line, only ever appended to. Everything that reports reads only this.

The first line ("kind": "run") says what ran: versions, seed, learner, data with fingerprints. A line an epoch follows
("kind": "epoch"), and a last line ("kind": "end") says why training ended.
"""

from __future__ import annotations

import json
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from chainrule.data import Table
from chainrule.errors import StorageError
from chainrule.files import write_file
from chainrule.models import TextClassifier
from chainrule.version import __version__

Line = dict[str, Any]


class Record:
    """An append-only record, in memory and, when it has a path, in a file.

    Example:
        >>> record = Record([{"kind": "run", "seed": 0}])
        >>> record.append({"kind": "epoch", "epoch": 1})
        >>> len(record.lines)
        2
    """

    def __init__(self, lines: list[Line], path: Path | None = None) -> None:
        self.lines = list(lines)
        self.path = path
        if path is not None:
            write_file(path, b"".join(map(_encoded, self.lines)))

    def append(self, line: Line) -> None:
        """Add a line.

        Raises:
            StorageError: when the file cannot be written.
        """
        self.lines.append(line)
        if self.path is not None:
            try:
                with self.path.open("ab") as stream:
                    stream.write(_encoded(line))
            except OSError as error:
                raise StorageError(f"cannot write {self.path}: {error.strerror or error}") from error


def first_line(model: TextClassifier, train: Table, valid: Table, seed: int, *, eager: bool = False) -> Line:
    """What is known before training begins."""
    return {
        "kind": "run",
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "chainrule": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "polars": pl.__version__,
        },
        "machine": platform.machine(),
        "seed": seed,
        "eager": eager,
        "learner": model.learner.settings(),
        "labels": list(model.labels),
        "vocabulary": len(model.vocabulary),
        "parameters": sum(x.spec.size for x in model.network.parameters()),
        "data": {"train": describe(train), "valid": describe(valid)},
    }


def describe(table: Table) -> Line:
    """What a record says of a table."""
    counts: dict[str, int] = {}
    if table.labels is not None:
        counted = table.labels.value_counts(sort=True)
        counts = dict(zip(*(column.to_list() for column in counted.get_columns()), strict=True))
    return {
        "name": table.name,
        "rows": len(table),
        "unlabelled": table.report.unlabelled,
        "empty": table.report.empty,
        "labels": counts,
        "fingerprint": table.fingerprint(),
    }


def comparable(line: Line) -> Line:
    """The part of a first line that two runs must share for one to go on where the other stopped.

    Where the data lay is no part of it: a fingerprint says more.
    """
    data = {part: {key: value for key, value in table.items() if key != "name"} for part, table in line["data"].items()}
    return {**{key: line.get(key) for key in ("seed", "eager", "learner", "labels")}, "data": data}


def _encoded(line: Line) -> bytes:
    """The line as UTF-8; a file name that is no Unicode comes as escapes, which JSON has too."""
    return (json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n").encode(errors="backslashreplace")
