"""How a report shows figures, durations, sizes and settings."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

from chainrule.report.study.document import Cell
from chainrule.shown import one_line

if TYPE_CHECKING:
    from chainrule.report.statistics import Interval

NONE = "–"


def figure(x: float | None, digits: int = 4) -> str:
    """A measure.

    Example:
        >>> figure(0.78125), figure(12.3456), figure(1234567.0), figure(0.00001234), figure(None)
        ('0.7812', '12.35', '1,234,567', '1.23e-05', '–')
    """
    if x is None or not math.isfinite(x):
        return NONE
    if x == 0 or 10.0 ** -min(digits, 3) <= abs(x) < 10:
        return f"{x:.{digits}f}"
    if abs(x) >= 1e15 or abs(x) < 10:
        return f"{x:.3g}"
    return f"{x:,.2f}" if abs(x) < 1000 else f"{x:,.0f}"


def signed_figure(x: float) -> str:
    """A difference.

    Example:
        >>> signed_figure(0.01234), signed_figure(-0.5)
        ('+0.0123', '-0.5000')
    """
    return figure(x) if x < 0 else f"+{figure(x)}"


def measured(x: float | None) -> Cell:
    """A cell of a measure."""
    return Cell(figure(x), x)


def spread(values: Sequence[float]) -> Cell:
    """A cell of mean ± standard deviation."""
    middle = mean(values)
    if middle is None or len(values) < 2:
        return measured(middle)
    return Cell(f"{figure(middle)} ± {figure(statistics.stdev(values))}", middle)


def between(found: Interval | None) -> Cell:
    """A cell of an interval."""
    return Cell(NONE) if found is None else Cell(f"{figure(found.low)} to {figure(found.high)}", found.low)


def counted(x: float | None) -> Cell:
    """A cell of a number of things."""
    return Cell(NONE if x is None else f"{x:,.0f}", x)


def duration(seconds: float | None) -> str:
    """A time.

    Example:
        >>> duration(0.0312), duration(3.21), duration(75), duration(7322)
        ('31 ms', '3.2 s', '1 min 15 s', '2 h 2 min')
    """
    if seconds is None or not math.isfinite(seconds):
        return NONE
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"


def size(bytes: float | None) -> str:
    """A size in memory.

    Example:
        >>> size(999), size(120_000_000), size(8.5e9)
        ('999 bytes', '120 MB', '8.5 GB')
    """
    if bytes is None:
        return NONE
    for limit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if bytes >= limit:
            held = bytes / limit
            return f"{held:.1f} {name}" if held < 10 else f"{held:,.0f} {name}"
    return f"{bytes:.0f} bytes"


def setting_text(value: object) -> str:
    """A setting as it is shown."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(setting_text, value)) or "none"
    return one_line(str(value), 80)


def setting_name(place: str) -> str:
    """A setting without the part that it is of: of `training.learning_rate`, `learning rate`."""
    return one_line(place.partition(".")[2].replace(".", " ").replace("_", " ") or place)


def capital(text: str) -> str:
    """A text that begins with a capital."""
    return text[:1].upper() + text[1:]


def several(count: int, word: str, plural: str = "") -> str:
    """How many there are, with the word for them.

    Example:
        >>> several(1, "run"), several(2000, "run"), several(2, "class", "classes")
        ('1 run', '2,000 runs', '2 classes')
    """
    return f"{count:,} {word if count == 1 else plural or word + 's'}"


def mean(values: Sequence[float]) -> float | None:
    """The mean; None of none."""
    return math.fsum(values) / len(values) if values else None
