"""The folder of a study: what an experiment asked for, and what its runs came to.

study.json    what was asked: data, how it was divided, task, seeds, and the machine
runs.jsonl    a line a run that has ended, and a line a test; only ever appended to
runs/NAME/    the folder of a run, as `fit` writes it; while it trains, runs/NAME.partial
winner.json   at the end: the run that won, rows that it got wrong, and why
index.sqlite  the runs as a database, made from runs.jsonl

A line of runs.jsonl is written after the folder of its run has its name. So where a process is killed between the two,
the run is there without its line, and is not repeated: `fit` gives the run of a folder that is there.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chainrule.errors import ModelError, StorageError
from chainrule.files import Lock, write_file
from chainrule.report.record import CUT
from chainrule.shown import json_line

Line = dict[str, Any]

FORMAT = 1
STUDY, RUNS, FOLDERS, LOCK = "study.json", "runs.jsonl", "runs", "lock"
TEST, WINNER, INDEX = "test.json", "winner.json", "index.sqlite"
#: What became of a run.
FINISHED, STOPPED, FAILED = "finished", "stopped", "failed"
#: What two experiments must share to be of one study, and what to call it.
SHARED = {
    "data": "data set", "parts": "division of the rows", "task": "task", "measure": "measure", "search": "search"
}  # fmt: skip
#: What of a search may grow: its first trials are those of a smaller one, whatever the method. None is no limit.
BUDGET = ("trials", "minutes")
#: What of the data may differ: where it lay.
PLACES = ("name", "files")
#: Seconds after which a lock that is held for each line alone is held by a process that hangs.
PATIENCE = 30.0


class StudyFolder:
    """The folder of a study, which several processes may write to at once.

    Args:
        place: the folder.

    Raises:
        ModelError: for a folder that no experiment wrote, or one of a newer version.

    Example:
        >>> import tempfile
        >>> place = Path(tempfile.mkdtemp()) / "study"
        >>> folder = StudyFolder.begin(place, {"task": {}, "data": {}})
        >>> folder.append({"kind": "run", "run": "bow-1"})
        True
        >>> [line["run"] for line in StudyFolder(place).lines()]
        ['bow-1']
    """

    def __init__(self, place: str | os.PathLike[str]) -> None:
        self.place = Path(place)
        self.header = _header(self.place)
        self._lines: list[Line] = []
        #: Bytes of the lines that were read.
        self.read = 0

    @classmethod
    def begin(cls, place: str | os.PathLike[str], header: Mapping[str, Any]) -> StudyFolder:
        """The folder of a new study, or of one that is gone on with: with more trials of the same search, maybe.

        Raises:
            ModelError: when another study is there: of other data, say, or with more trials.
            StorageError: when it cannot be made, or something else is there.
        """
        target = Path(place)
        held = {"kind": "study", "format": FORMAT, **header}
        if not (target / STUDY).exists():
            _make(target)
            with _locked(target):
                if not (target / STUDY).exists():  # no other process began it meanwhile
                    write_file(target / STUDY, json.dumps(held, indent=2, ensure_ascii=False) + "\n")
        folder = cls(target)
        folder._require_same(held)
        if _text(folder.header.get("search")) != _text(held.get("search")):
            folder._grow(held)
        return folder

    def _grow(self, asked: Mapping[str, Any]) -> None:
        """Write down that more is asked of the search, and by which command."""
        with _locked(self.place):
            self.header = _header(self.place)
            self._require_same(asked)  # another process may have asked for even more meanwhile
            again = {key: asked.get(key) for key in ("time", "command")}
            self.header |= {"search": asked["search"], "again": [*self.header.get("again", []), again]}
            write_file(self.place / STUDY, json.dumps(self.header, indent=2, ensure_ascii=False) + "\n")

    def _require_same(self, asked: Mapping[str, Any]) -> None:
        there = self.header
        for key, word in SHARED.items():
            known, wanted = (json.loads(json.dumps(line.get(key))) for line in (there, asked))
            if key == "data":
                known, wanted = ({k: v for k, v in (x or {}).items() if k not in PLACES} for x in (known, wanted))
            if key == "search" and known and wanted:
                less = next((name for name in BUDGET if _smaller(wanted.get(name), known.get(name))), None)
                if less is not None:
                    raise ModelError(
                        f"{self.place}: holds a search of {less}: {known.get(less)}, and now {wanted.get(less)} is "
                        "asked for; give as many or more, or choose another folder"
                    )
                known, wanted = ({k: v for k, v in x.items() if k not in BUDGET} for x in (known, wanted))
            if known != wanted:
                raise ModelError(
                    f"{self.place}: holds a study of another {word}: {_first_difference(known, wanted)}; give the same "
                    "again, or choose another folder"
                )

    def folder(self, run: str) -> Path:
        """Where the run of a name is, or will be."""
        return self.place / FOLDERS / run

    def lines(self, first: int = 0) -> list[Line]:
        """All lines so far, as they were appended; one that a kill cut short is left out.

        Args:
            first: where in the file to begin, for who has read what is before.

        Raises:
            ModelError: for a line that is none of a study.
            StorageError: when they cannot be read.
        """
        path = self.place / RUNS
        self.read = max(self.read, first)
        try:
            with path.open("rb") as stream:
                stream.seek(self.read)
                new = stream.read()
        except FileNotFoundError:
            return self._lines
        except OSError as error:
            raise StorageError(f"{path}: cannot be read: {error.strerror or error}") from error
        whole, _, _ = new.rpartition(b"\n")  # what follows is being written, or was when a process was killed
        for piece in whole.split(b"\n"):
            if piece and not piece.endswith(CUT):
                self._lines.append(_line(piece, path, len(self._lines) + 1))
        self.read += len(whole) + bool(whole)
        return self._lines

    def ended(self) -> dict[str, Line]:
        """The lines of the runs that have ended, by their names; of a run that was tried again, the last."""
        return {line["run"]: line for line in self.lines() if line["kind"] == "run"}

    def finalists(self) -> list[Line]:
        """The lines of the runs of finalists that did not fail, by their numbers, whichever of them ended first."""
        held = [line for line in self.ended().values() if line["stage"] == "final" and line["state"] != FAILED]
        return sorted(held, key=lambda line: int(line["number"]))

    def tested(self) -> dict[str, Line]:
        """The lines of the tests of runs, by the names of the runs."""
        return {line["run"]: line for line in self.lines() if line["kind"] == "test"}

    def append(self, line: Mapping[str, Any]) -> bool:
        """Write a line, whole, while no other process writes one; not the same of a run twice.

        Returns:
            Whether it was written: it was not where the run has such a line already, and did not fail.

        Raises:
            StorageError: when it cannot be written.
        """
        path = self.place / RUNS
        with _locked(self.place):
            there = (self.ended() if line["kind"] == "run" else self.tested()).get(line["run"])
            if there is not None and there.get("state") != FAILED:
                return False
            try:
                with path.open("a+b") as stream:
                    if stream.tell() and not _ends_line(stream):  # a process was killed while it wrote
                        stream.write(CUT + b"\n")
                    stream.write((json_line(line) + "\n").encode(errors="backslashreplace"))
            except OSError as error:
                raise StorageError(f"cannot write {path}: {error.strerror or error}") from error
        return True

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a file of the study, whole.

        Raises:
            StorageError: when it cannot be written.
        """
        write_file(self.place / name, json_line(content) + "\n")


def _line(piece: bytes, path: Path, number: int) -> Line:
    try:
        line = json.loads(piece)
        if not {"kind", "run"} <= line.keys():
            raise ValueError("expected the line of a run")  # noqa: TRY301
    except (ValueError, AttributeError) as error:
        raise ModelError(f"{path}, line {number}: is not that of a run: {error}; copy the study again") from error
    return dict(line)


def _ends_line(stream: Any) -> bool:
    stream.seek(-1, os.SEEK_END)
    ends: bool = stream.read(1) == b"\n"
    return ends


def _header(place: Path) -> Line:
    path = place / STUDY
    try:
        held = json.loads(path.read_bytes())
        if held["kind"] != "study":
            raise ValueError("it says of itself that it is something else")  # noqa: TRY301
        newer = held["format"] > FORMAT
    except FileNotFoundError as error:
        raise ModelError(f"{place}: is no study: there is no {path.name} in it; chainrule compare makes one") from error
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ModelError(f"{path}: is not the beginning of a study: {error}; copy it again") from error
    if newer:
        raise ModelError(f"{path}: was written by a newer chainrule; install that version to use it")
    return dict(held)


def _make(place: Path) -> None:
    try:
        others = {file.name for file in place.iterdir()} - {LOCK, FOLDERS} if place.exists() else set()
        if any(not name.startswith(f".{STUDY}.") for name in others):  # no other process is beginning it
            raise StorageError(f"{place}: is there already, and is no study; choose another name")
        (place / FOLDERS).mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot make {place}: {getattr(error, 'strerror', None) or error}") from error


@contextmanager
def _locked(place: Path) -> Iterator[None]:
    """Keep other processes out; each is in for the time of one line."""
    started = time.monotonic()
    while True:
        try:
            lock = Lock(place / LOCK)
            break
        except BlockingIOError as error:
            if time.monotonic() - started > PATIENCE:
                raise StorageError(
                    f"{place}: another process has been writing there for {PATIENCE:g} seconds; end it, and go on"
                ) from error
            time.sleep(0.002)
    try:
        yield
    finally:
        lock.release()


def _smaller(one: float | None, other: float | None) -> bool:
    """Whether a limit is below another; None is none."""
    return one is not None and (other is None or one < other)


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def _first_difference(there: object, here: object) -> str:
    if isinstance(there, dict) and isinstance(here, dict):
        for key in [*there, *here]:
            if there.get(key) != here.get(key):
                return f"{key}: {_first_difference(there.get(key), here.get(key))}"
    return f"{str(there)[:80]}, and now {str(here)[:80]}"
