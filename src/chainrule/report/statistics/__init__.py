"""Statistics of results: what they say beyond the runs at hand, in pure functions of numbers.

Every function says what it is over: other seeds, other examples, or both.
"""

from chainrule.report.statistics.bootstrap import Interval, Summary, mean_interval
from chainrule.report.statistics.budget import Budget, expected_best, expected_best_with_replacement
from chainrule.report.statistics.comparison import Comparison, compare, compare_on_examples, compare_over_seeds
from chainrule.report.statistics.correction import holm
from chainrule.report.statistics.crossed import crossed_interval
from chainrule.report.statistics.dominance import Dominance, almost_stochastic_order
from chainrule.report.statistics.effects import Effect, Level, main_effects
from chainrule.report.statistics.winner import Verdict, name_winner

__all__ = [
    "Budget", "Comparison", "Dominance", "Effect", "Interval", "Level", "Summary", "Verdict", "almost_stochastic_order",
    "compare", "compare_on_examples", "compare_over_seeds", "crossed_interval", "expected_best",
    "expected_best_with_replacement", "holm", "main_effects", "mean_interval", "name_winner",
]  # fmt: skip
