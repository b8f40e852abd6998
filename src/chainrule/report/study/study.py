"""A study: the records of a folder that `chainrule compare` or `sweep` wrote, as typed objects."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.errors import ChainruleError, ConfigurationError, DataError
from chainrule.report.record import Line, read_record
from chainrule.report.study.runs import Run, flat
from chainrule.report.study.shown import several
from chainrule.shown import one_line

if TYPE_CHECKING:
    from chainrule.report.study.ranking import Ranking
    from chainrule.report.study.reproducibility import Item

#: The format that this version reads; older ones are read, too.
FORMAT = 1
NEEDED = {"data": dict, "parts": dict, "measure": dict, "seeds": list, "learners": list, "task": dict}


@dataclass(frozen=True, eq=False)
class Measure:
    """What decides.

    Attributes:
        name: as in records.
        title: as people call it.
        higher: whether more is better.
    """

    name: str
    title: str
    higher: bool

    def best(self, values: Sequence[float]) -> float:
        """The best of several."""
        return max(values) if self.higher else min(values)


@dataclass(frozen=True, eq=False, repr=False)
class Study:
    """The records of a study; see `read_study`.

    Attributes:
        folder: it lies in.
        description: what study.json says.
        runs: that ended, in their order.
        tests: measures of test rows of the finalists' runs, by the name of the run.
    """

    folder: Path
    description: Mapping[str, Any]
    runs: tuple[Run, ...]
    tests: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Study({one_line(self.name)}, {several(len(self.runs), 'run')})"

    @cached_property
    def measure(self) -> Measure:
        """The measure that decides."""
        told = self.description["measure"]
        name = str(told.get("name", "?"))
        title = one_line(str(told.get("title", name.replace("_", " "))))
        return Measure(name, title, bool(told.get("higher", True)))

    @property
    def name(self) -> str:
        """Of the data, or else of the folder."""
        return str(self.description["data"].get("name") or self.folder.resolve().name)

    @property
    def search(self) -> Mapping[str, Any] | None:
        """What was searched, and how; None where nothing was."""
        return self.description.get("search")

    @cached_property
    def searched(self) -> tuple[Run, ...]:
        """The runs that a search made to find the finalists."""
        return tuple(run for run in self.runs if run.stage == "search")

    @property
    def parts(self) -> Sequence[Mapping[str, Any]]:
        """Rows of training, validation and test of each division of the table."""
        rows = self.description["parts"].get("rows")
        return rows if isinstance(rows, list) else []

    @cached_property
    def failed(self) -> tuple[Run, ...]:
        """Runs that failed."""
        return tuple(run for run in self.runs if run.state == "failed")

    @cached_property
    def unfinished(self) -> dict[str, int]:
        """The epochs so far of runs that are on, by name."""
        try:
            found = sorted(x for x in (self.folder / "runs").iterdir() if x.name.endswith(".partial"))
        except OSError:
            return {}
        ended = {run.name for run in self.runs}
        names = [x for x in found if x.name.removesuffix(".partial").lstrip(".") not in ended]
        return {x.name.removesuffix(".partial").lstrip("."): len(_epochs(x / "record.jsonl")) for x in names}

    @property
    def wanted(self) -> int:
        """How many runs there are to be, about; 0 where that is not known."""
        repeated = len(self.description["seeds"]) * max(len(self.parts), 1)
        if self.search is None:
            return len(self.description["learners"]) * repeated
        trials, finalists = (self.search.get(name) for name in ("trials", "finalists"))
        return trials + finalists * repeated if isinstance(trials, int) and isinstance(finalists, int) else 0

    @cached_property
    def winner(self) -> Mapping[str, Any] | None:
        """What winner.json says; None while there is none.

        Raises:
            DataError: when it cannot be read.
        """
        path = self.folder / "winner.json"
        return _object(path) if path.exists() else None

    def ranking(self) -> Ranking:
        """The configurations, the best first: by the mean of the measure that decides, in validation."""
        return self._ranking

    @cached_property
    def _ranking(self) -> Ranking:
        from chainrule.report.study.ranking import Ranking

        return Ranking.of(self)

    def epochs(self, run: str) -> list[Line]:
        """The epochs of a run, from its record; none where the record is not in the folder."""
        return _epochs(self.folder / "runs" / run / "record.jsonl")

    def first(self, run: str) -> Line:
        """What the record of a run begins with: when, and what was asked; nothing where it is not in the folder."""
        path = self.folder / "runs" / run / "record.jsonl"
        return next((line for line in (read_record(path) if path.exists() else []) if line.get("kind") == "run"), {})

    def resolved(self, run: Run) -> dict[str, Any]:
        """All settings of a run by their place, as it was trained: with what stands for those that were left open."""
        first = self.first(run.name)
        held = {x: first[x] for x in ("learner", "training", "task") if isinstance(first.get(x), dict)}
        return {**run.settings, **flat(held)}

    def judgement(self, run: str) -> Mapping[str, Any] | None:
        """What test.json of a run says: evaluation, scores, confidence; None where it was not judged.

        Raises:
            DataError: when it cannot be read.
        """
        path = self.folder / "runs" / run / "test.json"
        return _object(path) if path.exists() else None

    def report(self, format: str = "html") -> str:
        """The report, made from the records alone.

        Args:
            format: "html", one page that needs nothing else; "markdown"; "latex", to be put into a document; "json",
                all figures; or "csv", a row a run.

        Raises:
            ConfigurationError: for another format.
            DataError: when a record cannot be read.
        """
        from chainrule.report.study.formats import FORMATS

        if format not in FORMATS:
            raise ConfigurationError(f"report: expected one of the formats {', '.join(FORMATS)}, got {format!r:.60}")
        with self._readable():
            return FORMATS[format](self)

    def checklist(self) -> list[Item]:
        """The items of the reproducibility checklist of NAACL 2021, each with what answers it, or "".

        Raises:
            DataError: when a record cannot be read.
        """
        from chainrule.report.study.reproducibility import checklist

        with self._readable():
            return checklist(self.ranking())

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Say of records that hold something else than a study writes that they do.

        Raises:
            DataError: with what was found.
        """
        import numpy as np

        try:
            with np.errstate(all="ignore"):  # a perplexity may be 1e300, and its square infinite
                yield
        except ChainruleError:
            raise
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise DataError(f"{self.folder}: a record is not as studies have it: {error!r}; copy it again") from error


def read_study(folder: str | os.PathLike[str]) -> Study:
    """The records of a study.

    Args:
        folder: that `chainrule compare` or `chainrule sweep` wrote; the study may still be going on.

    Raises:
        DataError: when it is no study, of a newer format, or its records cannot be read; the message says where.

    Example:
        >>> import tempfile, chainrule
        >>> from chainrule.experiment import Comparison, Experiment
        >>> table = chainrule.Table.from_lists(["good fun", "fun", "bad", "dull film"] * 30, list("ppnn") * 30)
        >>> task, training = chainrule.Classify(), chainrule.Training(epochs=3)
        >>> compared = [(task, chainrule.BagOfWords(), training), (task, chainrule.FeedForward(dim=8), training)]
        >>> folder = Path(tempfile.mkdtemp()) / "study"
        >>> _ = Experiment(table, Comparison(compared, seeds=(0, 1)), task).run(folder)
        >>> study = read_study(folder)
        >>> sorted(entry.label for entry in study.ranking())
        ['bow', 'ffnn']
        >>> study.report("markdown").splitlines()[0]
        '# list: 2 learners, 4 runs'
    """
    place = Path(folder)
    if not place.is_dir():
        raise DataError(f"{place}: is no study: there is no folder of that name")
    path = place / "study.json"
    if not path.exists():
        raise DataError(
            f"{place}: is no study: there is no study.json in it; if it was copied, copy the whole folder again"
        )
    description = _object(path)
    if description.get("kind") != "study":
        raise DataError(f"{path}: expected the kind 'study', got {description.get('kind')!r:.60}")
    format = description.get("format")
    if not isinstance(format, int) or format > FORMAT:
        raise DataError(
            f"{path}: has format {format!r:.20}, and this version reads up to {FORMAT}: install a newer chainrule"
        )
    for name, kind in NEEDED.items():
        if not isinstance(description.get(name), kind):
            raise DataError(f"{path}: expected {kind.__name__} as {name!r}, got {description.get(name)!r:.60}")
    runs, tests = _runs(place / "runs.jsonl")
    return Study(place, description, runs, tests)


def _runs(path: Path) -> tuple[tuple[Run, ...], dict[str, dict[str, float]]]:
    """The runs by their numbers, each by its last line, and measures of test rows; none before one has ended."""
    runs: dict[str, Run] = {}
    tests: dict[str, dict[str, float]] = {}
    for number, line in enumerate(read_record(path) if path.exists() else [], start=1):
        where = f"{path}, record {number}"
        if line.get("kind") == "run":
            run = Run.of(line, where)
            runs[run.name] = run
        elif line.get("kind") == "test":
            name, measures = line.get("run"), line.get("test")
            if not isinstance(name, str) or not isinstance(measures, dict):
                raise DataError(f"{where}: expected the name of a run and its measures, got {line!r:.60}")
            tests[name] = {key: float(x) for key, x in measures.items() if isinstance(x, int | float)}
    return tuple(sorted(runs.values(), key=lambda run: run.number)), tests


def _epochs(path: Path) -> list[Line]:
    return [line for line in read_record(path) if line.get("kind") == "epoch"] if path.exists() else []


def _object(path: Path) -> dict[str, Any]:
    """The JSON object of a file.

    Raises:
        DataError: when it cannot be read, or is none.
    """
    try:
        content = json.loads(path.read_bytes().decode())
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: is not JSON, or was cut short: {error}; copy it again") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected a JSON object, got {content!r:.60}")
    return content
