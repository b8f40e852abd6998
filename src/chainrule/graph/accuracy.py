"""How exact an elementwise block is, and the arguments at which the shared test asks."""

from __future__ import annotations

import math

from chainrule.dataclasses import dataclass


@dataclass(frozen=True)
class Accuracy:
    """How far a result may be from the exact one: |result - exact| ≤ ulps · ulp(max(|exact|, least)).

    ulp(z), the unit in the last place, is the distance from z to the next number of its dtype. A `least` above 0 says
    that the equation loses digits of results below it, and how many: of a result of 10⁻³, with a least of 1, float32
    may lose three of its seven.

    Example:
        >>> Accuracy(ulps=2, least=1)
        2 units in the last place (of 1, where the result is smaller)
    """

    ulps: float = 4.0
    least: float = 0.0

    def __repr__(self) -> str:
        unit = f"{self.ulps:g} units in the last place"
        return f"{unit} (of {self.least:g}, where the result is smaller)" if self.least else unit


#: Arguments at which equations lose digits, overflow or meet a special case.
EXTREMES = (
    0.0, 1e-30, 1.0, 8.0, 30.0, 300.0, math.inf,
    -0.0, -1e-30, -1.0, -8.0, -30.0, -300.0, -math.inf, math.nan,
)  # fmt: skip
