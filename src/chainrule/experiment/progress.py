"""Progress: what a person sees while an experiment runs."""

from __future__ import annotations

import math
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol, TextIO

from chainrule.experiment.measure import Measure
from chainrule.experiment.runner import Job
from chainrule.experiment.store import FAILED, Line
from chainrule.shown import one_line, printable

#: Seconds from one drawing of the table to the next, at least.
INTERVAL = 0.1
#: Configurations that the table shows.
SHOWN = 20


class Onlooker(Protocol):
    """Who is told what goes on in an experiment."""

    def at_once(self, count: int) -> None:
        """So many trainings go on at once, where there are as many; on a cluster, workers come and go."""

    def planned(self, jobs: Sequence[Job], done: Mapping[str, Line], stage: str) -> None:
        """These trials come next; of some there is a line already."""

    def told(self, line: Line) -> None:
        """A run is at this epoch of so many."""

    def ended(self, line: Line) -> None:
        """A run has ended."""

    def tested(self, line: Line) -> None:
        """A model has been judged on the test rows."""


class Nobody:
    """Nobody looks on."""

    def at_once(self, count: int) -> None:
        """Nothing is done about it."""

    def planned(self, jobs: Sequence[Job], done: Mapping[str, Line], stage: str) -> None:
        """Nothing is done about it."""

    def told(self, line: Line) -> None:
        """Nothing is done about it."""

    def ended(self, line: Line) -> None:
        """Nothing is done about it."""

    def tested(self, line: Line) -> None:
        """Nothing is done about it."""


class Board:
    """One table of all configurations: how many runs have ended, the best and the mean figure so far, the time left.

    On a terminal it is drawn again and again at the same place; else there is a line a run that has ended.

    Args:
        measure: that decides.
        stream: to write to; None for standard error.
        clock: gives the time in seconds.
    """

    def __init__(
        self, measure: Measure, stream: TextIO | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.measure = measure
        self.jobs = 1
        self.stream = stream or sys.stderr
        self.clock = clock
        self._live = self.stream is not None and self.stream.isatty()
        self._titles: dict[str, str] = {}
        self._numbers: dict[str, int] = {}
        self._configurations: dict[str, str] = {}
        self._lines: dict[str, Line] = {}
        self._epochs: dict[str, Line] = {}
        self._shown = 0
        self._drawn = -math.inf
        self._spent: list[float] = []

    def at_once(self, count: int) -> None:
        """The rest takes as long as so many workers need."""
        self.jobs = count

    def planned(self, jobs: Sequence[Job], done: Mapping[str, Line], stage: str) -> None:  # noqa: ARG002
        """Their configurations are rows of the table from now on."""
        for job in jobs:
            trial = job.trial
            self._configurations[trial.name] = trial.configuration
            self._titles.setdefault(trial.configuration, trial.learner.name)
            self._numbers[trial.name] = job.number
        self._lines |= {job.trial.name: done[job.trial.name] for job in jobs if job.trial.name in done}
        self._draw(force=True)

    def told(self, line: Line) -> None:
        """Draw, if it is time."""
        self._epochs[line["run"]] = line
        self._draw()

    def ended(self, line: Line) -> None:
        """Draw, or write a line."""
        self._epochs.pop(line["run"], None)
        self._lines[line["run"]] = line
        self._spent.append(line.get("seconds") or 0.0)
        if not self._live:
            done = f"{len(self._lines)} of {len(self._configurations)}"
            self._write(f"{done}: {line['run']}: {self._outcome(line)}\n")
        self._draw(force=True)

    def tested(self, line: Line) -> None:
        """A model was judged; there is nothing to be seen of it."""

    def close(self) -> None:
        """Draw for the last time."""
        self._draw(force=True)

    def rows(self) -> list[tuple[str, ...]]:
        """The table, its heading first, the best configuration at the top."""
        heading = ("learner", "configuration", "runs", f"{self.measure.title}, mean", "best", "now")
        worst = -math.inf if self.measure.higher else math.inf
        rows: list[tuple[float, tuple[str, ...]]] = []
        for key, title in self._titles.items():
            names = [name for name, held in self._configurations.items() if held == key]
            ended = [self._lines[name] for name in names if name in self._lines]
            values = [self.measure.value(line) for line in ended if line["state"] != FAILED]
            failed = sum(line["state"] == FAILED for line in ended)
            runs = f"{len(ended)}/{len(names)}" + (f", {failed} failed" if failed else "")
            best = (max if self.measure.higher else min)(values) if values else math.nan
            mean = statistics.fmean(values) if values else math.nan
            now = ", ".join(self._now(name) for name in names if name in self._epochs)
            cells = (title, key, runs, _figure(mean), _figure(best), now)
            rows.append((worst if math.isnan(mean) else mean, cells))
        ordered = sorted(rows, key=lambda row: -row[0] if self.measure.higher else row[0])
        return [heading, *(row for _, row in ordered)]

    def left(self) -> float | None:
        """The seconds that the rest will take, if it takes as long as what has ended; None where nothing has."""
        waiting = len(self._configurations) - len(self._lines)
        if not self._spent or not waiting:
            return None if waiting else 0.0
        return statistics.fmean(self._spent) * waiting / self.jobs

    def _now(self, name: str) -> str:
        line = self._epochs[name]
        return f"epoch {line['epoch']:g} of {line['epochs']}"

    def _outcome(self, line: Line) -> str:
        if line["state"] == FAILED:
            return f"failed: {one_line(str(line['reason']), 120)}"
        value = _figure(self.measure.value(line))
        return f"{self.measure.title} {value}, {line['epochs']:g} epochs, {line['seconds']:.1f} s"

    def _draw(self, *, force: bool = False) -> None:
        if not self._live or (not force and self.clock() - self._drawn < INTERVAL):
            return
        self._drawn = self.clock()
        width = shutil.get_terminal_size().columns - 1
        table = self.rows()
        shown = [[printable(cell) for cell in row] for row in table[: SHOWN + 1]]
        widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
        lines = ["  ".join(x.ljust(w) for x, w in zip(row, widths, strict=True)).rstrip()[:width] for row in shown]
        if len(table) > SHOWN + 1:
            lines.append(f"and {len(table) - SHOWN - 1} more configurations")
        left = self.left()
        ended, all_runs = len(self._lines), len(self._configurations)
        lines.append(f"{ended} of {all_runs} runs" + (f", about {left:.0f} s left" if left else ""))
        up = f"\x1b[{self._shown}A" if self._shown else ""
        self._write(up + "".join(f"\x1b[2K{line}\n" for line in lines) + "\x1b[0J")
        self._shown = len(lines)

    def _write(self, text: str) -> None:
        with suppress(OSError):  # an experiment goes on when nobody listens any more
            print(text, end="", file=self.stream, flush=True)


def _figure(value: Any) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.4f}"
