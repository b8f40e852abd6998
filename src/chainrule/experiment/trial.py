"""Trial: what is to be trained, and with which seed on which rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from chainrule.dataclasses import dataclass
from chainrule.forks import once
from chainrule.models import LEARNERS, Learner
from chainrule.tasks import TASKS, Task
from chainrule.train import Training


@dataclass(frozen=True)
class Trial:
    """One training that an experiment asks for: a configuration, which is task, learner and training, with a seed.

    It is settings alone: it can be pickled, written as JSON and made again from that.

    Attributes:
        task: what is asked.
        learner: the family of networks and its settings.
        training: how it is trained.
        seed: of the initial weights, the order of examples and dropout.
        part: which of the divisions of the table into rows to learn from, to stop by and to test on; see `Division`.

    Example:
        >>> import chainrule
        >>> trial = Trial(chainrule.Classify(), chainrule.BagOfWords(), chainrule.Training(epochs=3), seed=2)
        >>> trial.name == f"bow-{trial.configuration}-seed2", trial == Trial.of(trial.settings())
        (True, True)
    """

    task: Task
    learner: Learner
    training: Training
    seed: int = 0
    part: int = 0

    def __post_init__(self) -> None:
        """Two ways of asking for the same inputs are one trial."""
        object.__setattr__(self, "task", self.task.resolved(self.learner.reads, self.learner.name))

    def settings(self) -> dict[str, Any]:
        """All of it, as JSON holds it."""
        return {**self._configured(), "seed": self.seed, "part": self.part}

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Trial:
        """The trial with these settings.

        Raises:
            ConfigurationError: for settings that this version does not know.
        """
        task, learner = TASKS.make(settings["task"]), LEARNERS.make(settings["learner"])
        return cls(task, learner, Training.of(settings["training"]), settings["seed"], settings["part"])

    @once
    def configuration(self) -> str:
        """What stands for task, learner and training: eight hexadecimal digits of a hash of their settings."""
        text = json.dumps(self._configured(), sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    @property
    def name(self) -> str:
        """What the run of it is called, in its study."""
        part = f"-part{self.part}" if self.part else ""
        return f"{self.learner.name}-{self.configuration}-seed{self.seed}{part}"

    def _configured(self) -> dict[str, Any]:
        parts = {"task": self.task, "learner": self.learner, "training": self.training}
        return {name: part.settings() for name, part in parts.items()}
