"""What one setting may be in a search: choices, or a range of numbers."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, shortened
from chainrule.settings import Setting, suggestion

LINEAR, LOG = SCALES = ("linear", "log")
#: Digits of a number that is drawn: more tell nothing, and are tedious to read.
DIGITS = 4
#: Numbers are below this one.
MOST = 1e300


class Domain(ABC):
    """The values that a setting may have."""

    @abstractmethod
    def draw(self, generator: np.random.Generator) -> Any:
        """One of them."""

    @abstractmethod
    def listed(self) -> tuple[Any, ...] | None:
        """All of them, or those that a grid has; None where they cannot be listed."""

    @abstractmethod
    def content(self, none: str) -> Any:
        """The same as a settings file holds it, where a word stands for None."""

    @abstractmethod
    def checked(self, declared: Setting, kind: str) -> Domain:
        """The same with values in the type of a setting.

        Raises:
            ConfigurationError: when the setting may not take them.
        """


@dataclass(frozen=True)
class Choices(Domain):
    """One of these values, each as likely.

    Raises:
        ConfigurationError: when there is none, or one is listed twice.

    Example:
        >>> Choices((0.0, 0.2, 0.5)).draw(np.random.default_rng(0))
        0.5
    """

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ConfigurationError("there is nothing to choose from; list values, such as [0.0, 0.5]")
        for i, value in enumerate(self.values):
            if value in self.values[:i]:
                raise ConfigurationError(f"{shortened(value)} is listed twice; list each value once")

    def draw(self, generator: np.random.Generator) -> Any:
        """One of the values."""
        return self.values[int(generator.integers(len(self.values)))]

    def listed(self) -> tuple[Any, ...]:
        """The values."""
        return self.values

    def content(self, none: str) -> list[Any]:
        """A list."""
        return [list(x) if isinstance(x, tuple) else none if x is None else x for x in self.values]

    def checked(self, declared: Setting, kind: str) -> Choices:
        """The choices in the type of a setting."""
        none = declared.declaration.none if declared.optional else None
        given = (
            tuple(x) if isinstance(x, list) else None if none is not None and x == none else x for x in self.values
        )
        return Choices(tuple(declared.checked(kind, value) for value in given))


@dataclass(frozen=True)
class Range(Domain):
    """A number from low to high, both included; of a setting that is a whole number, a whole one.

    Args:
        low: the smallest.
        high: the largest.
        scale: "linear" where numbers are as likely as their neighbours, "log" where their logarithms are: for what may
            differ by powers of ten, such as a learning rate.
        count: of a grid, how many numbers of it, with low and high.
        whole: whether it is of whole numbers; the setting says so.

    Raises:
        ConfigurationError: for ends in the wrong order or not finite, a logarithm of what is not above 0, and another
            scale or count.

    Example:
        >>> Range(1e-4, 1e-1, scale="log", count=4).listed()
        (0.0001, 0.001, 0.01, 0.1)
        >>> Range(1, 4).draw(np.random.default_rng(0))
        2.911
    """

    low: float
    high: float
    scale: str = LINEAR
    count: int | None = None
    whole: bool = False

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < MOST:
                raise ConfigurationError(f"{name} must be a number, got {shortened(value)}")
        if self.low >= self.high:
            raise ConfigurationError(f"low must be below high, got low {self.low:g} and high {self.high:g}")
        if self.scale not in SCALES:
            raise ConfigurationError(f"scale must be {' or '.join(SCALES)}, got {shortened(self.scale)}")
        if self.scale == LOG and self.low <= 0:
            raise ConfigurationError(f"a logarithmic range begins above 0, got low {self.low:g}")
        if self.count is not None and (
            isinstance(self.count, bool) or not isinstance(self.count, int) or not 2 <= self.count <= 10_000
        ):
            raise ConfigurationError(f"count must be a whole number from 2 to 10,000, got {shortened(self.count)}")

    def draw(self, generator: np.random.Generator) -> float:
        """A number of the range."""
        if self.whole and self.scale == LINEAR:
            return int(generator.integers(int(self.low), int(self.high), endpoint=True))
        half = 0.5 if self.whole else 0.0  # each whole number stands for those that are rounded to it
        low, high = self.low - half, self.high + half
        if self.scale == LOG:
            return self._at(math.exp(generator.uniform(math.log(low), math.log(high))))
        return self._at(float(generator.uniform(low, high)))

    def rounded(self, value: float) -> float:
        """A number in the digits, and within the ends, of those that are drawn."""
        return self._at(value)

    def listed(self) -> tuple[float, ...] | None:
        """So many numbers of the range, or all whole ones."""
        if self.count is None:
            return tuple(range(int(self.low), int(self.high) + 1)) if self.whole and self.scale == LINEAR else None
        steps = np.linspace(0, 1, self.count).tolist()
        if self.scale == LOG:
            values = [self._at(self.low * math.pow(self.high / self.low, step)) for step in steps]
        else:
            values = [self._at(self.low + (self.high - self.low) * step) for step in steps]
        return tuple(dict.fromkeys(values))

    def content(self, none: str) -> dict[str, Any]:  # noqa: ARG002
        """A table."""
        held: dict[str, Any] = {"low": self.low, "high": self.high}
        if self.scale != LINEAR:
            held["scale"] = self.scale
        if self.count is not None:
            held["count"] = self.count
        return held

    def checked(self, declared: Setting, kind: str) -> Range:
        """The range in the type of a setting."""
        if declared.listed or declared.type not in (int, float):
            what = "a list" if declared.listed else declared.range()
            raise ConfigurationError(f"{declared.name} is {what}, and no range of numbers; list choices")
        low, high = (declared.checked(kind, value) for value in (self.low, self.high))
        return Range(low, high, self.scale, self.count, whole=declared.type is int)

    def _at(self, value: float) -> float:
        value = round(value) if self.whole else float(f"{value:.{DIGITS}g}")
        return min(max(value, self.low), self.high)


def domain_of(given: Any) -> Domain:
    """What Python code or a settings file says that a setting may be: a list of choices, or a range as a table.

    Raises:
        ConfigurationError: when it is neither.

    Example:
        >>> domain_of({"low": 1, "high": 3}), domain_of([1, 2])
        (Range(low=1, high=3, scale='linear', count=None, whole=False), Choices(values=(1, 2)))
    """
    if isinstance(given, Domain):
        return given
    if isinstance(given, list | tuple):
        return Choices(tuple(tuple(value) if isinstance(value, list) else value for value in given))
    if not isinstance(given, Mapping):
        raise ConfigurationError(
            f"expected choices such as [0.0, 0.5], or a range such as {{low = 0.0, high = 0.5}}, got {shortened(given)}"
        )
    known = ("low", "high", "scale", "count")
    for key in given:
        if key not in known:
            near = suggestion(key, known) or f"; it has {', '.join(known)}"
            raise ConfigurationError(f"a range has no {shortened(key)}{near}")
    for key in ("low", "high"):
        if key not in given:
            raise ConfigurationError(f"a range has low and high; {key} is missing")
    return Range(**given)


def written_domain(text: str, declared: Setting, kind: str) -> Domain:
    """What the command line says that a setting may be: `1e-4..1e-1:log`, `1..9:5`, `0,0.2,0.5` or `64,128|64`.

    Choices are separated by commas, and items of a list by |.

    Raises:
        ConfigurationError: when it says nothing that the setting may be.
    """
    number = r"[-+]?[0-9_.]*[0-9](?:[eE][-+]?[0-9]+)?"
    found = re.fullmatch(rf"({number})\.\.({number})((?::[a-z0-9]+)*)", text)
    if found is None:
        parts = _pieces(text) if declared.declaration.spelled is not None else text.split(",")
        held = [part.replace("|", ",") if declared.listed else part for part in parts]
        return Choices(tuple(declared.parsed(kind, part) for part in held)) if text else Choices(())
    further: dict[str, Any] = {}
    for word in filter(None, found[3].split(":")):
        key, value = ("count", int(word)) if word.isdecimal() else ("scale", word)
        if key in further:
            raise ConfigurationError(f"{text} says its {key} twice; say it once, as in 1e-4..1e-1:log:4")
        further[key] = value
    if declared.listed or declared.type not in (int, float):
        return Range(0, 1).checked(declared, kind)  # which says what is wrong
    low, high = (declared.parsed(kind, found[i]) for i in (1, 2))
    return Range(low, high, **further).checked(declared, kind)


def _pieces(text: str) -> list[str]:
    """What commas separate: one before "name=value" goes on with the settings of what came before."""
    found: list[str] = []
    for piece in text.split(","):
        if found and ":" in found[-1] and "=" in piece.partition(":")[0]:
            found[-1] += f",{piece}"
        else:
            found.append(piece)
    return found
