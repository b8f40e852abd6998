"""Random search: settings are drawn independently of each other and of results."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.experiment.search.search import Drawing, Drawn, Result


class RandomSearch(Drawing):
    """Settings are drawn at random.

    A trial depends on the seed, its number and the names of settings alone, but for those that would repeat an earlier
    one, which are drawn anew: a setting that is added to the space changes no other, and more trials go on with a
    search. Where all settings of a space have been drawn, the search is over.

    Example:
        >>> from chainrule.experiment.search.space import Space
        >>> search = RandomSearch(Space({"learner": ["bow", "ffnn"]}), trials=5)
        >>> [learner.name for _, learner, _ in search.generation(0)]
        ['ffnn', 'bow']

    Source: Bergstra and Bengio, Random Search for Hyper-Parameter Optimization (2012).
    """

    def draw(self, numbers: range, earlier: Sequence[tuple[Drawn, Result]]) -> list[Drawn]:  # noqa: ARG002
        """Trials drawn independently."""
        found: list[Drawn] = []
        for number in numbers:
            drawn = self.at_random(number)
            if drawn is None:
                break
            found.append(drawn)
        return found
