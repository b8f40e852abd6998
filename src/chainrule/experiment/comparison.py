"""compare: several learners on one table, each with several seeds."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from typing import Any

from chainrule.data import Table
from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, shortened
from chainrule.experiment.batches import Batch, Configured
from chainrule.experiment.division import Division
from chainrule.experiment.experiment import Experiment
from chainrule.experiment.progress import Onlooker
from chainrule.experiment.store import Line, StudyFolder
from chainrule.experiment.trial import Trial
from chainrule.models import LEARNERS, Learner
from chainrule.report.study import Study, read_study
from chainrule.tasks import Classify, Task
from chainrule.train import Training


@dataclass(frozen=True)
class Comparison:
    """Each configuration with each seed on each part, all at once: the first seed of all comes before the second.

    Attributes:
        configurations: what is compared.
        seeds: of the runs of each.
        parts: how many divisions of the table there are.
    """

    configurations: Sequence[Configured]
    seeds: Sequence[int] = (0, 1, 2, 3, 4)
    parts: int = 1

    def batches(self, study: StudyFolder) -> Generator[Batch, Sequence[Line], None]:  # noqa: ARG002
        """All of it."""
        yield Batch([
            Trial(*configured, seed, part)
            for seed in self.seeds
            for part in range(self.parts)
            for configured in self.configurations
        ])  # fmt: skip

    def described(self) -> dict[str, Any]:
        """What is compared."""
        names = dict.fromkeys(learner.name for _, learner, _ in self.configurations)
        return {"learners": list(names), "seeds": list(self.seeds), "search": None}


def compare(  # noqa: D417  (what it shares with a sweep is described at `Experiment`)
    table: Table,
    learners: Sequence[Learner | str],
    *,
    folder: str | os.PathLike[str],
    seeds: int | Sequence[int] = 5,
    task: Task | None = None,
    training: Training | None = None,
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
) -> Study:
    """Train several learners with several seeds, several at once, and judge all of them on the same test rows.

    The rows are divided once: each run learns from the same ones, stops by the same ones, and is judged on the same
    ones, which nothing else sees. The same call goes on with a study that was interrupted.

    Args:
        table: rows with what is to be predicted.
        learners: families of networks with their settings, or names, such as "ffnn" or "ffnn:hidden=128".
        seeds: how many runs each learner has, or their seeds.
        task: what is asked; None for one label a row.
        training: how all of them are trained; None for what suits each.
        division, measure, valid, test: how the table is divided, and what decides; see `Experiment`.
        folder, jobs, workers, address, engine, keep, onlooker, command: see `Experiment.run`.

    Returns:
        The records of the study, of which it makes rankings and reports; see `chainrule.read_study`.

    Raises:
        ConfigurationError: for learners that there are not, that cannot do the task, or none.
        DataError: for a table that cannot be divided.
        ModelError: when the folder holds another study.
        StorageError: when it cannot be written.

    Example:
        >>> import tempfile, chainrule
        >>> table = chainrule.Table.from_lists(["good fun", "fun", "bad", "dull film"] * 30, list("ppnn") * 30)
        >>> folder = tempfile.mkdtemp() + "/study"
        >>> study = chainrule.compare(table, ["bow", "ffnn:dim=8"], folder=folder, seeds=2)
        >>> [(entry.label, entry.mean, len(entry.values)) for entry in study.ranking()]
        [('bow', 1.0, 2), ('ffnn', 1.0, 2)]
        >>> study.report()[:15]
        '<!doctype html>'
    """
    task, training = Classify() if task is None else task, Training() if training is None else training
    division = Division() if division is None else division
    if isinstance(learners, str) or not learners:
        raise ConfigurationError(f"compare: expected learners, such as ['bow', 'ffnn'], got {shortened(learners)}")
    made = [LEARNERS.make(learner) for learner in learners]
    for learner in made:
        learner.require(task.answers, task.name)
    configurations = [(task, learner, training) for learner in made]
    Experiment(
        table, Comparison(configurations, seeds=listed_seeds(seeds), parts=division.parts), task, division, measure,
        valid, test,
    ).run(
        folder, jobs=jobs, workers=workers, address=address, engine=engine, keep=keep, onlooker=onlooker,
        command=command,
    )  # fmt: skip
    return read_study(folder)


def listed_seeds(seeds: int | Sequence[int]) -> tuple[int, ...]:
    """The seeds that a number of them, or a list, stands for.

    Raises:
        ConfigurationError: for something else, none, or one that comes twice.
    """
    held: Any = tuple(range(seeds)) if isinstance(seeds, int) and not isinstance(seeds, bool) else seeds
    whole = isinstance(held, Sequence) and not isinstance(held, str) and all(type(x) is int and x >= 0 for x in held)
    if not whole or not held or len(set(held)) != len(held):
        raise ConfigurationError(
            f"seeds: expected how many, 1 or more, or different whole numbers of 0 or more; got {shortened(seeds)}"
        )
    return tuple(held)
