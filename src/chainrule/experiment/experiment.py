"""Experiment: learners and settings with several seeds on one table, from the first training to the test at the end."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime
from pathlib import Path

from chainrule.data import Table
from chainrule.dataclasses import dataclass
from chainrule.engines import engine_named
from chainrule.errors import ConfigurationError, StorageError
from chainrule.experiment.batches import Batch, Plan
from chainrule.experiment.division import Division, Part
from chainrule.experiment.finals import conclude
from chainrule.experiment.index import update_index
from chainrule.experiment.measure import Measure
from chainrule.experiment.progress import Nobody, Onlooker
from chainrule.experiment.runner import Job, Runner
from chainrule.experiment.running import Workers, cores, workers_named
from chainrule.experiment.store import FAILED, Line, StudyFolder
from chainrule.experiment.trial import Trial
from chainrule.experiment.turns import longest_first
from chainrule.native.threads import thread_count
from chainrule.report.study.language import language_of
from chainrule.tasks import Task
from chainrule.text.near_duplicates import near_duplicates
from chainrule.train.memory import machine_bytes
from chainrule.train.record import describe, versions

#: Seconds after which a run that another process has in hand is looked at again.
AGAIN = 0.2
#: By how many texts, and how much of each, one tells their language.
READ, LETTERS = 1000, 2000
#: What is kept of the models: those of the runs of the configuration that won, or all.
KEEP = ("winner", "all")


@dataclass(frozen=True, eq=False)
class Experiment:
    """Trials on one table, and what comes out of them.

    Attributes:
        table: rows with what is to be predicted.
        plan: which trials are made: a `Comparison`, or a search.
        task: what is asked.
        division: how the table is divided: 80 % to learn from, 10 % to stop by and 10 % for the test, unless told.
        measure: that decides, of validation: a name, such as "accuracy"; None for the one that the task names.
        valid: rows to stop by, which are none of the table's; None takes some of these.
        test: rows for the test at the end, which are none of the table's; None takes some of these.

    Example:
        >>> import tempfile, chainrule
        >>> from chainrule.experiment import Comparison, Experiment
        >>> table = chainrule.Table.from_lists(["good fun", "fun", "bad", "dull film"] * 30, list("ppnn") * 30)
        >>> task, training = chainrule.Classify(), chainrule.Training(epochs=3)
        >>> compared = [(task, chainrule.BagOfWords(), training), (task, chainrule.FeedForward(dim=8), training)]
        >>> folder = Path(tempfile.mkdtemp()) / "study"
        >>> study = Experiment(table, Comparison(compared, seeds=(0, 1)), task).run(folder, workers="threads")
        >>> [line["state"] for line in study.ended().values()]
        ['finished', 'finished', 'finished', 'finished']
    """

    table: Table
    plan: Plan
    task: Task
    division: Division = field(default_factory=Division)
    measure: str | None = None
    valid: Table | None = None
    test: Table | None = None

    def run(
        self,
        folder: str | os.PathLike[str],
        *,
        jobs: int | None = None,
        workers: str = "threads",
        address: str | None = None,
        engine: str = "native",
        keep: str = "winner",
        onlooker: Onlooker | None = None,
        command: Sequence[str] | None = None,
    ) -> StudyFolder:
        """Make all trials that the folder does not hold yet, and judge the models of the finalists on the test rows.

        Whatever ends this in between, the same call goes on from there: runs that have ended are not repeated, and
        others go on from their checkpoints. Several processes may work on one folder. A run that fails is written down
        with the reason, and the others go on; the next call tries it again.

        Args:
            folder: of the study: a new one, or one to go on with.
            jobs: how many trainings go on at once; None for one on each processor core, or each thread of a cluster.
            workers: what does them: "threads", "processes" (forked), or, on a cluster, "dask" or "ray".
            address: of that cluster; None starts one on this machine, for as long as this takes.
            engine: see `fit`.
            keep: which models are kept: "winner" for those of the runs of the best configuration, or "all".
            onlooker: is told what goes on.
            command: the command line, for the report.

        Raises:
            ModelError: when the folder holds another study: of other data, say.
            StorageError: when it cannot be written.
            DataError: for a table that cannot be divided.
            ConfigurationError: for a measure that the task does not have, workers that there are not, or a cluster that
                does not answer.
        """
        measure = Measure.of(self.task, self.measure)
        if keep not in KEEP:
            raise ConfigurationError(f"keep: expected {' or '.join(KEEP)}, got {keep!r}")
        count = None if jobs is None else thread_count(jobs)
        kind, engine = workers_named(workers), engine_named(engine).name
        kind.require(address)
        parts = self.division.divided(self.table, self.valid, self.test, task=self.task)
        study = StudyFolder.begin(folder, self._header(parts, measure, engine, command))
        runner = Runner(study.place, parts, engine=engine)
        onlooker = Nobody() if onlooker is None else onlooker
        with kind(runner, count, onlooker.told, address) as team:
            trained = self._train(study, team, onlooker)
            finalists = self._test(study, team, onlooker, trained)
            conclude(study, parts, measure, finalists, keep=keep)
        update_index(study)
        return study

    def _header(self, parts: Sequence[Part], measure: Measure, engine: str, command: Sequence[str] | None) -> Line:
        """What the study says of what was asked."""
        described = describe(self.table)
        given = {name: part for name, part in (("valid", self.valid), ("test", self.test)) if part is not None}
        others = {name: {**describe(part), "files": _files(part)} for name, part in given.items()}
        columns = {name: value for name, value in self.table.source.items() if name != "files"}
        rows = [
            {
                "train": len(part.train), "valid": len(part.valid), "test": len(part.test),
                "near_duplicates": near_duplicates(part.train, part.valid, part.test),
            }
            for part in parts
        ]  # fmt: skip
        return {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": versions(),
            "machine": {
                "system": platform.platform(), "processor": processor(), "cores": cores(), "memory": machine_bytes(),
            },
            "command": None if command is None else list(command),
            "data": {
                "name": self.table.name, "files": _files(self.table), "columns": columns,
                "rows": len(self.table), "fingerprint": described["fingerprint"], "labels": described.get("labels", {}),
                **{key: described[key] for key in ("unlabelled", "empty", "numbers") if key in described},
                **others,
            },
            "parts": {**self.division.settings(), "rows": rows},
            "task": self.task.settings(),
            "measure": measure.described(),
            "engine": engine,
            "language": language(self.table),
            **self.plan.described(),
        }  # fmt: skip

    def _train(self, study: StudyFolder, team: Workers, onlooker: Onlooker) -> dict[str, Job]:
        """Make the trials of the plan that have not ended yet; the jobs of all, by the names of their runs."""
        number = 0
        found: dict[str, Job] = {}
        batches = self.plan.batches(study)
        batch = next(batches, None)
        while batch is not None:
            jobs = [
                Job(trial, number + i, batch.stage, watching=batch.watching) for i, trial in enumerate(batch.trials)
            ]
            number += len(jobs)
            found |= {job.trial.name: job for job in jobs}
            lines = self._done(study, team, jobs, onlooker, batch)
            try:
                batch = batches.send(lines)
            except StopIteration:
                batch = None
        return found

    def _done(
        self, study: StudyFolder, team: Workers, jobs: Sequence[Job], onlooker: Onlooker, batch: Batch
    ) -> list[Line]:
        """Do the jobs of a batch that were not done before; the lines of all of them, in their order."""
        lines = {name: line for name, line in study.ended().items() if line["state"] != FAILED}
        failed: dict[str, Line] = {}
        onlooker.at_once(team.at_once())
        onlooker.planned(jobs, lines, batch.stage)
        left = [job for job in jobs if job.trial.name not in lines]
        seconds = {line["configuration"]: line.get("seconds", 0.0) for line in lines.values()}
        if left:
            team.prepare(left)
        while left:
            elsewhere = []
            for job, line in team.results(_still_open(study, longest_first(left, seconds), lines)):
                if line is None:
                    elsewhere.append(job)
                    continue
                study.append(line)
                (failed if line["state"] == FAILED else lines)[job.trial.name] = line
                seconds[line["configuration"]] = line.get("seconds", 0.0)
                onlooker.at_once(team.at_once())
                onlooker.ended(line)
            left = elsewhere
            if left:
                time.sleep(AGAIN)
                lines |= {name: line for name, line in study.ended().items() if line["state"] != FAILED}
                left = [job for job in left if job.trial.name not in lines]
        known = {**failed, **lines}
        return [known[job.trial.name] for job in jobs]

    def _test(self, study: StudyFolder, team: Workers, onlooker: Onlooker, trained: Mapping[str, Job]) -> list[Line]:
        """Judge the models of finalists that were not judged before; the lines of the runs of all finalists."""
        finalists = study.finalists()
        tested = study.tested()
        left = [trained.get(line["run"]) or _job_of(line) for line in finalists if line["run"] not in tested]
        jobs = [replace(job, does="test") for job in left]
        for _, line in team.results(jobs):
            if line is None or line["test"] is None:
                raise StorageError(
                    f"{study.place}: a model could not be judged: {'' if line is None else line['reason']}"
                )
            study.append(line)
            onlooker.tested(line)
        return finalists


def _files(table: Table) -> list[str] | None:
    """Where a table was read from; None for one that was made in Python."""
    files = table.source.get("files")
    return [files] if isinstance(files, str) else files and list(files)


def _job_of(line: Line) -> Job:
    """The job whose outcome a line is."""
    return Job(Trial.of(line), line["number"], line["stage"])


def _still_open(study: StudyFolder, jobs: Iterable[Job], lines: dict[str, Line]) -> Iterator[Job]:
    """The jobs that no other process has done by the time that a worker is free for them."""
    for job in jobs:
        found = study.ended().get(job.trial.name)
        if found is not None and found["state"] != FAILED:
            lines[job.trial.name] = found
        else:
            yield job


def language(table: Table) -> str | None:
    """The language of its texts, as far as the commonest words of the first of them tell it."""
    if not table.textual:
        return None
    texts = [" ".join(text) if isinstance(text, list) else text for text in table.texts.head(READ).to_list()]
    return language_of(text[:LETTERS] for text in texts)


def processor() -> str:
    """What the processor calls itself."""
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
