"""Mini-batches: the rows of examples, shuffled and cut."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from chainrule.data.examples import Examples
from chainrule.errors import ConfigurationError


def batches(examples: Examples, size: int, *, generator: np.random.Generator | None = None) -> Iterator[Examples]:
    """Mini-batches that hold every row exactly once; the last may be smaller.

    Args:
        examples: The rows.
        size: Rows in a batch, 1 or more.
        generator: Shuffles the rows, with one draw for the whole pass; None keeps their order.

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
    return (examples.take(order[start : start + size]) for start in range(0, examples.rows, size))
