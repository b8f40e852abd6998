"""Batches of trials, and the plans that they come from."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, Protocol

from chainrule.dataclasses import dataclass
from chainrule.experiment.store import Line, StudyFolder
from chainrule.experiment.trial import Trial
from chainrule.models import Learner
from chainrule.tasks import Task
from chainrule.train import Training
from chainrule.train.trainer import Observer

#: Task, learner and training: what is compared.
Configured = tuple[Task, Learner, Training]


@dataclass(frozen=True)
class Batch:
    """Trials that do not depend on each other's results, and so may run at the same time.

    Attributes:
        trials: in the order of their numbers.
        stage: "search", or "final" for those whose models are judged on test rows.
        watching: what looks on at each of them, and may stop it.
    """

    trials: Sequence[Trial]
    stage: str = "final"
    watching: tuple[Observer, ...] = ()


class Plan(Protocol):
    """Which trials an experiment makes.

    What comes next may depend on the results of what came before, and on nothing else: so it is the same for any number
    of workers, and for an experiment that was killed and is gone on with.
    """

    def batches(self, study: StudyFolder) -> Generator[Batch, Sequence[Line], None]:
        """Batches of trials, one after another; each `yield` gives the lines of those that have ended.

        They come in the order of the trials, those of failed runs among them.

        Args:
            study: where the records of runs are.
        """

    def described(self) -> dict[str, Any]:
        """What the study says of it: "learners", "seeds" and "search"."""
