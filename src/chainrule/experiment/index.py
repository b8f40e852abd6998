"""The index of a study: its runs in an SQLite database, made from the records and made again where it is missing."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

from chainrule.errors import StorageError
from chainrule.experiment.store import INDEX, RUNS, Line, StudyFolder

#: The number of the tables below: an index with another one is made anew.
VERSION = 1
TABLES = """
CREATE TABLE runs (
    run TEXT PRIMARY KEY, number INTEGER, configuration TEXT, learner TEXT, seed INTEGER, part INTEGER, stage TEXT,
    state TEXT, reason TEXT, epochs REAL, best_epoch REAL, seconds REAL, parameters INTEGER, memory INTEGER, time TEXT
) WITHOUT ROWID;
CREATE TABLE measures (
    run TEXT, rows TEXT, measure TEXT, value REAL, PRIMARY KEY (run, rows, measure)
) WITHOUT ROWID;
CREATE TABLE settings (
    configuration TEXT, setting TEXT, value, PRIMARY KEY (configuration, setting)
) WITHOUT ROWID;
CREATE TABLE records (read INTEGER, beginning TEXT);
"""
COLUMNS = (
    "run", "number", "configuration", "learner", "seed", "part", "stage", "state", "reason", "epochs", "best_epoch",
    "seconds", "parameters", "memory", "time",
)  # fmt: skip
#: Bytes of the records whose hash says whether an index is of them.
BEGINNING = 4096


def open_index(study: StudyFolder) -> sqlite3.Connection:
    """The runs of a study as a database, brought up to date with its records.

    The tables are `runs` (a row a run), `measures` (run, rows: "valid" or "test", measure, value) and `settings`
    (configuration, setting such as "learner.hidden", value: a number or text, JSON for the rest). The file may be
    deleted, and is made again.

    Raises:
        StorageError: when it cannot be written.
        ModelError: when the records cannot be read.

    Example:
        >>> import tempfile, chainrule
        >>> from contextlib import closing
        >>> table = chainrule.Table.from_lists(["good fun", "fun", "bad", "dull film"] * 30, list("ppnn") * 30)
        >>> study = chainrule.compare(table, ["bow"], folder=tempfile.mkdtemp() + "/study", seeds=3)
        >>> with closing(open_index(StudyFolder(study.folder))) as runs:
        ...     runs.execute(
        ...         "SELECT learner, count(*), avg(value) FROM runs JOIN measures USING (run) "
        ...         "WHERE measure = 'accuracy' AND rows = 'valid' GROUP BY learner"
        ...     ).fetchall()
        [('bow', 3, 1.0)]
    """
    path = study.place / INDEX
    for attempt in range(2):
        try:
            held = sqlite3.connect(path, timeout=30, isolation_level=None)
            try:
                _update(held, study)
            except BaseException:
                held.close()
                raise
        except sqlite3.DatabaseError as error:
            if attempt or isinstance(error, sqlite3.OperationalError):
                raise StorageError(f"cannot write {path}: {error}") from error
            with suppress(OSError):  # it is no database, or a damaged one
                path.unlink()
        else:
            return held
    raise AssertionError("the second attempt returns or raises")


def _update(held: sqlite3.Connection, study: StudyFolder) -> None:
    """Take up the lines that are new since the last time; all of them where these are not the records of then."""
    held.execute("BEGIN IMMEDIATE")
    beginning = _beginning(study.place / RUNS)
    known = held.execute("PRAGMA user_version").fetchone()[0] == VERSION
    read, hashed = held.execute("SELECT read, beginning FROM records").fetchone() if known else (0, "")
    size = min(read, BEGINNING)
    if not known or hashed != hashlib.sha256(beginning[:size]).hexdigest():
        for (name,) in held.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            held.execute(f'DROP TABLE "{name}"')
        for statement in TABLES.split(";"):
            held.execute(statement)
        held.execute(f"PRAGMA user_version = {VERSION}")
        held.execute("INSERT INTO records VALUES (0, '')")
        read = 0
    fresh = StudyFolder(study.place)
    lines = fresh.lines(read)
    for line in lines:
        _insert(held, line)
    held.execute("UPDATE records SET read = ?, beginning = ?", _mark(fresh, study.place / RUNS))
    held.execute("COMMIT")


def _mark(study: StudyFolder, path: Path) -> tuple[int, str]:
    """How far the records were read, and a hash of how they begin."""
    size = min(study.read, BEGINNING)
    return study.read, hashlib.sha256(_beginning(path)[:size]).hexdigest()


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(BEGINNING)
    except FileNotFoundError:
        return b""


def _insert(held: sqlite3.Connection, line: Line) -> None:
    """A line of the records as rows; a run that was tried again takes the place of the first try."""
    if line["kind"] == "run":
        row = {**line, "learner": line["learner"]["name"]}
        marks = ", ".join("?" * len(COLUMNS))
        held.execute(f"INSERT OR REPLACE INTO runs VALUES ({marks})", [row.get(name) for name in COLUMNS])
        for section in ("task", "learner", "training"):
            held.executemany(
                "INSERT OR REPLACE INTO settings VALUES (?, ?, ?)",
                [(line["configuration"], name, value) for name, value in _flat(section, line[section])],
            )
    rows = "valid" if line["kind"] == "run" else "test"
    measures = (line[rows] or {}).items()
    held.executemany(
        "INSERT OR REPLACE INTO measures VALUES (?, ?, ?, ?)",
        [(line["run"], rows, name, value) for name, value in measures],
    )


def _flat(path: str, value: Any) -> list[tuple[str, Any]]:
    """Settings by their paths."""
    if isinstance(value, dict):
        return [pair for name, item in value.items() for pair in _flat(f"{path}.{name}", item)]
    plain = value is None or isinstance(value, int | float | str)
    return [(path, value if plain else json.dumps(value))]


def update_index(study: StudyFolder) -> None:
    """Bring the index up to date; where it cannot be written, the study is none the worse."""
    with suppress(StorageError):
        open_index(study).close()
