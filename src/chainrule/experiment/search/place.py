"""Where settings of a study were given, for messages about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError
from chainrule.settings.file import line_of


@dataclass(frozen=True)
class Place:
    """Where settings were given: in Python, in a file, or by options of the command line.

    Attributes:
        file: the settings file, if there is one.
        options: by the key, such as "space.dropout", the option that gives it.

    Example:
        >>> Place(options={"search.trials": "--trials"}).fault("search.trials", "must be a whole number, got 'x'")
        ConfigurationError("--trials: must be a whole number, got 'x'")
        >>> Place().fault("search.trials", "must be a whole number, got 'x'")
        ConfigurationError("search.trials: must be a whole number, got 'x'")
    """

    file: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    def fault(self, key: str, message: object) -> ConfigurationError:
        """The error that says where, and what is wrong."""
        if key in self.options:
            return ConfigurationError(f"{self.options[key]}: {message}")
        where = f"{key}: " if key else ""
        if self.file is not None:
            where = f"{self.file}, line {line_of(self.file, key)}: {where}"
        return ConfigurationError(f"{where}{message}")
