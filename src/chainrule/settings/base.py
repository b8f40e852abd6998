"""Settings: the base of classes whose fields are settings."""

from __future__ import annotations

import dataclasses
import sys
import types
from collections.abc import Mapping
from typing import Any, ClassVar, Self, Union, get_args, get_origin

from chainrule.errors import ConfigurationError, shortened
from chainrule.settings.declaration import Setting
from chainrule.settings.suggestion import suggestion


class Settings:
    """The base of frozen dataclasses whose fields are settings; each value is checked when it is given.

    Fields that are not declared by `setting` are no settings: nothing but Python code sees them. A class without fields
    of its own inherits all that `dataclass` would give it, and does without.
    """

    #: What it is called on the command line, in files and in records.
    name: ClassVar[str] = ""
    _declared: ClassVar[tuple[Setting, ...]]

    def __post_init__(self) -> None:
        kind = self.name or type(self).__name__.lower()
        for declared in self.declared():
            value = declared.checked(kind, getattr(self, declared.name))
            object.__setattr__(self, declared.name, value)

    def __setattr__(self, name: str, value: object) -> None:
        """Settings are frozen, also those of classes without fields of their own."""
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

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
                raise ConfigurationError(f"{what} has no setting {shortened(name)}{near}")
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
        return cls(**values, **further)

    def spelled(self) -> str:
        """The name and the settings that are not the defaults, as `Registry.make` reads them: "elu:alpha=2.0"."""
        held = {declared: getattr(self, declared.name) for declared in self.declared()}
        given = [f"{x.name}={x.text(value)}" for x, value in held.items() if value != x.default]
        return f"{self.name}:{','.join(given)}" if given else self.name

    def settings(self) -> dict[str, Any]:
        """All settings by name, as JSON can hold them, with the name of the class first."""
        held: dict[str, Any] = {"name": self.name} if self.name else {}
        for declared in self.declared():
            value = getattr(self, declared.name)
            if isinstance(value, Settings):
                value = value.settings()
            held[declared.name] = list(value) if isinstance(value, tuple) else value
            if value is None:
                held[declared.name] = declared.word_of_none
        return held


def _declared(cls: type[Settings]) -> tuple[Setting, ...]:
    hints = _hints(cls)
    fields = [field for field in dataclasses.fields(cls) if "setting" in field.metadata]  # type: ignore[arg-type]
    return tuple(Setting(x.name, *_shape(hints[x.name]), x.default, x.metadata["setting"]) for x in fields)


def _hints(cls: type[Settings]) -> dict[str, Any]:
    """The types of a class's fields; those that are no settings may name what only a function knows."""
    fields = {x.name for x in dataclasses.fields(cls) if "setting" in x.metadata}  # type: ignore[arg-type]
    hints: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        known = vars(sys.modules[base.__module__])
        for name, hint in vars(base).get("__annotations__", {}).items():
            if name in fields:
                hints[name] = eval(hint, known) if isinstance(hint, str) else hint
    return hints


def _shape(hint: Any) -> tuple[Any, bool, bool, bool]:
    """The type of an item, whether it is a list, whether there may be none, and whether a name may stand for it."""
    members = list(get_args(hint)) if get_origin(hint) in (Union, types.UnionType) else [hint]
    optional = type(None) in members
    members = [member for member in members if member is not type(None)]
    by_name = len(members) > 1 and str in members
    held = next((member for member in members if member is not str), members[0])
    listed = get_origin(held) is tuple
    return (get_args(held)[0] if listed else held), listed, optional, by_name
