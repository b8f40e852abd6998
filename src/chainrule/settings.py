"""Settings: hyper-parameters that are declared once: name, type, default, range, help and option of the command line.

Whoever needs a hyper-parameter reads the declaration: the constructor checks values by it, the command line makes its
options from it, files and records are read and written by it, and so is the documentation.
"""

from __future__ import annotations

import csv
import dataclasses
import difflib
import io
import math
import numbers
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Self, TypeVar, Union, get_args, get_origin, get_type_hints

from chainrule.errors import ConfigurationError

#: What stands for "no value" in a file and on the command line, where a setting may have none.
NONE = "none"


class SettingError(ConfigurationError):
    """A setting outside the values it may take.

    Attributes:
        kind: what it is a setting of, such as "ffnn".
        field: the setting.
        reason: what is wrong, such as "must be a whole number of 1 or more, got 0".
    """

    def __init__(self, kind: str, field: str, reason: str) -> None:
        super().__init__(f"{kind}: {field} {reason}" if kind else f"{field} {reason}")
        self.kind = kind
        self.field = field
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.kind, self.field, self.reason), vars(self)


def setting(
    default: Any,
    help: str,
    *,
    least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: Iterable[str] | None = None,
    kinds: Registry[Any] | None = None,
    option: str | None = None,
    metavar: str | None = None,
    keyword: bool = False,
) -> Any:
    """Declare a field of a `Settings` class as a setting.

    Args:
        default: what it is unless given.
        help: what it means, in a few words without a full stop; units where there are any.
        least: the smallest number it may be.
        above: numbers up to this one are refused.
        below: numbers from this one on are refused.
        choices: the texts it may be, one of the keys of a mapping for example.
        kinds: for a setting that is a `Settings` itself, those it may be.
        option: the option of the command line, where it is not the name with dashes. Of a switch that is on by default,
            the option turns it off.
        metavar: what stands for the value in the help of the option.
        keyword: whether the constructor takes it by name alone, where the class does not say so for all.

    Example:
        >>> @dataclass(frozen=True, kw_only=True)
        ... class Sauce(Settings):
        ...     name: ClassVar[str] = "sauce"
        ...     salt: float = setting(0.1, "grams of salt", least=0)
        >>> Sauce(salt=2).settings()
        {'name': 'sauce', 'salt': 2.0}
        >>> Sauce(salt=-1)
        Traceback (most recent call last):
        chainrule.settings.SettingError: sauce: salt must be a number of 0 or more, got -1
    """
    declared = _Declaration(help, least, above, below, choices, kinds, option, metavar)
    alone = True if keyword else dataclasses.MISSING
    return dataclasses.field(default=default, metadata={"setting": declared}, kw_only=alone)


@dataclass(frozen=True, eq=False)
class _Declaration:
    help: str
    least: float | None
    above: float | None
    below: float | None
    choices: Iterable[str] | None
    kinds: Registry[Any] | None
    option: str | None
    metavar: str | None


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
        if declared.choices is not None:
            what = f"one of {', '.join(declared.choices)}"
        limits = [
            f"of {declared.least:g} or more" if declared.least is not None else "",
            f"above {declared.above:g}" if declared.above is not None else "",
            f"below {declared.below:g}" if declared.below is not None else "",
        ]
        limit = " and ".join(filter(None, limits))
        if self.listed:
            what = {int: "whole numbers", float: "numbers", str: "texts"}[self.type]
            example = {int: "(128, 64)", float: "(0.5, 0.1)", str: "('a', 'b')"}[self.type]
            return f"{what} {limit}".rstrip() + f", such as {example}"
        return f"{what} {limit}".rstrip() + (" or None" if self.optional else "")

    def checked(self, kind: str, value: Any) -> Any:
        """The value in its own type.

        Raises:
            SettingError: when it is not one the setting may take.
        """
        if value is None and self.optional:
            return None
        if self.kinds is not None:
            if isinstance(value, str) and self.by_name:
                return self.kinds.named(value).name
            return self.kinds.make(value)
        if not self.listed:
            return self._item(kind, value, value)
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise SettingError(kind, self.name, f"must be {self.range()}, got {value!r}")
        return tuple(self._item(kind, item, value) for item in value)

    def _item(self, kind: str, item: Any, value: Any) -> Any:
        fault = SettingError(kind, self.name, f"must be {self.range()}, got {_short(value)}")
        declared = self.declaration
        if self.type in (bool, str):
            if not isinstance(item, self.type):
                raise fault
            if declared.choices is not None and item not in list(declared.choices):
                near = suggestion(item, declared.choices)
                raise SettingError(kind, self.name, f"must be {self.range()}, got {_short(item)}{near}")
            return item
        number = numbers.Integral if self.type is int else numbers.Real
        if isinstance(item, bool) or not isinstance(item, number):
            raise fault
        converted = int(item) if self.type is int else float(item)  # type: ignore[call-overload]
        if not math.isfinite(converted):
            raise fault
        if declared.least is not None and converted < declared.least:
            raise fault
        if declared.above is not None and converted <= declared.above:
            raise fault
        if declared.below is not None and converted >= declared.below:
            raise fault
        return converted

    def parsed(self, kind: str, text: str) -> Any:
        """The value that a text on the command line stands for: a list as one line of CSV.

        Raises:
            SettingError: when the text stands for none.
        """
        if self.optional and text == NONE:
            return None
        if self.kinds is not None or (self.type is str and not self.listed):
            return self.checked(kind, text)
        if self.listed:
            try:
                parts = _split(text)
            except csv.Error:
                raise SettingError(kind, self.name, f"must be {self.range()}, got {_short(text)}") from None
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
            raise SettingError(kind, self.name, f"must be {self.range()}, got {_short(text)}") from None

    def text(self, value: Any) -> str:
        """The text that `parsed` reads as this value."""
        if value is None:
            return NONE
        if self.listed:
            text = ",".join(_quoted(str(item)) for item in value)
            return f'"{text}"' if text == NONE else text
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


def _short(value: Any) -> str:
    """A value for a message: what a user gave may be long."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:76]}...'" if text[0] == "'" else f"{text[:77]}..."


class Settings:
    """The base of frozen dataclasses whose fields are settings; each value is checked when it is given.

    Fields that are not declared by `setting` are no settings: nothing but Python code sees them.
    """

    #: What it is called on the command line, in files and in records.
    name: ClassVar[str] = ""
    _declared: ClassVar[tuple[Setting, ...]]

    def __post_init__(self) -> None:
        kind = self.name or type(self).__name__.lower()
        for declared in self.declared():
            value = declared.checked(kind, getattr(self, declared.name))
            object.__setattr__(self, declared.name, value)

    @classmethod
    def declared(cls) -> tuple[Setting, ...]:
        """The settings of this class, in the order of its fields."""
        if "_declared" not in vars(cls):  # a subclass has fields of its own
            cls._declared = _declared(cls)
        return cls._declared

    @classmethod
    def of(cls, given: Mapping[str, Any], **further: Any) -> Self:
        """One with these settings; those left out keep their defaults.

        Args:
            given: values by the names of settings, as JSON holds them.
            further: arguments of the class that are no settings.

        Raises:
            ConfigurationError: for an unknown setting; the message names the near ones.
            SettingError: for a value that a setting may not take.
        """
        what = cls.name or cls.__name__.lower()
        names = {declared.name for declared in cls.declared()}
        for name in given:
            if name not in names:
                near = suggestion(name, names) or f"; it has {', '.join(sorted(names)) or 'none'}"
                raise ConfigurationError(f"{what} has no setting {_short(name)}{near}")
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
        return cls(**values, **further)

    def settings(self) -> dict[str, Any]:
        """All settings by name, as JSON can hold them, with the name of the class first."""
        held: dict[str, Any] = {"name": self.name} if self.name else {}
        for declared in self.declared():
            value = getattr(self, declared.name)
            if isinstance(value, Settings):
                value = value.settings()
            held[declared.name] = list(value) if isinstance(value, tuple) else value
        return held


def _declared(cls: type[Settings]) -> tuple[Setting, ...]:
    hints = get_type_hints(cls)
    fields = [field for field in dataclasses.fields(cls) if "setting" in field.metadata]  # type: ignore[arg-type]
    return tuple(Setting(x.name, *_shape(hints[x.name]), x.default, x.metadata["setting"]) for x in fields)


def _shape(hint: Any) -> tuple[Any, bool, bool, bool]:
    """The type of an item, whether it is a list, whether there may be none, and whether a name may stand for it."""
    members = list(get_args(hint)) if get_origin(hint) in (Union, types.UnionType) else [hint]
    optional = type(None) in members
    members = [member for member in members if member is not type(None)]
    by_name = len(members) > 1 and str in members
    held = next((member for member in members if member is not str), members[0])
    listed = get_origin(held) is tuple
    return (get_args(held)[0] if listed else held), listed, optional, by_name


Kind = TypeVar("Kind", bound=Settings)


class Registry(dict[str, type[Kind]], Generic[Kind]):
    """Classes of settings by their names, such as all learners.

    Args:
        word: what one of them is called, for messages.
        base: what all of them are; one of the user's own need not be registered.

    Example:
        >>> sauces = Registry("sauce", Settings)
        >>> @sauces.register
        ... @dataclass(frozen=True, kw_only=True)
        ... class Tomato(Settings):
        ...     name: ClassVar[str] = "tomato"
        ...     salt: float = setting(0.1, "grams of salt", least=0)
        >>> sauces.make({"name": "tomato", "salt": 1}).salt
        1.0
        >>> sauces.make("tomatoe")
        Traceback (most recent call last):
        chainrule.errors.ConfigurationError: there is no sauce 'tomatoe'; did you mean 'tomato'?
    """

    def __init__(self, word: str, base: type) -> None:
        super().__init__()
        self.word = word
        self.base = base

    def register(self, kind: type[Kind]) -> type[Kind]:
        """Add a class under its name; for use as a decorator.

        Raises:
            ConfigurationError: when it has no name, or another class has it.
        """
        if not kind.name or self.get(kind.name, kind).__qualname__ != kind.__qualname__:
            taken = "is taken" if kind.name else "is missing"
            raise ConfigurationError(f"{self.word} {kind.__name__}: the name {kind.name!r} {taken}; give it its own")
        self[kind.name] = kind
        return kind

    def named(self, name: object) -> type[Kind]:
        """The class of this name.

        Raises:
            ConfigurationError: when there is none; the message names the near ones.
        """
        if not isinstance(name, str) or name not in self:
            near = suggestion(name, self) or f"; expected {' or '.join(self)}"
            raise ConfigurationError(f"there is no {self.word} {_short(name)}{near}")
        return self[name]

    def make(self, settings: Kind | str | Mapping[str, Any], **further: Any) -> Kind:
        """One of them with these settings; those left out keep their defaults.

        Args:
            settings: a name, or a mapping with it under "name"; one of them is given back as it is.
            further: arguments of the class that are no settings.

        Raises:
            ConfigurationError: for an unknown name or setting; the message names the near ones.
            SettingError: for a value that a setting may not take.
        """
        if isinstance(settings, self.base):
            return settings  # type: ignore[return-value]
        if isinstance(settings, Settings):
            raise ConfigurationError(f"expected a {self.word}, got {settings!r}")
        given = {"name": settings} if not isinstance(settings, Mapping) else dict(settings)
        kind = self.named(given.pop("name", None))
        try:
            return kind.of(given, **further)
        except SettingError:
            raise
        except ConfigurationError as error:
            raise ConfigurationError(f"{self.word} {error}") from error


def suggestion(given: object, known: Iterable[str]) -> str:
    """The end of a message about a name that is not known: which near one may be meant, or nothing."""
    names = {name.lstrip("-"): name for name in known} if isinstance(given, str) else {}
    near = [names[x] for x in difflib.get_close_matches(str(given).lstrip("-"), names, n=2, cutoff=0.6)]
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
