"""Several comparisons at once: the more one looks at, the more seem to differ by chance."""

from __future__ import annotations

import numpy as np

from chainrule.errors import DataError
from chainrule.report.statistics.results import Array, Results, vector


def holm(p_values: Results) -> Array:
    """p-values that are corrected for how many there are.

        p̃ of the k-th least of n = the greatest of (n - j + 1) p_j over the j-th least, j ≤ k, and 1 at most

    It controls the family-wise error: if every p̃ of α or less is called a difference, the probability that even one of
    these is none is α at most, whatever the comparisons have to do with each other. It finds all that Bonferroni's
    correction (n times each p) finds, and more.

    Args:
        p_values: shape (n,), from 0 to 1.

    Raises:
        DataError: for none, and for what is no probability.

    Example:
        >>> holm([0.01, 0.04, 0.02]).tolist()
        [0.03, 0.04, 0.04]

    Source: Holm, A Simple Sequentially Rejective Multiple Test Procedure (1979).
    """
    held = vector(p_values, "Holm's correction")
    if held.min() < 0 or held.max() > 1:
        raise DataError(f"Holm's correction: expected probabilities from 0 to 1, got {held.min():g} to {held.max():g}")
    order = np.argsort(held, kind="stable")
    corrected = np.empty(len(held))
    corrected[order] = np.minimum(np.maximum.accumulate(held[order] * np.arange(len(held), 0, -1)), 1)
    return corrected
