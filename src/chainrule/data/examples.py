"""Examples: encoded rows, as arrays by name. A mini-batch is examples too."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np

from chainrule.data.ragged import Ragged
from chainrule.errors import DataError

#: What the names of ragged fields begin with that are of the sequence to be written, and not of the one that is read.
TARGET = "target_"
#: Fields with more than one entry a token: its characters, or its pieces; and what their offsets are called.
PARTS = {"characters": "character_offsets", "pieces": "piece_offsets"}


@cache  # there are few names, and every mini-batch asks for some
def offsets_of_field(name: str) -> str:
    """The name of the offsets of a ragged field, which all of its sequence share."""
    if name in PARTS:
        return PARTS[name]
    return f"{TARGET}offsets" if name.startswith(TARGET) else "offsets"


class Examples:
    """Rows as a network and a loss read them: several fields, each with something for every row.

    Args:
        fields: by name, an array whose first axis is the rows, or ragged rows of ids.

    Attributes:
        fields: as given.
        rows: how many rows there are.
        origin: of rows that were taken from others: those, and the number that each has there; None for all others.

    Raises:
        DataError: when the fields differ in the number of rows, or ragged ones of one sequence in lengths.

    Example:
        >>> bags = Ragged(np.array([7, 8, 9], np.int32), np.array([0, 2, 2, 3]))
        >>> examples = Examples({"ids": bags, "classes": np.array([1, 0, 1])})
        >>> examples.rows, list(examples.take(np.array([2, 0])).arrays().items())  # doctest: +NORMALIZE_WHITESPACE
        (3, [('ids', array([9, 7, 8], dtype=int32)), ('offsets', array([0, 1, 3])), ('classes', array([1, 1]))])
    """

    def __init__(self, fields: Mapping[str, np.ndarray | Ragged]) -> None:
        self.fields = dict(fields)
        self.rows = len(next(iter(fields.values()), ()))
        self.origin: tuple[Examples, np.ndarray] | None = None
        if len(fields) > 1:
            self._require_agreement()

    def _require_agreement(self) -> None:
        """Refuse fields that differ in rows or their lengths."""
        counts = {name: len(field) for name, field in self.fields.items()}
        if len(set(counts.values())) > 1:
            listed = ", ".join(f"{count} of {name}" for name, count in counts.items())
            raise DataError(f"examples: expected as many rows in each field, got {listed}")
        shared: dict[str, np.ndarray] = {}
        for name, field in self.fields.items():
            if isinstance(field, Ragged) and not np.array_equal(
                shared.setdefault(offsets_of_field(name), field.offsets), field.offsets
            ):
                raise DataError(
                    f"examples: expected ragged fields whose rows have the same lengths, as they share offsets; "
                    f"{name!r} has others"
                )

    def __len__(self) -> int:
        return self.rows

    def __getstate__(self) -> dict[str, object]:
        """For copies and pickles: the rows alone, and not those that they were taken from."""
        return {**self.__dict__, "origin": None}

    def take(self, rows: np.ndarray) -> Examples:
        """The rows with these numbers, in this order; a number may come more than once."""
        part = self._part({k: x.take(rows) if isinstance(x, Ragged) else x[rows] for k, x in self.fields.items()})
        part.origin = (self, rows) if self.origin is None else (self.origin[0], self.origin[1][rows])
        return part

    def slice(self, start: int, stop: int) -> Examples:
        """Rows start to stop, stop left out, as views."""
        if start == 0 and stop >= self.rows:
            return self
        part = self._part(
            {k: x.slice(start, stop) if isinstance(x, Ragged) else x[start:stop] for k, x in self.fields.items()}
        )
        part.origin = self.origin and (self.origin[0], self.origin[1][start:stop])
        return part

    @staticmethod
    def _part(fields: dict[str, np.ndarray | Ragged]) -> Examples:
        """Some rows of examples, whose fields agree as all of them do."""
        part = object.__new__(Examples)
        part.fields, part.rows, part.origin = fields, len(next(iter(fields.values()), ())), None
        return part

    def arrays(self) -> dict[str, np.ndarray]:
        """All fields as arrays: ragged "ids" as "ids" and "offsets", "target_ids" as itself and "target_offsets"."""
        held: dict[str, np.ndarray] = {}
        for name, field in self.fields.items():
            if isinstance(field, Ragged):
                held |= {name: field.ids, offsets_of_field(name): field.offsets}
            else:
                held[name] = field
        return held

    def sizes(self, *, fixed_rows: bool = False) -> dict[str, tuple[str, int]]:
        """What the first axis of each of `arrays` counts, by a name, and how many more there are of it.

        Of two arrays with the same name one is longer than the other only by what is more: offsets have one more than
        there are rows. Rows have an empty name where their number is to be taken as it is.

        Example:
            >>> bags = Ragged(np.array([7, 8], np.int32), np.array([0, 2]))
            >>> Examples({"ids": bags, "classes": np.array([1])}).sizes()
            {'ids': ('tokens of offsets', 0), 'offsets': ('rows', 1), 'classes': ('rows', 0)}
        """
        held: dict[str, tuple[str, int]] = {}
        rows = "" if fixed_rows else "rows"
        for name, field in self.fields.items():
            if isinstance(field, Ragged):
                offsets = offsets_of_field(name)
                held |= {name: (f"tokens of {offsets}", 0), offsets: (rows, 1)}
            else:
                held[name] = rows, 0
        return held

    def extremes(self, size: int) -> list[dict[str, np.ndarray]]:
        """Arrays as small and as large as mini-batches of so many rows can have, and some in between.

        The last mini-batch may have fewer rows. Of two sequences, one may be short where the other is long; so that
        none is taken for the other, or for the rows where each has one item, all lengths differ. Where most rows have
        several items, the smallest has more items than rows, as what is computed of fewer goes another way. It is the
        shapes that matter.
        """
        size = min(size, self.rows)
        last = self.rows % size
        found: list[dict[str, np.ndarray]] = [{}, {}, {}]
        sequences: dict[str, dict[str, np.ndarray | Ragged]] = {}
        for name, field in self.fields.items():
            sequence = offsets_of_field(name) if isinstance(field, Ragged) else ""
            sequences.setdefault(sequence, {})[name] = field
        for fields in sequences.values():
            part = Examples(fields)
            order = np.argsort(part.lengths, kind="stable")
            chosen = order[: last if last > 1 else size], order[-size:], order[len(order) // 2 :][:size]
            several = part.lengths[chosen[-1]].sum() > len(chosen[-1]) + 1
            for held, rows in zip(found, chosen, strict=True):
                arrays, taken = part.take(rows).arrays(), {len(rows), len(rows) + 1, *map(len, held.values())}
                count = max(part.lengths[rows].sum(), several * (len(rows) + 2))
                while count in taken:
                    count += 1
                for name, field in fields.items():
                    if isinstance(field, Ragged):
                        arrays[name] = np.resize(arrays[name], count)
                held |= arrays
        return [{name: arrays[name] for name in self.arrays()} for arrays in found]

    def array(self, name: str) -> np.ndarray:
        """A field that is an array.

        Raises:
            DataError: when there is none of that name.
        """
        field = self.fields.get(name)
        if not isinstance(field, np.ndarray):
            raise DataError(f"examples: expected an array {name!r}; the fields are {', '.join(self.fields)}")
        return field

    @property
    def ragged(self) -> bool:
        """Whether rows differ in length."""
        return any(isinstance(field, Ragged) for field in self.fields.values())

    @property
    def lengths(self) -> np.ndarray:
        """How many ids each row has, of the sequence that is read; 1 where rows are not ragged."""
        ragged = [field for field in self.fields.values() if isinstance(field, Ragged)]
        return ragged[0].lengths if ragged else np.ones(self.rows, np.int64)
