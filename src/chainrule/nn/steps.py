"""Arrays of shape (batch, steps, ...) with lengths: turned flat, and back."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from chainrule.blocks import gather, gather_or_zero, reshape
from chainrule.errors import ConfigurationError, DataError, ShapeError
from chainrule.graph.conversion import as_tensors
from chainrule.graph.spec import Array
from chainrule.graph.tensor import Tensor, TensorLike

Call = TypeVar("Call", bound=Callable[..., Any])


def flattened(x: TensorLike, lengths: TensorLike) -> tuple[Tensor, Array]:
    """The tokens of all texts, one text after the other, and where each text begins.

    Args:
        x: shape (batch, steps, ...): the first tokens of a row are those of its text, and the rest is padding, which is
            not read.
        lengths: how many tokens each text has, shape (batch,).

    Returns:
        the tokens, shape (tokens, ...), and the offsets, int64 of shape (batch + 1,).

    Raises:
        DataError: for lengths that do not fit the array.
        ConfigurationError: for lengths that are an argument of a compiled function: how many tokens there are would
            differ from call to call.

    Example:
        >>> x, offsets = flattened([[[1.0], [2.0]], [[3.0], [0.0]]], [2, 1])
        >>> x.value[:, 0].tolist(), offsets.tolist()
        ([1.0, 2.0, 3.0], [0, 2, 3])
    """
    (x,) = as_tensors([x])
    counts = _counts(lengths)
    if x.spec.rank < 2:
        raise ShapeError(f"expected an array of shape (batch, steps, ...), got {x.shape}")
    batch, steps = x.shape[:2]
    if counts.shape != (batch,):
        raise DataError(f"lengths: expected one for each of {batch} texts, got shape {counts.shape}")
    wrong = np.flatnonzero((counts < 0) | (counts > steps))
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            f"lengths: text {row} of the batch has {counts[row]}, and the array {steps} steps (shape {x.shape}); "
            f"expected 0 to {steps}"
        )
    places = np.flatnonzero(np.arange(steps) < counts[:, None])
    rows = reshape(x, (batch * steps, *x.shape[2:]))
    return gather(rows, places), np.concatenate([[0], np.cumsum(counts)])


def padded(x: TensorLike, lengths: TensorLike, steps: int) -> Tensor:
    """Tokens as an array of shape (batch, steps, ...), with zeros behind the end of each text.

    Args:
        x: the tokens of all texts, one text after the other, shape (tokens, ...).
        lengths: how many tokens each text has, shape (batch,).
        steps: how many there is place for.

    Raises:
        DataError: for lengths that do not fit the tokens, or the steps.

    Example:
        >>> padded([[1.0], [2.0], [3.0]], [2, 1], 2).value[:, :, 0].tolist()
        [[1.0, 2.0], [3.0, 0.0]]
    """
    (x,) = as_tensors([x])
    counts = _counts(lengths)
    if (
        counts.ndim != 1
        or int(counts.sum()) != x.shape[0]
        or counts.max(initial=0) > steps
        or counts.min(initial=0) < 0
    ):
        raise DataError(f"lengths: expected {x.shape[0]} tokens in texts of 0 to {steps}, got {counts.tolist()}")
    present = np.arange(steps) < counts[:, None]
    places = np.where(present, np.cumsum(present).reshape(present.shape) - 1, -1)
    return reshape(gather_or_zero(x, places.reshape(-1)), (*present.shape, *x.shape[1:]))


def _counts(lengths: TensorLike) -> Array:
    """Lengths as numbers of the host."""
    if isinstance(lengths, Tensor):
        if lengths.value is None:
            raise ConfigurationError(
                "lengths: these are an argument of a compiled function, and the number of tokens would follow from "
                "them; make the texts flat before (chainrule.nn.flattened), and hand on tokens and offsets"
            )
        lengths = lengths.value
    counts = np.asarray(lengths)
    if counts.dtype.kind not in "iu":
        raise DataError(f"lengths: expected whole numbers, got {counts.dtype}")
    return counts.astype(np.int64)


def takes_padded(call: Call) -> Call:
    """Let a layer's `__call__(x, offsets)`, whose first output is of tokens, take x of shape (batch, steps, size), too.

    It comes with `lengths=` in the place of offsets, and the output of the tokens is of shape (batch, steps, ...)
    then, with zeros behind the end of each text.
    """
    return _wrapped(call, back=True)


def takes_padded_texts(call: Call) -> Call:
    """The same for a layer whose output is of texts."""
    return _wrapped(call, back=False)


def _wrapped(call: Call, *, back: bool) -> Call:
    @functools.wraps(call)
    def wrapper(
        self: Any, x: TensorLike, offsets: TensorLike | None = None, *rest: Any, lengths: Any = None, **further: Any
    ) -> Any:
        if (offsets is None) == (lengths is None):
            raise ConfigurationError("expected either offsets (of flat tokens) or lengths= (of padded ones)")
        if lengths is None:
            return call(self, x, offsets, *rest, **further)
        (x,) = as_tensors([x])
        flat, offsets = flattened(x, lengths)
        found = call(self, flat, offsets, *rest, **further)
        if not back:
            return found
        if isinstance(found, tuple):
            return (padded(found[0], lengths, x.shape[1]), *found[1:])
        return padded(found, lengths, x.shape[1])

    return wrapper  # type: ignore[return-value]
