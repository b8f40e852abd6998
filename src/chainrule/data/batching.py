"""Mini-batches: the rows of examples, shuffled and cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from chainrule.data.examples import Examples
from chainrule.errors import ConfigurationError

#: Rows of so many mini-batches are copied at once, or put in order where those of a mini-batch are of like length.
TOGETHER = 32


def batches(
    examples: Examples, size: int, *, generator: np.random.Generator | None = None, by_length: bool = False
) -> Iterator[Examples]:
    """Mini-batches that hold every row exactly once; the last may be smaller.

    Args:
        examples: The rows.
        size: Rows in a batch, 1 or more.
        generator: Shuffles the rows, with one draw for the whole pass; None keeps their order.
        by_length: Whether rows of a mini-batch are of like length: of each 32 mini-batches the shuffled rows are put in
            order before they are cut, and the mini-batches are shuffled.

    Raises:
        ConfigurationError: A size below 1.

    Example:
        >>> [batch.fields["x"].tolist() for batch in batches(Examples({"x": np.arange(3)}), 2)]
        [[0, 1], [2]]
    """
    if size < 1:
        raise ConfigurationError(f"batch size must be 1 or more, got {size}")
    if generator is None:
        return (examples.slice(start, start + size) for start in range(0, examples.rows, size))
    order = generator.permutation(examples.rows)
    several = [order[start : start + size * TOGETHER] for start in range(0, examples.rows, size * TOGETHER)]
    if not by_length:  # what several mini-batches read is copied at once, and cut
        return (batch for rows in several for batch in batches(examples.take(rows), size))
    lengths = examples.lengths
    for some in several:
        some[:] = some[np.argsort(lengths[some], kind="stable")]
    starts = generator.permutation(np.arange(0, examples.rows, size))
    return (examples.take(order[start : start + size]) for start in starts)


def portions(examples: Examples, rows: int, tokens: int | None) -> Iterable[Examples]:
    """The rows that are taken together, in their order: so many at most, with so many tokens if there is a limit.

    A row with more tokens is alone.

    Example:
        >>> from chainrule.data import Ragged
        >>> bags = Ragged(np.zeros(17, np.int32), np.array([0, 2, 5, 14, 15, 16, 17]))
        >>> [len(some) for some in portions(Examples({"ids": bags}), 2, 5)]
        [2, 1, 2, 1]
    """
    if examples.rows == 1:
        return [examples]
    return batches(examples, rows) if tokens is None else _limited(examples, rows, tokens)


def _limited(examples: Examples, rows: int, tokens: int) -> Iterator[Examples]:
    lengths = examples.lengths
    ends, start = np.cumsum(lengths), 0
    while start < len(lengths):
        before = ends[start] - lengths[start]
        stop = min(start + rows, max(start + 1, int(np.searchsorted(ends, before + tokens, "right"))))
        yield examples.slice(start, stop)
        start = stop
