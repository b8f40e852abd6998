"""Search: which configurations are tried, generation after generation.

What is drawn for a trial depends on its number, the seed and the results of earlier generations, never on the order in
which results come: a search gives the same trials at any number of workers, and after it was killed.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError
from chainrule.experiment.search.space import Space, identity
from chainrule.random import generator
from chainrule.train.configuration import Configuration

#: How often a trial is drawn anew that is like an earlier one, or whose settings do not go together.
ATTEMPTS = 100


@dataclass(frozen=True)
class Result:
    """What came of a trial.

    Attributes:
        number: of the trial, from 0.
        value: the validation measure at its best epoch; None where it failed.
    """

    number: int
    value: float | None

    @property
    def known(self) -> bool:
        """Whether its value is a number."""
        return self.value is not None and math.isfinite(self.value)


class Search(Protocol):
    """A way to search.

    Attributes:
        trials: at most; None for as many as time allows.
    """

    trials: int | None

    def generation(self, number: int, results: Sequence[Result]) -> list[Configuration]:
        """The configurations of a generation, from 0; none when the search is over.

        Args:
            number: of the generation.
            results: of all trials of the generations before, in any order.
        """


@dataclass(frozen=True)
class Drawn:
    """The settings of a trial: what varies, by path, and the configuration that this makes."""

    values: Mapping[str, Any]
    configuration: Configuration


class Drawing(ABC):
    """A search that draws trials, none twice.

    Args:
        space: what varies.
        trials: at most; None for as many as time allows.
        batch: trials of a generation.
        seed: of what is drawn.

    Raises:
        ConfigurationError: when nothing varies, or when no settings that are drawn go together.
    """

    def __init__(self, space: Space, *, trials: int | None, batch: int = 8, seed: int = 0) -> None:
        require_dimensions(space)
        self.space = space
        self.trials = trials
        self.batch = batch
        self.seed = seed
        self._generations: list[list[Drawn]] = []
        self._seen: set[str] = set()

    def generation(self, number: int, results: Sequence[Result] = ()) -> list[Configuration]:
        """The configurations of a generation; none when all trials were drawn, or no others are left."""
        while len(self._generations) <= number:
            first = len(self._generations) * self.batch
            earlier = [drawn for held in self._generations for drawn in held]
            last = first + self.batch if self.trials is None else min(first + self.batch, self.trials)
            numbers = range(first, last) if len(earlier) == first else range(0)
            known = {result.number: result for result in results if result.number < first}
            pairs = [(drawn, known[i]) for i, drawn in enumerate(earlier) if i in known]
            self._generations.append(self.draw(numbers, pairs))
        return [drawn.configuration for drawn in self._generations[number]]

    @abstractmethod
    def draw(self, numbers: range, earlier: Sequence[tuple[Drawn, Result]]) -> list[Drawn]:
        """The trials of these numbers, or the first of them where no others are left.

        Args:
            numbers: of the trials of the generation.
            earlier: the trials of all generations before, in the order of their numbers, with what came of them.
        """

    def at_random(self, number: int, first: int = 0) -> Drawn | None:
        """A trial whose settings are drawn independently; None when there is no other than those that were drawn.

        Args:
            number: of the trial.
            first: how often it was drawn before.
        """
        fault: ConfigurationError | None = None
        for attempt in range(first, first + ATTEMPTS):
            path = (number,) if attempt == 0 else (number, attempt)
            values = self.space.walk(
                lambda dimension, path=path: dimension.domain.draw(generator(self.seed, dimension.key, *path))  # type: ignore[misc]
            )
            try:
                drawn = self.taken(values)
            except ConfigurationError as error:
                fault = error
                continue
            if drawn is not None:
                return drawn
        if fault is not None and not self._seen:
            raise ConfigurationError(f"no settings of this space go together that were drawn: {fault}") from fault
        return None

    def taken(self, values: Mapping[str, Any]) -> Drawn | None:
        """The trial with these values; None when there was one like it.

        Raises:
            ConfigurationError: for values that do not go together.
        """
        configuration = self.space.configuration(values)
        key = identity(configuration)
        if key in self._seen:
            return None
        self._seen.add(key)
        return Drawn(values, configuration)


def require_dimensions(space: Space) -> None:
    """Refuse a space in which nothing varies.

    Raises:
        ConfigurationError: when that is so.
    """
    if not space.dimensions:
        raise space.place.fault(
            "space", "the search space is empty: nothing varies; give choices or ranges, such as dropout = [0.0, 0.5]"
        )
