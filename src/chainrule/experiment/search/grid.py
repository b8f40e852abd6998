"""Grid search: each combination of the choices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from chainrule.errors import ConfigurationError
from chainrule.experiment.search.search import Result, require_dimensions
from chainrule.experiment.search.space import Dimension, Space, identity
from chainrule.train.configuration import Configuration

#: Combinations of a grid, at most.
MOST = 10_000


class GridSearch:
    """Each combination of the choices, in order: what was given last varies fastest.

    Ranges take part with as many numbers as their `count`; whole numbers with all of them, unless they have one.
    Combinations that a training refuses are left out (`left_out`), and so are those that say the same as another one.

    Args:
        space: what varies.
        trials: at most; None for all combinations.
        batch: trials of a generation.

    Raises:
        ConfigurationError: for a range without a count, for more combinations than `trials` or 10,000, and when all
            combinations are refused.

    Example:
        >>> from chainrule.experiment.search.space import Space
        >>> search = GridSearch(Space({"learner": ["bow", "ffnn"], "dropout": [0.0, 0.5]}))
        >>> [getattr(learner, "dropout", None) for _, learner, _ in search.generation(0, ())]
        [None, 0.0, 0.5]
    """

    def __init__(self, space: Space, *, trials: int | None = None, batch: int = 8) -> None:
        require_dimensions(space)
        for dimension in space.dimensions:
            if dimension.domain.listed() is None:
                raise space.place.fault(
                    f"space.{dimension.given}",
                    "a grid takes some numbers of a range; give their count, as in {low = 0.1, high = 1.0, count = 4}",
                )
        found: dict[str, Configuration] = {}
        #: Why combinations are left out that a training refuses, and how many for each reason.
        self.left_out: dict[str, int] = {}
        limit = MOST if trials is None else min(trials, MOST)
        combinations = list(islice(_combinations(space, space.dimensions, {}), limit + 1))
        if len(combinations) > limit:
            advice = f"{'leave the limit out, or ' if limit < MOST else ''}draw some of them (method random)"
            raise space.place.fault("search.trials", f"the grid has more than {limit:,} combinations; {advice}")
        for values in combinations:
            try:
                configuration = space.configuration(values)
            except ConfigurationError as error:
                self.left_out[str(error)] = self.left_out.get(str(error), 0) + 1
                continue
            found.setdefault(identity(configuration), configuration)
        if not found:
            raise space.place.fault("space", f"no combination can be trained: {next(iter(self.left_out))}")
        self._configurations = list(found.values())
        self.batch = batch
        self.trials: int | None = len(found)

    def generation(self, number: int, results: Sequence[Result] = ()) -> list[Configuration]:  # noqa: ARG002
        """The configurations of a generation; none after the last."""
        return self._configurations[number * self.batch : (number + 1) * self.batch]


def _combinations(space: Space, left: Sequence[Dimension], values: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """All values that go on from those of the settings before."""
    if not left:
        yield values
        return
    dimension, *rest = left
    if not dimension.belongs(space.kinds(values)):
        yield from _combinations(space, rest, values)
        return
    for value in dimension.domain.listed() or ():
        yield from _combinations(space, rest, {**values, dimension.path: value})
