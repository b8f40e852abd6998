"""A table of one's own: two columns of numbers, and a label or a number for each row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from chainrule.data import read_table
from chainrule.errors import ConfigurationError, DataError, shortened
from chainrule.playground.points import Points, of_columns
from chainrule.playground.setup import Setup
from chainrule.shown import listing

#: What the column of answers may hold.
LABEL, NUMBER = TARGETS = ("label", "number")


def points_of_table(
    path: str | Path, *, numbers: Sequence[str] = (), label: str = "label", target: str = LABEL
) -> Callable[[Setup], Points]:
    r"""What makes points of a table, for the order and the share that a setup draws.

    Args:
        path: of a file that `chainrule.read_table` reads.
        numbers: the columns of x and y; none for the only two columns of numbers beside the label.
        label: the column of what is to be answered.
        target: "label" for classes, "number" for numbers.

    Raises:
        ConfigurationError: for another number of columns, or another target.
        DataError: for a table that cannot be read, or has other columns.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "flowers.csv"
        >>> _ = path.write_text("length,width,label\n1,2,a\n2,1,b\n1,1,a\n2,2,b\n")
        >>> points = points_of_table(path)(Setup(data="own"))
        >>> points.axes, points.classes, points.train
        (('length', 'width'), ('a', 'b'), 2)
    """
    if len(numbers) not in (0, 2):
        raise ConfigurationError(f"--numbers: expected two columns, as in x,y; got {shortened(','.join(numbers))}")
    if target not in TARGETS:
        raise ConfigurationError(f"--target: expected {' or '.join(TARGETS)}, got {shortened(target)}")
    table = read_table(path, numbers=tuple(numbers) or "auto", label=label, target=target)
    names = table.columns.columns
    if len(names) != 2 or table.labels is None:
        raise DataError(
            f"{table.name}: expected two columns of numbers beside {label!r}, found {listing(names)}; name two, as in "
            "--numbers x,y"
        )
    classes: tuple[str, ...]
    places, labels = table.columns.to_numpy().astype(np.float64), table.labels
    whole = np.isfinite(places).all(axis=1)  # a cell that is empty is no place
    places, labels = places[whole], labels.filter(whole)
    if target == NUMBER:
        classes, targets = (), labels.to_numpy()
    else:
        classes = tuple(sorted(labels.unique().to_list()))
        targets = np.array([classes.index(label) for label in labels.to_list()])
    axes = (names[0], names[1])
    of_columns(Setup(), places, targets, classes, axes, label)  # refused now, and not when a page is asked for
    return lambda setup: of_columns(setup, places, targets, classes, axes, label)
