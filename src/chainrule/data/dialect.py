"""Dialect: how the rows of a text file are written, as far as the file does not tell by itself."""

from __future__ import annotations

from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError

AUTO = "auto"

#: Separators of fields by name, the most usual first.
SEPARATORS = {"comma": ",", "tab": "\t", "semicolon": ";", "pipe": "|"}

#: What a double quote is: CSV's quoting of fields, or a letter.
QUOTINGS = (AUTO, "csv", "none")


@dataclass(frozen=True)
class Dialect:
    r"""How the rows of a text file are written.

    Attributes:
        encoding: Python's name for how characters are bytes.
        separator: what stands between the fields of CSV and TSV: "comma", "tab", "semicolon", "pipe" or one character;
            "auto" finds it in the file.
        quoting: "csv", where a field in double quotes may hold separators and line breaks; "none", where a double quote
            is a letter; or "auto".
        header: whether the first row has the names of the columns; without, they are numbered from 1.

    Raises:
        ConfigurationError: for what it may not be.

    Example:
        >>> Dialect(separator="tab").character, Dialect(separator=";").character, Dialect().character
        ('\t', ';', None)
    """

    encoding: str = "utf-8"
    separator: str = AUTO
    quoting: str = AUTO
    header: bool = True

    def __post_init__(self) -> None:
        if self.quoting not in QUOTINGS:
            raise ConfigurationError(f"--quoting: expected {', '.join(QUOTINGS)}, got {self.quoting[:80]!r}")
        if self.separator != AUTO and (len(self.character or "") != 1 or self.character in ('"', "\r", "\n")):
            raise ConfigurationError(
                f"--separator: expected auto, {', '.join(SEPARATORS)} or one character between the fields, got "
                f"{self.separator[:80]!r}; what stands between several labels of a row is --label-separator"
            )

    @property
    def character(self) -> str | None:
        """The separator; None where it is to be found."""
        named = SEPARATORS.get(self.separator, self.separator)
        return None if self.separator == AUTO else "\t" if named == "\\t" else named
