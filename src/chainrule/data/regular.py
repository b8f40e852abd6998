"""Fields between separators whose rows are all regular: looked at by NumPy, and read by Polars.

Polars reads them many times faster than Python's `csv` module, but fills short rows and guesses at malformed quotes. So
the places of quotes, separators and line ends are looked at first, and whatever is not as it should be is left to those
who say where the fault is.
"""

from __future__ import annotations

import codecs

import numpy as np

import chainrule.polars as pl
from chainrule.dataclasses import dataclass

_QUOTE, _NEWLINE, _RETURN = b'"\n\r'


@dataclass(frozen=True)
class Regular:
    """A file of fields that are all in their places.

    Args:
        content: in UTF-8.
        separator: between fields, one ASCII character.
        quoted: whether a field in double quotes may hold separators and line breaks; otherwise quotes are letters.
        width: the fields of each row.
        rows: how many there are.
        first_end: where the second row begins.
        over_lines: whether a quoted field goes on over the end of a line.
    """

    content: bytes
    separator: str
    quoted: bool
    width: int
    rows: int
    first_end: int
    over_lines: bool

    @classmethod
    def of(cls, content: bytes, separator: str, *, quoted: bool) -> Regular | None:
        r"""The file if it is regular; None for others.

        Each row has as many fields as the first, no line is blank, lines end in LF or CR LF, double quotes stand around
        whole fields and twice inside them, and a CR alone stands in a quoted field.

        Example:
            >>> Regular.of(b'a,b\n"1, 2",3\n', ",", quoted=True).rows, Regular.of(b"a,b\n1\n", ",", quoted=True)
            (2, None)
        """
        if not separator.isascii() or not content:
            return None
        data = np.frombuffer(content, np.uint8)
        returns = _lone_returns(content, data)
        newlines, separators = (np.flatnonzero(data == byte) for byte in (_NEWLINE, ord(separator)))
        over_lines = False
        if len(returns) and not (quoted and b'"' in content):
            return None
        if quoted and b'"' in content:
            quotes = np.flatnonzero(data == _QUOTE)
            if not _well_placed(data, quotes, ord(separator)):
                return None
            if (np.searchsorted(quotes, returns) % 2 == 0).any():
                return None  # one outside of quotes ends a line
            lines = len(newlines)
            newlines, separators = (x[np.searchsorted(quotes, x) % 2 == 0] for x in (newlines, separators))
            over_lines = len(newlines) < lines or len(returns) > 0
        ends = newlines if data[-1] == _NEWLINE else np.append(newlines, len(data))
        starts = np.append(0, ends[:-1] + 1)
        lengths = ends - starts
        blank = (lengths == 0) | ((lengths == 1) & (data[starts] == _RETURN))
        counts = np.diff(np.searchsorted(separators, ends), prepend=0)
        if blank.any() or (counts != counts[0]).any():
            return None
        first_end = min(int(ends[0]) + 1, len(data))
        return cls(content, separator, quoted, int(counts[0]) + 1, len(ends), first_end, over_lines)

    def columns(self, places: dict[str, int], *, header: bool) -> pl.DataFrame | None:
        """Columns as strings.

        Args:
            places: by the name of each, which field of a row it is; ascending.
            header: whether the first row is none of theirs.

        Returns:
            None where Polars finds something else than was seen here, or no rows.
        """
        rows, content = self.rows - header, self.content[self.first_end if header else 0 :]
        if content.startswith(codecs.BOM_UTF8):  # here it is a character of the first field
            return None
        try:
            frame = pl.read_csv(
                content,
                has_header=False,
                columns=list(places.values()),
                separator=self.separator,
                quote_char='"' if self.quoted else None,
                infer_schema=False,
            )
        except pl.exceptions.PolarsError:
            return None
        if frame.shape != (rows, len(places)):
            return None
        return pl.DataFrame({name: column.fill_null("") for name, column in zip(places, frame, strict=True)})


def _lone_returns(content: bytes, data: np.ndarray) -> np.ndarray:
    """Where a carriage return has no line feed after it."""
    if b"\r" not in content or content.count(b"\r") == content.count(b"\r\n"):
        return np.zeros(0, np.int64)
    returns: np.ndarray = np.flatnonzero(data == _RETURN)
    alone: np.ndarray = returns[data[np.minimum(returns + 1, len(data) - 1)] != _NEWLINE]
    return alone


def _well_placed(data: np.ndarray, quotes: np.ndarray, separator: int) -> bool:
    """Whether quotes come in pairs, each around a field or the middle of a doubled one."""
    if len(quotes) % 2:
        return False
    opening, closing = quotes[::2], quotes[1::2]
    before = data[np.maximum(opening, 1) - 1]
    after = data[np.minimum(closing, len(data) - 2) + 1]
    doubled = closing[:-1] + 1 == opening[1:]
    begins = (opening == 0) | (before == separator) | (before == _NEWLINE)
    begins[1:] |= doubled
    ends = (closing == len(data) - 1) | (after == separator) | (after == _NEWLINE) | (after == _RETURN)
    ends[:-1] |= doubled
    return bool(begins.all() and ends.all())
