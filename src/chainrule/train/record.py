"""The record of a run: one JSON object a line, only ever appended to. Everything that reports reads only this.

The first line ("kind": "run") says what ran: versions, seed, settings, data with fingerprints, and the text of a
settings file that repeats the run. A line an epoch follows ("kind": "epoch"), and a last line ("kind": "end") says why
training ended.
"""

from __future__ import annotations

import json
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from chainrule.data import ReadReport, Table
from chainrule.errors import ModelError, StorageError, shortened
from chainrule.files import write_file
from chainrule.models import Model
from chainrule.settings.file import toml_text
from chainrule.shown import json_line
from chainrule.train.training import Training
from chainrule.version import __version__

Line = dict[str, Any]

#: What of a first line two runs must share for one to go on where the other stopped, beside the data.
SHARED = ("seed", "engine", "task", "learner", "training")


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
        self.write(flush=False)  # checkpoints hold all of it too, and the end writes it once more

    def write(self, *, flush: bool = True) -> None:
        """Write all lines anew: one that Ctrl-C or a full disk cut short is whole again.

        Args:
            flush: wait until they are on the disk.

        Raises:
            StorageError: when the file cannot be written.
        """
        if self.path is not None:
            write_file(self.path, b"".join(map(_encoded, self.lines)), flush=flush)

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


def first_line(model: Model, training: Training, seed: int, engine: str) -> Line:
    """What is known before training begins, beside the data.

    Args:
        model: untrained.
        training: its settings, with optimizer and learning rate.
        seed: of the run.
        engine: that runs it.
    """
    return {
        "kind": "run",
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "machine": platform.machine(),
        "seed": seed,
        "engine": engine,
        "task": model.task.settings(),
        "learner": model.learner.settings(),
        "training": training.settings(),
        "codec": model.codec.describe(),
        "parameters": sum(x.spec.size for x in model.network.parameters()),
    }


def versions() -> Line:
    """The versions of what trains."""
    held = {"chainrule": __version__, "python": platform.python_version()}
    return {**held, "numpy": np.__version__, "polars": pl.__version__}


def with_data(
    line: Line, train: Table, valid: Table, *, split: ReadReport | None, described: Line | None = None
) -> Line:
    """A first line with its data, and the settings file that repeats the run.

    Args:
        line: what `first_line` gave.
        train: the rows that were learned from.
        valid: the rows to stop by.
        split: where both come from one table, which the seed split: what reading that found.
        described: what `describe` says of both, by their parts; None has it found.
    """
    files = {"train": train, **({"valid": valid} if split is None else {})}
    written = {name: value for name, value in train.source.items() if name != "files"}
    data = {**{name: table.source.get("files", table.name) for name, table in files.items()}, **written}
    content = {name: line[name] for name in ("seed", "engine", "task", "learner", "training")}
    described = dict(described or {"train": describe(train), "valid": describe(valid)})
    if split is not None:
        described["train"] = {**described["train"], "unlabelled": split.unlabelled}
    return {**line, "data": described, "settings": toml_text({**content, "data": data})}


def describe(table: Table) -> Line:
    """What a record says of a table."""
    described: Line = {
        "name": table.name,
        "rows": len(table),
        "unlabelled": table.report.unlabelled,
        "empty": table.report.empty,
    }
    labels = table.labels
    if labels is not None and labels.dtype == pl.Float64:
        figures = {"mean": labels.mean(), "least": labels.min(), "most": labels.max()}
        return {**described, "numbers": figures, "fingerprint": table.fingerprint()}
    counts: dict[str, int] = {}
    if labels is not None and not table.written:
        if labels.dtype.is_nested():
            described["without_labels"] = table.report.without_labels
            labels = labels.explode().drop_nulls()
        counted = labels.value_counts(sort=True)
        counts = dict(zip(*(column.to_list() for column in counted.get_columns()), strict=True))
    return {**described, "labels": counts, "fingerprint": table.fingerprint()}


def comparable(line: Line) -> Line:
    """The part of a first line that two runs must share for one to go on where the other stopped.

    Where the data lay is no part of it: a fingerprint says more.
    """
    data = {part: {key: value for key, value in table.items() if key != "name"} for part, table in line["data"].items()}
    return {**{key: line.get(key) for key in SHARED}, "data": data, "codec": line.get("codec")}


def require_same(there: Line, here: Line, path: Path) -> None:
    """Refuse to go on with a training of other data or settings.

    Args:
        there: the first line of its record.
        here: the first line that this training begins with.
        path: the file that holds the other, for the message.

    Raises:
        ModelError: the message names what differs.
    """
    known, wanted = comparable(there), comparable(json.loads(json.dumps(here)))
    for key, value in wanted.items():
        if known.get(key) != value:
            raise ModelError(
                f"{path}: the training to resume had another {key}: {_difference(known.get(key), value)}; "
                f"resume with the same data and settings, or remove the folder and train anew"
            )


def _difference(there: object, here: object) -> str:
    if isinstance(there, dict) and isinstance(here, dict):
        for key in [*there, *here]:
            if there.get(key) != here.get(key):
                return f"{key}: {_difference(there.get(key), here.get(key))}"
    return f"{shortened(there)}, and now {shortened(here)}"


def read_lines(path: Path) -> list[Line]:
    """The lines of the record of a training that has ended.

    Raises:
        ModelError: when it cannot be read, or is not whole.
    """
    try:
        lines: list[Line] = [json.loads(line) for line in path.read_bytes().splitlines()]
        if [line["kind"] for line in (lines[0], lines[-1])] != ["run", "end"]:
            raise ValueError("it does not begin with a run and end with its end")  # noqa: TRY301
        comparable(lines[0])
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ModelError(f"{path}: is not the record of a whole training: {error}; train under another name") from error
    return lines


def _encoded(line: Line) -> bytes:
    """The line as UTF-8; a file name that is no Unicode comes as escapes, which JSON has too."""
    return (json_line(line) + "\n").encode(errors="backslashreplace")
