"""Epochs: what training came to between two validations, and how far it has come since the last."""

from __future__ import annotations

import math
import time
from dataclasses import field
from typing import Any, ClassVar

from chainrule.dataclasses import dataclass
from chainrule.train.sums import Sums


@dataclass(frozen=True)
class Epoch:
    """What training came to from one validation to the next: a pass over the examples, or `Training.every` steps.

    Attributes:
        number: of the validation, from 1.
        epoch: passes over the training examples so far.
        step: steps so far.
        train: measures of the training examples, as they were seen.
        valid: measures of the validation examples.
        learning_rate: of the last step.
        seconds: that the steps took.
        examples_per_second: of the steps.
        observed: what diagnostics saw, as JSON holds it; see `chainrule.train.diagnostics`.
    """

    number: int
    epoch: float
    step: int
    train: dict[str, float]
    valid: dict[str, float]
    learning_rate: float
    seconds: float
    examples_per_second: float
    observed: dict[str, Any] = field(default_factory=dict)

    def as_line(self) -> dict[str, Any]:
        """The line of the record."""
        parts = {"train": self.train, "valid": self.valid}
        measures = {f"{part}_{name}": value for part, held in parts.items() for name, value in held.items()}
        known = {name: None if math.isnan(value) else value for name, value in measures.items()}
        rest = {name: getattr(self, name) for name in ("learning_rate", "seconds", "examples_per_second")}
        seen = {"observed": self.observed} if self.observed else {}
        return {"kind": "epoch", "epoch": self.epoch, "step": self.step, **known, **rest, **seen}

    @classmethod
    def of_line(cls, line: dict[str, Any], number: int) -> Epoch:
        """The epoch that a record's line stands for."""
        parts: dict[str, dict[str, float]] = {"train": {}, "valid": {}}
        for key, value in line.items():
            part, _, name = key.partition("_")
            if part in parts:
                parts[part][name] = math.nan if value is None else value
        names = ("epoch", "step", "learning_rate", "seconds", "examples_per_second")
        seen = line.get("observed", {})
        return cls(number=number, **parts, **{name: line[name] for name in names}, observed=seen)  # type: ignore[arg-type]


@dataclass
class Position:
    """Where in the data a training is.

    Attributes:
        passes: whole passes over the training examples so far.
        batches: mini-batches of the pass that is going on.
        read: rows of the pass that is going on.
        steps: since the last validation.
        rows: that these steps read.
        seconds: that they took.
        sums: what they came to, as far as it is known; see `settled`.
        observed: what diagnostics saw of them, as JSON holds it.
    """

    passes: int = 0
    batches: int = 0
    read: int = 0
    steps: int = 0
    rows: int = 0
    seconds: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)
    observed: dict[str, Any] = field(default_factory=dict)

    #: Of the last mini-batches, whose sums an engine may still be computing, in order.
    _coming: ClassVar[tuple[Sums, ...]] = ()

    def advance(self, rows: int, sums: Sums, seconds: float, *, stepped: bool = True) -> None:
        """A mini-batch has been read, and a step taken unless its gradients wait for those of others."""
        self.batches += 1
        self.read += rows
        self.steps += stepped
        self.rows += rows
        self.seconds += seconds
        self._coming = (*self._coming, sums)  # type: ignore[misc]  # of this position alone
        while self._coming and self._coming[0].known:
            self._add()

    def settled(self) -> Position:
        """Wait for the sums that are not known yet; the position, with all of them added up.

        Raises:
            DivergenceError: when a loss is no finite number.
        """
        started = time.perf_counter()
        while self._coming:
            self._add()
        self.seconds += time.perf_counter() - started
        return self

    def _add(self) -> None:
        """Add up the first sums that are to come: each step's after those of the one before, to the same bits."""
        first, *rest = self._coming
        self.sums = {name: self.sums.get(name, 0.0) + value for name, value in first.read().items()}
        self._coming = tuple(rest)  # type: ignore[misc]

    def begin(self) -> None:
        """A validation has ended: what is counted since the last one begins anew."""
        self.steps, self.rows, self.seconds, self.sums, self.observed = 0, 0, 0.0, {}, {}
