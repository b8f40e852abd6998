"""Registry: classes of settings by their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from chainrule.errors import ConfigurationError, SettingError, shortened
from chainrule.settings.base import Settings
from chainrule.settings.suggestion import suggestion

Kind = TypeVar("Kind", bound=Settings)


class Registry(dict[str, type[Kind]], Generic[Kind]):
    """Classes of settings by their names, such as all learners.

    Args:
        word: what one of them is called, for messages.
        base: what all of them are; one of the user's own need not be registered.

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
            raise ConfigurationError(f"there is no {self.word} {shortened(name)}{near}")
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
            raise ConfigurationError(f"expected a {self.word}, got {shortened(settings)}")
        given = {"name": settings} if not isinstance(settings, Mapping) else dict(settings)
        kind = self.named(given.pop("name", None))
        try:
            return kind.of(given, **further)
        except SettingError:
            raise
        except ConfigurationError as error:
            raise ConfigurationError(f"{self.word} {error}") from error
