"""What a diagnostic is: a function of the course of a training that gives a sentence, or nothing.

What it reads stands in the record, so it says the same during training and afterwards. One of one's own is a function
under `@illness("its name")`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from chainrule.dataclasses import dataclass
from chainrule.train.record import Line

#: The part of the loss at the start that is as good as none of it.
LITTLE = 0.02


@dataclass(frozen=True)
class Finding:
    """What a diagnostic found.

    Attributes:
        name: of the illness, such as "overfitting".
        sentence: what was seen, and what to do.
    """

    name: str
    sentence: str

    def as_line(self) -> dict[str, str]:
        """The same as JSON holds it."""
        return {"name": self.name, "sentence": self.sentence}


class Course:
    """The course of a training, from the lines of its record.

    Attributes:
        first: the first line.
        epochs: the lines of the epochs.
        end: the last line; empty while training goes on.
    """

    def __init__(self, record: Sequence[Line]) -> None:
        self.first: Line = next((line for line in record if line.get("kind") == "run"), {})
        self.epochs = [line for line in record if line.get("kind") == "epoch"]
        self.end: Line = next((line for line in record if line.get("kind") == "end"), {})

    @cached_property
    def train(self) -> list[float]:
        """The training loss of each epoch."""
        return [float(line["train_loss"]) for line in self.epochs]

    @cached_property
    def valid(self) -> list[float]:
        """The validation loss of each epoch."""
        return [float(line["valid_loss"]) for line in self.epochs]

    @cached_property
    def losses(self) -> list[float]:
        """The training loss in the order of steps, a mean over some of them each; by epochs in older records."""
        found: list[float] = []
        for line in self.epochs:
            found += line.get("observed", {}).get("losses") or [float(line["train_loss"])]
        found += self.end.get("observed", {}).get("losses", [])
        return found

    @property
    def level(self) -> float | None:
        """The loss of the best answer that needs no look at a row; where that is not known, the loss at the start."""
        baseline = self.end.get("baseline", {}).get("loss")
        return baseline if baseline is not None else self.start

    @property
    def start(self) -> float | None:
        """The loss before the first step."""
        start: float | None = self.epochs[0].get("observed", {}).get("start") if self.epochs else None
        return start

    @property
    def best(self) -> int:
        """The number of the epoch with the lowest validation loss, from 0."""
        return min(range(len(self.valid)), key=self.valid.__getitem__)

    @property
    def rate(self) -> float:
        """The learning rate of the training, before its schedule."""
        return float(self.first.get("training", {}).get("learning_rate") or self.epochs[0]["learning_rate"])

    def passes(self, number: int) -> str:
        """How an epoch is called, by its number from 0."""
        return f"{self.epochs[number]['epoch']:g}"

    def observed(self, name: str) -> Iterator[tuple[Line, Any]]:
        """The epochs in which something was looked at, and the end, and what was seen."""
        for line in [*self.epochs, self.end]:
            seen = line.get("observed", {}).get(name)
            if seen is not None:
                yield (self.epochs[-1] if line is self.end else line), seen

    def last(self, name: str) -> Mapping[str, Any]:
        """What was seen when something was looked at for the last time; empty if it never was."""
        return next((seen for _, seen in reversed([*self.observed(name)])), {})


Diagnostic = Callable[[Course], str | None]
#: Findings that are no illness.
HEALTHY = frozenset({"converged"})
#: All diagnostics, by the names of illnesses.
ILLNESSES: dict[str, Diagnostic] = {}


def illness(name: str) -> Callable[[Diagnostic], Diagnostic]:
    """Make a diagnostic known under the name of what it finds; for use as a decorator."""

    def register(diagnostic: Diagnostic) -> Diagnostic:
        ILLNESSES[name] = diagnostic
        return diagnostic

    return register


def findings(record: Sequence[Line]) -> list[Finding]:
    """What the diagnostics say of a training, from the lines of its record.

    Example:
        >>> epoch = {"kind": "epoch", "learning_rate": 0.1}
        >>> losses = [(0.6, 0.62), (0.4, 0.55), (0.2, 0.5), (0.1, 0.7), (0.05, 0.9), (0.02, 1.2)]
        >>> lines = [{**epoch, "epoch": i + 1, "train_loss": t, "valid_loss": v} for i, (t, v) in enumerate(losses)]
        >>> [finding.name for finding in findings(lines)]
        ['overfitting']
    """
    course = Course(record)
    if not course.epochs:
        return []
    said = ((name, diagnostic(course)) for name, diagnostic in ILLNESSES.items())
    return [Finding(name, sentence) for name, sentence in said if sentence is not None]
