"""Groups: which group each row is of, by columns of the table, or by the words of its text."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.data import Table
from chainrule.errors import ConfigurationError, DataError
from chainrule.fairness.lexicon import Lexicon
from chainrule.graph.spec import Array
from chainrule.shown import listing, one_line

#: Groups of fewer rows are too small to say anything of, and no more groups than this are compared.
FEWEST, MOST = 30, 50
#: What stands between the values of several columns, and what a row without a value is of.
BOTH, NONE = " / ", "(none)"


@dataclass(frozen=True, eq=False)
class Groups:
    """Which group each row is of: exactly one.

    Attributes:
        by: what they are by, in words, such as "column gender".
        names: of the groups.
        codes: the place of each row's group among the names, int64 of shape (rows,).
        compared: the places of those that are compared with each other, where they are large enough.
        words: the words that made the groups, a remark.
    """

    by: str
    names: tuple[str, ...]
    codes: Array
    compared: tuple[int, ...]
    words: str = ""

    @property
    def sizes(self) -> Array:
        """The rows of each group."""
        return np.bincount(self.codes, minlength=len(self.names))

    @property
    def large(self) -> tuple[int, ...]:
        """Those of the compared groups that have 30 rows or more."""
        return tuple(g for g in self.compared if self.sizes[g] >= FEWEST)

    def rows(self, group: int) -> Array:
        """The numbers of the rows of a group."""
        return np.flatnonzero(self.codes == group)

    @classmethod
    def of(cls, values: Sequence[Any] | Array, by: str = "values") -> Groups:
        """Groups of rows with the same value; None and NaN are "(none)".

        Raises:
            DataError: for fewer than two groups, or more than 50.

        Example:
            >>> found = Groups.of(["f", "m", "f"], "column gender")
            >>> found.names, found.codes.tolist(), found.sizes.tolist()
            (('f', 'm'), [0, 1, 0], [2, 1])
        """
        texts = [NONE if value is None or value != value else str(value).strip() or NONE for value in values]
        names = tuple(sorted(set(texts)))
        if not 2 <= len(names) <= MOST:
            raise DataError(
                f"groups by {by}: expected 2 to {MOST} groups, got {len(names):,} ({listing(names, 3)}); name a column "
                f"with a group in each row, such as gender"
            )
        places = {name: place for place, name in enumerate(names)}
        codes = np.array([places[text] for text in texts], np.int64)
        return cls(by, names, codes, tuple(range(len(names))))

    @classmethod
    def by_columns(cls, table: Table, columns: Sequence[str]) -> Groups:
        """Groups by the values of columns that a table keeps; of several, by their values together.

        Raises:
            DataError: for a column that the table does not keep, and as of `of`.

        Example:
            >>> import polars as pl
            >>> frame = pl.DataFrame({"text": ["a", "b"], "label": ["x", "y"], "age": ["old", "young"]})
            >>> Groups.by_columns(Table.from_frame(frame, label="label", keep=["age"]), ["age"]).names
            ('old', 'young')
        """
        kept = table.kept
        there = [] if kept is None else kept.columns
        for column in columns:
            if column not in there:
                raise DataError(
                    f"{table.name}: keeps no column {column!r:.80} to group by; it keeps {listing(there)}: read it "
                    f"with keep=[{column!r:.80}]"
                )
        if not columns:
            raise ConfigurationError("groups: expected the name of a column or more, got none")
        parts = [[NONE if x is None else str(x) for x in kept[column].to_list()] for column in columns]  # type: ignore[index]
        word = "column" if len(columns) == 1 else "columns"
        values = [BOTH.join(each) for each in zip(*parts, strict=True)]
        return cls.of(values, f"{word} {', '.join(one_line(x) for x in columns)}")

    @classmethod
    def by_words(cls, texts: Sequence[str], lexicon: Lexicon | str | os.PathLike[str]) -> Groups:
        """Groups by the words of texts: a text is of a group when it has a word of it.

        A text with words of several groups is of a group of its own, "men and women", and one without any is of the
        rest; both are shown, and not compared with the others.

        Args:
            texts: one a row.
            lexicon: words by group, or what `Lexicon.read` takes.

        Raises:
            DataError: when fewer than two groups have a text.

        Example:
            >>> found = Groups.by_words(["He left.", "She left.", "They left."], "en")
            >>> [found.names[code] for code in found.codes], found.compared
            (['men', 'women', 'no such word'], (0, 1))
        """
        held = lexicon if isinstance(lexicon, Lexicon) else Lexicon.read(lexicon)
        has = held.found(texts)
        names = list(held.groups)
        if int((has.any(axis=0)).sum()) < 2:
            with_words = [name for place, name in enumerate(names) if has[:, place].any()]
            raise DataError(
                f"groups by the words of {held.name}: expected texts of two groups or more, got those of "
                f"{listing(with_words)}; take another list of words"
            )
        codes = np.empty(len(texts), np.int64)
        mixed: dict[str, int] = {}
        for row, own in enumerate(has):
            places = np.flatnonzero(own).tolist()
            if len(places) == 1:
                codes[row] = places[0]
                continue
            name = " and ".join(names[place] for place in places) or "no such word"
            codes[row] = mixed.setdefault(name, len(names) + len(mixed))
        return cls(
            f"words of {held.name}", (*names, *mixed), codes, tuple(range(len(names))),
            f"A text is of a group when it has a word of it ({held.name}); words of names and people, not the people.",
        )  # fmt: skip
