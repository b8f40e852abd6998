"""What is declared of a setting, and the values it may take, in Python and as texts."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import numbers
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, SettingError, shortened
from chainrule.settings.suggestion import suggestion

if TYPE_CHECKING:  # a registry holds classes that have settings
    from chainrule.settings.registry import Registry

#: What stands for "no value" in a file and on the command line, where a setting may have none.
NO_VALUE = "none"
#: The largest whole number that arrays and tables can be compared with.
MOST = 2**63 - 1


def setting(
    default: Any,
    help: str,
    *,
    least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    longest: int | None = None,
    choices: Iterable[str] | None = None,
    kinds: Registry[Any] | None = None,
    spelled: Registry[Any] | None = None,
    word: str | None = None,
    option: str | None = None,
    metavar: str | None = None,
    none: str = NO_VALUE,
    keyword: bool = False,
) -> Any:
    """Declare a field of a `Settings` class as a setting.

    Args:
        default: what it is unless given.
        help: what it means, in a few words without a full stop; units where there are any.
        least: the smallest number it may be.
        above: numbers up to this one are refused.
        below: numbers from this one on are refused.
        longest: of a list, how many items it may have.
        choices: the texts it may be, one of the keys of a mapping for example.
        kinds: for a setting that is a `Settings` itself, those it may be.
        spelled: for a text that spells one of these with its settings, such as "leaky_relu:slope=0.02"; one of them may
            be given in its place, and becomes that text.
        word: a text that may stand in the place of a number, such as "auto".
        option: the option of the command line, where it is not the name with dashes. Of a switch that is on by default,
            the option turns it off.
        metavar: what stands for the value in the help of the option.
        none: what stands for None in a file and on the command line, where it may be None.
        keyword: whether the constructor takes it by name alone, where the class does not say so for all.

    Example:
        >>> from typing import ClassVar
        >>> from chainrule.settings import Settings
        >>> @dataclass(frozen=True, kw_only=True)
        ... class Sauce(Settings):
        ...     name: ClassVar[str] = "sauce"
        ...     salt: float = setting(0.1, "grams of salt", least=0)
        >>> Sauce(salt=2).settings()
        {'name': 'sauce', 'salt': 2.0}
        >>> Sauce(salt=-1)
        Traceback (most recent call last):
        chainrule.errors.SettingError: sauce: salt must be a number of 0 or more, got -1
    """
    declared = _Declaration(help, least, above, below, longest, choices, kinds, spelled, word, option, metavar, none)
    alone = True if keyword else dataclasses.MISSING
    return dataclasses.field(default=default, metadata={"setting": declared}, kw_only=alone)


@dataclass(frozen=True, eq=False)
class _Declaration:
    help: str
    least: float | None
    above: float | None
    below: float | None
    longest: int | None
    choices: Iterable[str] | None
    kinds: Registry[Any] | None
    spelled: Registry[Any] | None
    word: str | None
    option: str | None
    metavar: str | None
    none: str


@dataclass(frozen=True, eq=False)
class Setting:
    """A declared setting of a class.

    Attributes:
        name: of the field.
        type: bool, int, float or str; of a list, the type of its items.
        listed: whether it is a list.
        optional: whether it may be None.
        by_name: of a setting that is a `Settings` itself, whether its name may stand for one that is chosen later.
        default: what it is unless given.
        declaration: what was declared of it.
    """

    name: str
    type: type
    listed: bool
    optional: bool
    by_name: bool
    default: Any
    declaration: _Declaration

    @property
    def help(self) -> str:
        """What it means."""
        return self.declaration.help

    @property
    def kinds(self) -> Registry[Any] | None:
        """Of a setting that is a `Settings` itself, those it may be."""
        return self.declaration.kinds

    @property
    def option(self) -> str:
        """Its option on the command line."""
        return self.declaration.option or f"--{self.name.replace('_', '-')}"

    @property
    def word_of_none(self) -> str | None:
        """What stands for None in records, which have a null of their own but where a word says more."""
        return None if self.declaration.none == NO_VALUE else self.declaration.none

    @property
    def switch(self) -> bool:
        """Whether its option takes no value."""
        return self.type is bool

    @property
    def metavar(self) -> str:
        """What stands for its value in the help of its option."""
        word = self.declaration.metavar or {int: "N", float: "X"}.get(self.type, "NAME")
        return f"{word},{word}" if self.listed else word

    def range(self) -> str:
        """The values it may take, in words."""
        declared, what = self.declaration, {int: "a whole number", float: "a number"}.get(self.type, "a text")
        if self.type is bool:
            return "True or False"
        if declared.kinds is not None:
            return f"one of {', '.join(declared.kinds)}"
        if declared.spelled is not None:
            return f"one of {', '.join(declared.spelled)}" + (" or None" if self.optional else "")
        if declared.choices is not None:
            what = f"one of {', '.join(declared.choices)}"
        limits = [
            f"of {_limit(declared.least)} or more" if declared.least is not None else "",
            f"above {_limit(declared.above)}" if declared.above is not None else "",
            f"below {_limit(declared.below)}" if declared.below is not None else "",
        ]
        limit = " and ".join(filter(None, limits))
        if self.listed:
            what = {int: "whole numbers", float: "numbers", str: "texts"}[self.type]
            example = {int: "(128, 64)", float: "(0.5, 0.1)", str: "('a', 'b')"}[self.type]
            return f"{what} {limit}".rstrip() + f", such as {example}"
        word = f" or {declared.word!r}" if declared.word is not None else ""
        return f"{what} {limit}".rstrip() + word + (" or None" if self.optional else "")

    def checked(self, kind: str, value: Any) -> Any:
        """The value in its own type.

        Raises:
            SettingError: when it is not one the setting may take.
        """
        if self.optional and (value is None or value == self.word_of_none):
            return None
        if isinstance(value, str) and value == self.declaration.word:
            return value
        if self.kinds is not None:
            if isinstance(value, str) and self.by_name:
                return self.kinds.named(value).name
            return self.kinds.make(value)
        if self.declaration.spelled is not None:
            return self._spelled(kind, value, self.declaration.spelled)
        if not self.listed:
            return self._item(kind, value, value)
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise self._fault(kind, value)
        longest = self.declaration.longest
        if longest is not None and len(value) > longest:
            raise SettingError(kind, self.name, f"must have up to {longest} items, got {len(value):,}")
        return tuple(self._item(kind, item, value) for item in value)

    def _spelled(self, kind: str, value: Any, registry: Registry[Any]) -> str:
        """The shortest text that spells what is given."""
        name = str(value.partition(":")[0] if isinstance(value, str) else getattr(value, "name", ""))
        if name not in registry or not isinstance(value, str | registry[name]):
            near = suggestion(name, registry)
            raise SettingError(kind, self.name, f"must be {self.range()}, got {shortened(value)}{near}")
        try:
            return str(registry.make(value).spelled())
        except ConfigurationError as error:
            raise SettingError(kind, self.name, f"{shortened(value)}: {error}") from error

    def _item(self, kind: str, item: Any, value: Any) -> Any:
        declared = self.declaration
        if self.type in (bool, str):
            if not isinstance(item, self.type):
                raise self._fault(kind, value)
            if declared.choices is not None and item not in list(declared.choices):
                near = suggestion(item, declared.choices)
                raise SettingError(kind, self.name, f"must be {self.range()}, got {shortened(item)}{near}")
            return item
        number = numbers.Integral if self.type is int else numbers.Real
        if isinstance(item, bool) or not isinstance(item, number):
            raise self._fault(kind, value)
        try:
            converted = int(item) if self.type is int else float(item)  # type: ignore[call-overload]
        except OverflowError:  # a whole number that no float holds
            raise self._fault(kind, value) from None
        if self.type is int and abs(converted) > MOST:
            limit = f"must be {self.range()}, and at most {MOST}, got {shortened(value)}"
            raise SettingError(kind, self.name, limit)
        if not math.isfinite(converted):
            raise self._fault(kind, value)
        if declared.least is not None and converted < declared.least:
            raise self._fault(kind, value)
        if declared.above is not None and converted <= declared.above:
            raise self._fault(kind, value)
        if declared.below is not None and converted >= declared.below:
            raise self._fault(kind, value)
        return converted

    def _fault(self, kind: str, value: Any) -> SettingError:
        """What to say of a value that it may not take."""
        return SettingError(kind, self.name, f"must be {self.range()}, got {shortened(value)}")

    def parsed(self, kind: str, text: str) -> Any:
        """The value that a text on the command line stands for: a list as one line of CSV.

        Raises:
            SettingError: when the text stands for none.
        """
        if self.optional and text == self.declaration.none:
            return None
        if text == self.declaration.word:
            return text
        if self.kinds is not None or self.declaration.spelled is not None or (self.type is str and not self.listed):
            return self.checked(kind, text)
        if self.listed:
            try:
                parts = _split(text)
            except csv.Error:
                raise self._fault(kind, text) from None
            return self.checked(kind, tuple(self._number(kind, part, text) for part in parts))
        return self.checked(kind, self._number(kind, text, text))

    def _number(self, kind: str, part: str, text: str) -> Any:
        if self.type is str:
            return part
        try:
            if self.type is bool:
                return {"true": True, "false": False}[part]
            return self.type(part)
        except (ValueError, KeyError):
            raise self._fault(kind, text) from None

    def text(self, value: Any) -> str:
        """The text that `parsed` reads as this value."""
        if value is None:
            return self.declaration.none
        if self.listed:
            text = ",".join(_quoted(str(item)) for item in value)
            return f'"{text}"' if text == NO_VALUE else text
        if isinstance(value, bool):
            return str(value).lower()
        return repr(value) if isinstance(value, float) else str(value)


def _split(text: str) -> list[str]:
    """The items of a list: they are separated by commas, and one that holds a comma stands in double quotes."""
    return next(csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)) if text.strip() else []


def _quoted(item: str) -> str:
    """An item of a list, in double quotes where it could be read otherwise."""
    plain = item and item == item.strip() and not set(item) & set(',"\r\n')
    return item if plain else '"' + item.replace('"', '""') + '"'


def _limit(number: float) -> str:
    """A limit as people write it: 1,000,000 but 0.5."""
    return f"{number:,}" if isinstance(number, int) else f"{number:g}"
