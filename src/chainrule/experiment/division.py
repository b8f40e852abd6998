"""Division: which rows of a table are learned from, which are to stop by, and which are for the test at the end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.data import Table
from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, DataError, SettingError
from chainrule.settings import Settings, setting
from chainrule.tasks import Task
from chainrule.train.validation import FEWEST_TO_SPLIT


@dataclass(frozen=True, eq=False)
class Part:
    """One division of a table.

    Attributes:
        train: rows to learn from.
        valid: rows to stop by, by which settings and learners are chosen.
        test: rows that finalists are judged on at the end, and nothing else sees.
    """

    train: Table
    valid: Table
    test: Table


@dataclass(frozen=True, kw_only=True)
class Division(Settings):
    """How a table is divided: once into fractions, or k times, so that each row is a test row once.

    Attributes:
        valid: the fraction of the rows to stop by; of those that are not test rows, with folds.
        test: the fraction of the rows that are for the test, where there are no folds.
        folds: k: the rows are dealt out to so many folds, and each is the test rows once (cross-validation); None
            divides once.
        repeats: how often they are dealt out anew, with folds.
        split_seed: of the dealing; runs of all seeds have the same rows.

    Example:
        >>> table = Table.from_lists([f"text {i}" for i in range(40)], list("ab") * 20)
        >>> [(len(part.train), len(part.valid), len(part.test)) for part in Division(valid=0.2).divided(table)]
        [(28, 8, 4)]
        >>> [len(part.test) for part in Division(folds=4).divided(table)]
        [10, 10, 10, 10]
    """

    valid: float = setting(0.1, "fraction of the rows to stop by", above=0, below=1, option="--valid-share")
    test: float = setting(0.1, "fraction of the rows for the test at the end", above=0, below=1, option="--test-share")
    folds: int | None = setting(None, "folds of which each is the test rows once: cross-validation", least=2)
    repeats: int = setting(1, "how often rows are dealt out to folds", least=1)
    split_seed: int = setting(0, "of how rows are dealt out", least=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.folds is None and self.valid + self.test >= 1:
            raise SettingError(
                "division", "test", f"must leave rows to learn from beside valid {self.valid:g}, got {self.test:g}"
            )
        if self.folds is None and self.repeats != 1:
            raise SettingError("division", "repeats", f"is for folds, and there are none; got {self.repeats}")

    @property
    def parts(self) -> int:
        """How many divisions there are."""
        return 1 if self.folds is None else self.folds * self.repeats

    def divided(
        self, table: Table, valid: Table | None = None, test: Table | None = None, *, task: Task | None = None
    ) -> list[Part]:
        """The divisions of a table, each label in proportion in each part.

        Args:
            table: all rows, but for those that are given.
            valid: rows to stop by; None takes some of the table.
            test: rows for the test; None takes some of the table.
            task: what is asked, which may divide few rows, such as one long text; None for one that does not.

        Raises:
            DataError: for a table with too few rows, or, with folds, of a label.
            ConfigurationError: for rows that are given, where folds are to be made.
        """
        if self.folds is None:
            shares = {"valid": self.valid} if valid is None else {}
            shares |= {"test": self.test} if test is None else {}
            held = [table]
            if shares:
                dealt = (1 - sum(shares.values()), *shares.values())
                held = [*(_cut(table, dealt, task) or self._dealt(table, dealt, self.split_seed))]
            given = {name: part for name, part in (("valid", valid), ("test", test)) if part is not None}
            return [_part(table, **dict(zip(["train", *shares], held, strict=True)), **given)]
        if valid is not None or test is not None:
            name = "test" if valid is None else "valid"
            raise ConfigurationError(f"folds: make the rows of validation and test; leave out {name}, or the folds")
        return [part for repeat in range(self.repeats) for part in self._folded(table, self.folds, repeat)]

    def _folded(self, table: Table, folds: int, repeat: int) -> list[Part]:
        rare = table.rare_labels(folds)
        if rare:
            raise DataError(
                f"{table.name}: the label {rare[0]!r} has fewer rows than there are folds, {folds}; take fewer folds, "
                "or leave out labels with few rows"
            )
        parts = []
        for number, test in enumerate(self._dealt(table, (1.0,) * folds, self.split_seed + repeat)):
            rest = table.take(np.flatnonzero(~np.isin(table.rows, test.rows)))
            seed = self.split_seed + repeat + folds * (1 + number)  # another order than that of the folds
            train, valid = self._dealt(rest, (1 - self.valid, self.valid), seed)
            parts.append(_part(table, train, valid, test))
        return parts

    def _dealt(self, table: Table, shares: Sequence[float], seed: int) -> tuple[Table, ...]:
        if len(table) < 2 * len(shares):
            raise DataError(f"{table.name}: {len(table)} rows are too few to divide into {len(shares)} parts; add rows")
        return table.split(*shares, seed=seed)


def _cut(table: Table, shares: Sequence[float], task: Task | None) -> list[Table] | None:
    """The parts of a table of few rows as its task divides them, from the last; None where it does not."""
    if task is None or len(table) >= FEWEST_TO_SPLIT:
        return None
    parts: list[Table] = []
    for number in reversed(range(1, len(shares))):
        divided = task.divided(table, shares[number] / sum(shares[: number + 1]))
        if divided is None:
            return None
        table, part, _ = divided
        parts.insert(0, part)
    return [table, *parts]


def _part(table: Table, train: Table, valid: Table, test: Table) -> Part:
    for name, rows in (("to stop by", valid), ("for the test", test)):
        if not len(rows):
            raise DataError(
                f"{table.name}: no rows are left {name}, as no label has enough of them; add rows, or leave out labels "
                "with few"
            )
    return Part(train, valid, test)
