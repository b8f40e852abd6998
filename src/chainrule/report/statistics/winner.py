"""Whether one of several learners may be called the best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from chainrule.errors import ConfigurationError, DataError, shortened
from chainrule.report.statistics.comparison import Comparison, compare, compare_on_examples, compare_over_seeds
from chainrule.report.statistics.correction import holm
from chainrule.report.statistics.results import Results

#: In how many of a hundred studies of equal learners a winner may be named, at most, as a share.
ALPHA = 0.05


@dataclass(frozen=True)
class Verdict:
    """Whether a winner can be named.

    Attributes:
        winner: the learner with the best validation.
        named: whether it is better than each of the others, beyond chance.
        alpha: if all learners were equally good, the probability that one would be named is this at most.
        over: what other seeds, examples or both that is over.
        comparisons: of it with each of the others.
        p_values: of these, corrected for their number by Holm's method.
    """

    winner: str
    named: bool
    alpha: float
    over: str
    comparisons: Mapping[str, Comparison]
    p_values: Mapping[str, float]

    @property
    def rivals(self) -> tuple[str, ...]:
        """The learners that it cannot be told from, the likeliest to be as good first."""
        near = [
            name
            for name, found in self.comparisons.items()
            if self.p_values[name] > self.alpha or found.difference <= 0
        ]
        return tuple(sorted(near, key=lambda name: self.comparisons[name].difference))

    @property
    def sentence(self) -> str:
        """The verdict in one sentence, with the probability that it is wrong."""
        if not self.comparisons:
            return f"{self.winner} is the only learner, so there is none to be better than."
        if self.named:
            count = len(self.comparisons)
            others = f"each of the {count} others" if count > 1 else next(iter(self.comparisons))
            return (
                f"{self.winner} is the winner: it is better than {others} by more than chance gives over other "
                f"{self.over}; if all were equally good, one would be named in at most {100 * self.alpha:.3g} of 100 "
                "studies."
            )
        rival = self.rivals[0]
        p, difference = self.p_values[rival], self.comparisons[rival].difference
        if difference <= 0:
            why = f"on the test rows it is not ahead of {rival}"
        else:
            why = f"its lead over {rival} is one that chance alone gives over other {self.over} (p = {p:.2g})"
        return f"No winner can be named: {self.winner} has the best validation, but {why}."


def name_winner(
    scores: Mapping[str, Results], validation: Mapping[str, float], *, higher: bool = True, alpha: float = ALPHA
) -> Verdict:
    """Whether the learner with the best validation is better than all others, beyond chance.

    The learner with the best mean validation is compared with each of the others, on both sides, and the p-values are
    corrected by Holm's method. It is named if it is ahead of all with a corrected p of α or less. If all learners are
    equally good, one is named with a probability of α at most: in 2 to 4 of 100 simulated studies of two learners, and
    in less than 1 of three or five, with 5 seeds and 500 rows, whether the seed alone moves accuracy by 0, 1 or 3
    points. A learner that leads two others by 4 points, where the seed moves 1, is named in 63 of 100, by 6 in 97.

    Args:
        scores: of each learner, its scores of the test rows, shape (seeds, rows), the higher the better: compared over
            other seeds and rows (`compare`), or over rows alone if one has a single seed. Or its results, one a seed,
            shape (seeds,): compared over seeds.
        validation: of each learner, the mean of its validation results.
        higher: whether higher validation is better.
        alpha: α.

    Raises:
        DataError: for no learner, others in one than in the other, scores that cannot be compared, and for what is no
            finite number.
        ConfigurationError: for an alpha that is no share.

    Example:
        >>> scores = {"bow": [[1, 0, 1, 0, 1, 0]] * 2, "cnn": [[1, 1, 1, 0, 1, 0], [1, 0, 1, 1, 1, 0]]}
        >>> verdict = name_winner(scores, {"bow": 0.55, "cnn": 0.65})
        >>> verdict.winner, verdict.named
        ('cnn', False)
        >>> verdict.sentence[:65]
        'No winner can be named: cnn has the best validation, but its lead'
    """
    if not 0 < alpha < 1:
        raise ConfigurationError(f"alpha: expected a number between 0 and 1, such as 0.05, got {shortened(alpha)}")
    if not scores or set(scores) != set(validation):
        raise DataError(
            f"winner: expected scores and validation of the same learners, got {shortened(sorted(scores))} and "
            f"{shortened(sorted(validation))}"
        )
    wrong = [name for name, value in validation.items() if not np.isfinite(value)]
    if wrong:
        raise DataError(f"winner: the validation of {wrong[0]} is {validation[wrong[0]]}; leave out runs that failed")
    winner = max(scores, key=lambda name: validation[name] if higher else -validation[name])
    others = [name for name in scores if name != winner]
    comparisons = {name: _compared(scores, winner, name, 1 - alpha) for name in others}
    p_values = (
        dict(zip(others, holm([found.p for found in comparisons.values()]).tolist(), strict=True)) if others else {}
    )
    ahead = all(found.difference > 0 for found in comparisons.values())
    named = bool(others) and ahead and all(p <= alpha for p in p_values.values())
    over = next(iter(comparisons.values())).over if others else ""
    return Verdict(winner, named, alpha, over, comparisons, p_values)


def _compared(scores: Mapping[str, Results], winner: str, other: str, level: float) -> Comparison:
    """Two learners, by what is known of them."""
    first, second = (np.asarray(scores[name], np.float64) for name in (winner, other))
    if first.ndim != second.ndim:
        raise DataError(f"winner: expected scores of the same kind, got shapes {first.shape} and {second.shape}")
    if first.ndim == 1:
        return compare_over_seeds(first, second, level=level)
    if any(np.ndim(x) == 2 and len(x) == 1 for x in scores.values()):
        return compare_on_examples(first.mean(axis=0), second.mean(axis=0), level=level)
    return compare(first, second, level=level)
