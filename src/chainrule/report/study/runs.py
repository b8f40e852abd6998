"""A run of a study: what its line in runs.jsonl says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chainrule.errors import DataError
from chainrule.shown import one_line

STATES = ("finished", "stopped", "failed")
STAGES = ("search", "final")


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """The training of a configuration with a seed, on a part of the table.

    Attributes:
        name: of its folder.
        number: of the trial.
        configuration: 8 digits that its settings give.
        stage: "search", or "final".
        learner, training, task: settings.
        seed, part: what it is one of several of.
        state: "finished", "stopped" early as hopeless, or "failed".
        reason: why it ended; of a failed one, the message.
        valid: measures of validation at the best epoch, by name.
        epochs, best_epoch: how many there were, and which was best.
        seconds: that it took.
        parameters: how many numbers were learned; None where it failed before that was known.
        memory: bytes of weights and of the optimizer's state; None where it was not measured.
        findings: of the diagnostics, as sentences.
    """

    name: str
    number: int
    configuration: str
    stage: str
    learner: Mapping[str, Any]
    training: Mapping[str, Any]
    task: Mapping[str, Any]
    seed: int
    part: int
    state: str
    reason: str
    valid: Mapping[str, float]
    epochs: float
    best_epoch: float | None
    seconds: float
    parameters: int | None
    memory: int | None
    findings: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Run({one_line(self.name, 80)}, {self.state})"

    @classmethod
    def of(cls, line: Mapping[str, Any], where: str) -> Run:
        """The run of a line.

        Args:
            line: of runs.jsonl.
            where: it stands, for the message.

        Raises:
            DataError: when something is missing, or of another kind than it should be.
        """
        read = _Reader(line, where)
        return cls(
            name=_folder_name(read("run", str), where),
            number=read("number", int, 0),
            configuration=read("configuration", str),
            stage=read.choice("stage", STAGES),
            learner=read("learner", dict),
            training=read("training", dict),
            task=read("task", dict),
            seed=read("seed", int),
            part=read("part", int, 0),
            state=read.choice("state", STATES),
            reason=read("reason", str, ""),
            valid={name: x for name, x in read("valid", dict, {}).items() if _is_number(x)},
            epochs=read("epochs", (int, float), 0),
            best_epoch=read("best_epoch", (int, float), None),
            seconds=float(read("seconds", (int, float), 0.0)),
            parameters=read("parameters", int, None),
            memory=read("memory", int, None),
            findings=tuple(map(_sentence, read("findings", list, []))),
        )

    @property
    def learner_name(self) -> str:
        """The name of its learner."""
        return str(self.learner.get("name", "?"))

    @cached_property
    def settings(self) -> dict[str, Any]:
        """All its settings by name with the place of each, such as `learner.dim` or `training.optimizer.beta1`."""
        parts = {"learner": self.learner, "training": self.training, "task": self.task}
        return flat(parts)


def flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings inside of settings by their place.

    Example:
        >>> flat({"training": {"optimizer": {"name": "adam"}, "epochs": 20}})
        {'training.optimizer.name': 'adam', 'training.epochs': 20}
    """
    found: dict[str, Any] = {}
    _gather(settings, "", found)
    return found


def _gather(settings: Mapping[str, Any], place: str, found: dict[str, Any]) -> None:
    for name, value in settings.items():
        if isinstance(value, dict):  # as JSON has it; a check for any mapping takes much longer
            _gather(value, f"{place}{name}.", found)
        else:
            found[place + name] = tuple(value) if isinstance(value, list) else value


class _Reader:
    """Takes what it should find from a line, and says what is wrong with it."""

    def __init__(self, line: Mapping[str, Any], where: str) -> None:
        self.line, self.where = line, where

    def __call__(self, name: str, kind: Any, *otherwise: Any) -> Any:
        """The value of a name, of a kind; what stands instead of it where it is missing or null."""
        value = self.line.get(name)
        if value is None and otherwise:
            return otherwise[0]
        if not isinstance(value, kind) or isinstance(value, bool):
            kinds = " or ".join(x.__name__ for x in (kind if isinstance(kind, tuple) else (kind,)))
            got = "nothing" if name not in self.line else f"{value!r:.60}"
            raise DataError(f"{self.where}: expected {kinds} as {name!r} of a run, got {got}")
        return value

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        value = str(self(name, str))
        if value not in choices:
            raise DataError(f"{self.where}: expected {name!r} to be one of {', '.join(choices)}, got {value!r:.60}")
        return value


def _folder_name(name: str, where: str) -> str:
    """The name, which must not lead out of the folder of runs."""
    if not name or name in (".", "..") or any(x in name for x in ("/", "\\", "\0")):
        raise DataError(f"{where}: expected the name of a folder as 'run', got {name!r:.60}")
    return name


def _is_number(x: object) -> bool:
    return isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x)


def _sentence(finding: object) -> str:
    """A finding may come with its name."""
    return str(finding.get("sentence", finding)) if isinstance(finding, Mapping) else str(finding)
