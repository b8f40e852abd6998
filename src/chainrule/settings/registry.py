"""Registry: classes of settings by their names."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, Generic, TypeVar

from chainrule.errors import ConfigurationError, SettingError, shortened
from chainrule.forks import LOADING
from chainrule.settings.base import Settings
from chainrule.settings.suggestion import suggestion

Kind = TypeVar("Kind", bound=Settings)


class Registry(MutableMapping[str, type[Kind]], Generic[Kind]):
    """Classes of settings by their names, such as all learners; a module of one loads when it is first asked for.

    Args:
        word: what one of them is called, for messages.
        base: what all of them are; one of the user's own need not be registered.
        rooms: names, and the modules that register classes under them; others register theirs when they are loaded.

    Example:
        >>> from dataclasses import dataclass
        >>> from typing import ClassVar
        >>> from chainrule.settings import setting
        >>> sauces = Registry("sauce", Settings)
        >>> @sauces.register
        ... @dataclass(frozen=True, kw_only=True)
        ... class Tomato(Settings):
        ...     name: ClassVar[str] = "tomato"
        ...     salt: float = setting(0.1, "grams of salt", least=0)
        >>> sauces.make({"name": "tomato", "salt": 1}).salt, sauces.make("tomato:salt=0.5").spelled()
        (1.0, 'tomato:salt=0.5')
        >>> sauces.make("tomatoe")
        Traceback (most recent call last):
        chainrule.errors.ConfigurationError: there is no sauce 'tomatoe'; did you mean 'tomato'?
    """

    def __init__(self, word: str, base: type, rooms: Mapping[str, str] | None = None) -> None:
        self.word = word
        self.base = base
        self._rooms = {} if rooms is None else rooms
        self._kinds: dict[str, type[Kind] | None] = dict.fromkeys(self._rooms)

    def __getitem__(self, name: str) -> type[Kind]:
        kind = self._kinds[name]
        if kind is None:
            with LOADING:
                importlib.import_module(self._rooms[name])
            kind = self._kinds[name]
            if kind is None:
                raise KeyError(f"{self._rooms[name]} has no {self.word} {name}")
        return kind

    def __setitem__(self, name: str, kind: type[Kind]) -> None:
        self._kinds[name] = kind

    def __delitem__(self, name: str) -> None:
        del self._kinds[name]

    def __contains__(self, name: object) -> bool:
        return name in self._kinds

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)

    def register(self, kind: type[Kind]) -> type[Kind]:
        """Add a class under its name; for use as a decorator.

        Raises:
            ConfigurationError: when it has no name, or another class has it.
        """
        known = self._kinds.get(kind.name)
        if known is None and self._rooms.get(kind.name, kind.__module__) != kind.__module__:
            known = self[kind.name]
        if not kind.name or (known or kind).__qualname__ != kind.__qualname__:
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
            raise ConfigurationError(f"there is no {self.word} {shortened(name)}{near}")
        return self[name]

    def make(self, settings: Kind | str | Mapping[str, Any], **further: Any) -> Kind:
        """One of them with these settings; those left out keep their defaults.

        Args:
            settings: a name, alone or with settings as in "leaky_relu:slope=0.02" (several are separated by commas), or
                a mapping with it under "name"; one of them is given back as it is.
            further: arguments of the class that are no settings.

        Raises:
            ConfigurationError: for an unknown name or setting; the message names the near ones.
            SettingError: for a value that a setting may not take.
        """
        if isinstance(settings, self.base):
            return settings  # type: ignore[return-value]
        if isinstance(settings, Settings):
            raise ConfigurationError(f"expected a {self.word}, got {shortened(settings)}")
        if isinstance(settings, Mapping):
            given = dict(settings)
            kind = self.named(given.pop("name", None))
        else:
            kind, given = self._read(settings)
        try:
            return kind.of(given, **further)
        except SettingError:
            raise
        except ConfigurationError as error:
            raise ConfigurationError(f"{self.word} {error}") from error

    def _read(self, text: object) -> tuple[type[Kind], dict[str, Any]]:
        """The class and the settings that a text spells."""
        name, colon, rest = text.partition(":") if isinstance(text, str) else (text, "", "")
        kind = self.named(name)
        declared = {x.name: x for x in kind.declared()}
        given: dict[str, Any] = {}
        for part in rest.split(",") if colon else ():
            key, equals, value = (x.strip() for x in part.partition("="))
            if not equals or key in given:
                expected = f"{kind.name}:{next(iter(declared))}=..., each once" if declared else "none"
                raise ConfigurationError(
                    f"{self.word} {kind.name}: expected settings: {expected}; got {shortened(part)}"
                )
            given[key] = declared[key].parsed(kind.name, value) if key in declared else value
        return kind, given
