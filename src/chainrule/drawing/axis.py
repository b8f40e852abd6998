"""An axis of a plot: its room, and the round numbers that it shows."""

from __future__ import annotations

import math
from collections.abc import Sequence

from chainrule.dataclasses import dataclass

#: Numbers on an axis, about.
NUMBERS = 6
#: Numbers beyond this, or its negative, are as good as infinite.
MOST = 1e100


@dataclass(frozen=True)
class Axis:
    """The room of an axis, and the round numbers that it shows.

    Attributes:
        low, high: the ends; of a logarithmic axis their logarithms to base 10.
        numbers: what is shown, in ascending order.
        step: between two of them; 0 where they are not equally far apart.
        logarithmic: whether equal ratios take equal room.
    """

    low: float
    high: float
    numbers: Sequence[float]
    step: float
    logarithmic: bool

    @classmethod
    def over(cls, values: Sequence[float], *, logarithmic: bool = False, whole: bool = False, room: float) -> Axis:
        """An axis that holds values, with some room beyond them, a share of the whole; of none, from 0 to 1."""
        placed = [math.log10(x) for x in values] if logarithmic else list(values)
        low, high = (min(placed), max(placed)) if placed else (0.0, 1.0)
        if high - low <= max(1e-9 * abs(low), 1e-9 * abs(high), 1 / MOST):  # all the same
            around = 0.3 if logarithmic else abs(low) / 2 or 0.5
            low, high = low - around, high + around
        low, high = low - room * (high - low), high + room * (high - low)
        if logarithmic and high - low > 1:
            factors = (1, 2, 5) if high - low < 2 else (1,)
            every = math.ceil((high - low) / (2 * NUMBERS))  # of the powers of ten
            powers = range(math.floor(low), math.ceil(high) + 1)
            round_numbers = [factor * 10.0**power for power in powers if power % every == 0 for factor in factors]
            return cls(low, high, [x for x in round_numbers if low <= math.log10(x) <= high], 0.0, True)
        first, last = (10.0**low, 10.0**high) if logarithmic else (low, high)
        step = max(_round_step((last - first) / NUMBERS), 1.0 if whole else 0.0)
        counted = range(math.ceil(first / step), math.floor(last / step) + 1)
        return cls(low, high, [k * step for k in counted], step, logarithmic)

    def place(self, value: float, start: float, stop: float) -> float:
        """Where a value is between the two ends of the axis."""
        along = math.log10(value) if self.logarithmic else value
        return start + (along - self.low) / (self.high - self.low) * (stop - start)

    def shown(self, number: float) -> str:
        """One of the numbers, with as many digits as tell it from its neighbours."""
        if not self.step:
            return f"{number:g}"
        digits = max(0, -math.floor(math.log10(self.step) + 1e-9))
        if digits > 5 or abs(number) >= 1e6:
            return f"{number:.{max(0, round(math.log10(max(abs(number), self.step) / self.step)))}e}"
        return f"{number:.{digits}f}"


def _round_step(step: float) -> float:
    """The next round number from this on: 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return power * next(factor for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9))
