"""Sweep: the plan of a search: generation after generation of trials, and at the end the best with several seeds."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import field
from itertools import count
from typing import Any, ClassVar

from chainrule.data import Table
from chainrule.dataclasses import dataclass
from chainrule.experiment.batches import Batch
from chainrule.experiment.division import Division
from chainrule.experiment.experiment import Experiment
from chainrule.experiment.measure import Measure
from chainrule.experiment.progress import Onlooker
from chainrule.experiment.search.grid import GridSearch
from chainrule.experiment.search.model_based import ModelSearch
from chainrule.experiment.search.random import RandomSearch
from chainrule.experiment.search.search import Result, Search
from chainrule.experiment.search.space import Space
from chainrule.experiment.search.stopping import STOPPING, Curve, Hopeless, Stopping
from chainrule.experiment.store import FAILED, FINISHED, STOPPED, Line, StudyFolder
from chainrule.experiment.trial import Trial
from chainrule.settings import Settings, setting
from chainrule.train.configuration import LEARNER, Configuration
from chainrule.train.record import read_lines
from chainrule.train.run_folder import RECORD

RANDOM, GRID, MODEL = METHODS = ("random", "grid", "model")
#: Trials of a search that draws them, where neither trials nor minutes are given.
USUAL = 20


@dataclass(frozen=True, kw_only=True)
class Searching(Settings):
    """How a space is searched.

    Attributes:
        method: "random", "grid" (all combinations), or "model" (more of what was good, which needs Optuna).
        trials: configurations that are tried, at most; None for 20, of a grid for all, and with `minutes` for as many
            as there is time for.
        minutes: after which no more generations begin; finalists are trained all the same. How far a search gets then
            depends on the machine, so that it may come to something else when it is repeated.
        batch: trials of a generation: those of one are drawn, and stopped, by the results of the generations before.
        seed: of what is drawn.
        stopping: what stops hopeless runs: "none", "median" or "halving", with settings as in "halving:factor=4".
        finalists: the best configurations, which are trained with several seeds and judged on test rows.
        seeds: runs of each finalist.
    """

    name: ClassVar[str] = "search"

    method: str = setting("random", "how settings are chosen", choices=METHODS)
    trials: int | None = setting(None, "configurations that are tried; none for 20, or the whole grid", least=1)
    minutes: float | None = setting(None, "after which no more are tried; not repeatable", above=0)
    batch: int = setting(8, "trials of a generation, which knows the results of those before", least=1)
    seed: int = setting(0, "of what is drawn", least=0)
    stopping: str | Stopping = setting("none", "what stops hopeless runs", spelled=STOPPING)
    finalists: int = setting(3, "best configurations, which are trained with several seeds and tested", least=1)
    seeds: int = setting(5, "runs of each finalist", least=1)


@dataclass(frozen=True, eq=False)
class Sweep:
    """The plan of a search.

    Trials of the search have the seed 0. Finalists are trained with other seeds, 1, 2, ..., so that the luck that made
    them finalists does not count twice; what ranks them is the mean of those runs. Runs that were stopped are no
    finalists.

    Attributes:
        space: what varies.
        measure: that decides.
        searching: how.
        parts: into how many divisions the table is divided, which is one.

    Raises:
        ConfigurationError: for a space that cannot be searched so, and when Optuna is needed and missing.

    Example:
        >>> import chainrule
        >>> space = Space({"learner": ["bow", "ffnn"]}, {"training": {"epochs": 2}})
        >>> sweep = Sweep(space, Measure.of(chainrule.Classify(), None), Searching(method="grid", seeds=3))
        >>> sweep.described()["learners"], sweep.described()["seeds"]
        (['bow', 'ffnn'], [1, 2, 3])
    """

    space: Space
    measure: Measure
    searching: Searching = field(default_factory=Searching)
    parts: int = 1

    def __post_init__(self) -> None:
        if self.parts != 1:
            raise self.space.place.fault(
                "division.folds",
                "a search chooses settings by rows that are test rows of other folds, so that the test would tell too "
                "much; search without folds, and compare what it finds with folds",
            )
        self.search()  # says what is wrong before anything is trained

    @property
    def seeds(self) -> range:
        """Of the runs of finalists."""
        return range(1, self.searching.seeds + 1)

    def search(self) -> Search:
        """The search, at its beginning."""
        asked = self.searching
        if asked.method == GRID:
            return GridSearch(self.space, trials=asked.trials, batch=asked.batch)
        trials = USUAL if asked.trials is None and asked.minutes is None else asked.trials
        if asked.method == MODEL:
            return ModelSearch(
                self.space, trials=trials, batch=asked.batch, seed=asked.seed, higher=self.measure.higher
            )
        return RandomSearch(self.space, trials=trials, batch=asked.batch, seed=asked.seed)

    def batches(self, study: StudyFolder) -> Generator[Batch, Sequence[Line], None]:
        """Generations, and the finalists."""
        search, rule = self.search(), STOPPING.make(self.searching.stopping)
        results: list[Result] = []
        curves: list[Curve] = []
        finished: list[tuple[float, Configuration]] = []
        began = time.monotonic()
        for generation in count():
            if generation and self._late(began):
                break
            configurations = search.generation(generation, results)
            if not configurations:
                break
            watching = (Hopeless(rule, self.measure.name, self.measure.higher, tuple(curves)),) if rule.stops else ()
            lines = yield Batch([Trial(*configuration) for configuration in configurations], "search", watching)
            for configuration, line in zip(configurations, lines, strict=True):
                value = self.measure.value(line)
                known = math.isfinite(value) and line["state"] != FAILED
                results.append(Result(len(results), value if known else None))
                if known and line["state"] == FINISHED:
                    finished.append((value, configuration))
                if rule.stops and line["state"] != FAILED:
                    curves.append(self._curve(study, line))
        finished.sort(key=lambda found: -found[0] if self.measure.higher else found[0])  # of equals, the first
        best = [configuration for _, configuration in finished[: self.searching.finalists]]
        if best:
            yield Batch([Trial(*configuration, seed) for seed in self.seeds for configuration in best])

    def described(self) -> dict[str, Any]:
        """What is searched, and how."""
        names = dict.fromkeys(kinds[LEARNER].name for kinds in self.space.reachable)
        asked = {name: value for name, value in self.searching.settings().items() if name != "name"}
        asked["trials"] = self.search().trials
        search = {**asked, "space": self.space.content(), "fixed": self.space.fixed_content()}
        return {"learners": list(names), "seeds": list(self.seeds), "search": search}

    def _late(self, began: float) -> bool:
        minutes = self.searching.minutes
        return minutes is not None and time.monotonic() - began > 60 * minutes

    def _curve(self, study: StudyFolder, line: Line) -> Curve:
        record = read_lines(study.folder(line["run"]) / RECORD)
        return Curve.of_record(record, self.measure.name, stopped=line["state"] == STOPPED)


def sweep(  # noqa: D417  (what it shares with a comparison is described at `Experiment`)
    table: Table,
    space: Mapping[str, Any],
    *,
    folder: str | os.PathLike[str],
    fixed: Mapping[str, Any] | None = None,
    searching: Searching | None = None,
    division: Division | None = None,
    measure: str | None = None,
    valid: Table | None = None,
    test: Table | None = None,
    jobs: int | None = None,
    workers: str = "threads",
    address: str | None = None,
    engine: str = "native",
    keep: str = "winner",
    onlooker: Onlooker | None = None,
    command: Sequence[str] | None = None,
) -> StudyFolder:
    """Search for the learner and the settings that are best on a table, several trainings at once.

    Trials learn from the same rows and stop by the same rows. The best are trained again with several seeds, and
    judged on test rows, which nothing else sees. The same call goes on with a study that was interrupted; with more
    trials, or minutes, it goes on with one that has ended: the trials are those of a search that asked for as many at
    once, and earlier finalists stay finalists.

    Args:
        table: rows with what is to be predicted.
        space: by the names of settings, what they may be: a list of choices, or a `Range`; see `Space`.
        fixed: by the names of settings, what stays as it is, such as {"task": "regress", "epochs": 10}.
        searching: how: which method, how many trials, what stops hopeless runs, ...; None for 20 trials at random.
        division, measure, valid, test: how the table is divided, and what decides; see `Experiment`.
        folder, jobs, workers, address, engine, keep, onlooker, command: see `Experiment.run`.

    Raises:
        ConfigurationError: for a space that is empty, contradictory, or names what there is not.
        DataError: for a table that cannot be divided.
        ModelError: when the folder holds another study.
        StorageError: when it cannot be written.

    Example:
        >>> import tempfile, chainrule
        >>> from chainrule.experiment import Range
        >>> table = chainrule.Table.from_lists(["good fun", "fun", "bad", "dull film"] * 30, list("ppnn") * 30)
        >>> folder = tempfile.mkdtemp() + "/study"
        >>> space = {"learner": ["bow", "ffnn"], "learning_rate": Range(0.01, 1, scale="log"), "hidden": [[8], [16, 8]]}
        >>> searching = Searching(trials=4, finalists=1, seeds=2)
        >>> study = sweep(table, space, fixed={"epochs": 2}, searching=searching, folder=folder)
        >>> [line["stage"] for line in study.ended().values()]
        ['search', 'search', 'search', 'search', 'final', 'final']
    """
    held = Space(space, fixed)
    division = Division() if division is None else division
    found = Measure.of(held.task, measure)
    plan = Sweep(held, found, Searching() if searching is None else searching, division.parts)
    return Experiment(table, plan, held.task, division, measure, valid, test).run(
        folder, jobs=jobs, workers=workers, address=address, engine=engine, keep=keep, onlooker=onlooker,
        command=command,
    )  # fmt: skip
