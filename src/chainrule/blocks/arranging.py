"""Copies side by side, cuts, margins and shifts, made from movements."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from chainrule.blocks.comparison import where
from chainrule.blocks.creation import full
from chainrule.blocks.indexing import Gather
from chainrule.blocks.movement import broadcast_to, expand, reshape, squeeze, transpose
from chainrule.blocks.slicing import Slice, Unslice, concatenate
from chainrule.errors import ConfigurationError, ShapeError
from chainrule.graph.conversion import as_tensors
from chainrule.graph.spec import normalize_axis
from chainrule.graph.tensor import Tensor, TensorLike, operation

Widths = int | Sequence[int] | Sequence[Sequence[int]]


@operation
def pad(x: TensorLike, widths: Widths, value: float = 0) -> Tensor:
    """y = x with a margin of one number around it.

    Gradient: that of what is inside the margin.
    PyTorch: torch.nn.functional.pad. NumPy: numpy.pad.

    Args:
        x: any shape.
        widths: how many numbers are added (before, after) along each axis; one such pair, or one number, for all axes.
        value: what the margin is filled with, as a number of x's dtype.

    Raises:
        ShapeError: when there is not one pair an axis, or a width is below 0.

    Example:
        >>> import chainrule
        >>> chainrule.pad([[1, 2]], [(0, 1), (1, 0)]).value.tolist()
        [[0, 1, 2], [0, 0, 0]]
    """
    (x,) = as_tensors([x])
    try:
        pairs = np.broadcast_to(np.asarray(widths, np.int64), (x.spec.rank, 2)).tolist()
    except (ValueError, TypeError):
        pairs = None
    if pairs is None or any(width < 0 for pair in pairs for width in pair):
        raise ShapeError(f"pad: expected widths of 0 or more, (before, after) for each axis of {x.shape}, got {widths}")
    start, step = tuple(before for before, _ in pairs), (1,) * x.spec.rank
    shape = tuple(before + size + after for (before, after), size in zip(pairs, x.shape, strict=True))
    inside = Unslice(start, step, shape)
    return inside(x) if value == 0 else where(inside(full(x.shape, True)), inside(x), full((), value, x.dtype))


@operation
def tile(x: TensorLike, counts: int | Sequence[int]) -> Tensor:
    """y = copies of x side by side, so many along each axis.

    Gradient: the sum over all copies.
    PyTorch: torch.tile. NumPy: numpy.tile.

    Args:
        x: any shape.
        counts: one an axis; fewer are for the last axes, and more make new axes on the left. One number is for the
            last axis.

    Raises:
        ShapeError: for a count below 0.

    Example:
        >>> import chainrule
        >>> chainrule.tile([1, 2], 2).value
        array([1, 2, 1, 2])
    """
    (x,) = as_tensors([x])
    given = [int(counts)] if isinstance(counts, int | np.integer) else [int(count) for count in counts]
    if any(count < 0 for count in given):
        raise ShapeError(f"tile: expected counts of 0 or more, got {counts}")
    rank = max(len(given), x.spec.rank)
    given = [1] * (rank - len(given)) + given
    shape = (*[1] * (rank - x.spec.rank), *x.shape)
    if not rank:
        return x
    apart = reshape(x, [size for n in shape for size in (1, n)])
    copies = broadcast_to(apart, [size for count, n in zip(given, shape, strict=True) for size in (count, n)])
    return reshape(copies, [count * n for count, n in zip(given, shape, strict=True)])


@operation
def repeat(x: TensorLike, counts: int | Sequence[int], axis: int | None = None) -> Tensor:
    """y = each element so many times in a row along an axis.

    Gradient: the sum over all copies.
    PyTorch: torch.repeat_interleave. NumPy: numpy.repeat.

    Args:
        x: any shape.
        counts: one number for all elements, or one for each along the axis.
        axis: where the copies stand along; None for all elements in row order, which gives one axis.

    Raises:
        ShapeError: for an axis that is not there, a count below 0, or when there is not one count an element.

    Example:
        >>> import chainrule
        >>> chainrule.repeat([1, 2], 2).value, chainrule.repeat([1, 2], [0, 3]).value
        (array([1, 1, 2, 2]), array([2, 2, 2]))
    """
    (x,) = as_tensors([x])
    if axis is None:
        x, axis = reshape(x, -1 if x.spec.size else 0), 0
    place = normalize_axis("repeat", axis, x.spec.rank)
    size = x.shape[place]
    given = np.asarray(counts)
    if given.dtype.kind not in "iu" or given.shape not in ((), (size,)) or (given < 0).any():
        raise ShapeError(
            f"repeat: expected a count of 0 or more, or {size} of them, one for each element along axis {axis} of "
            f"shape {x.shape}, got {counts}"
        )
    if given.shape:
        order = (place, *(i for i in range(x.spec.rank) if i != place))
        rows = Gather()(transpose(x, order), np.repeat(np.arange(size), given))
        return transpose(rows, [order.index(i) for i in range(x.spec.rank)])
    shape = (*x.shape[: place + 1], int(given), *x.shape[place + 1 :])
    copies = broadcast_to(expand(x, place + 1), shape)
    return reshape(copies, (*x.shape[:place], size * int(given), *x.shape[place + 1 :]))


@operation
def split(x: TensorLike, sizes: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """y₁, y₂, ... = x cut along an axis, into parts of these sizes.

    Gradient: that of each part, at its place.
    PyTorch: torch.split. NumPy: none.

    Args:
        x: shape with at least one axis.
        sizes: the size of each part; or one size for all parts, of which the last may be smaller. (NumPy's function of
            this name takes the number of parts instead.)
        axis: where x is cut along.

    Raises:
        ShapeError: for an axis that is not there, or sizes that do not sum to its size.

    Example:
        >>> import chainrule
        >>> [part.value.tolist() for part in chainrule.split([1, 2, 3], [1, 2])]
        [[1], [2, 3]]
    """
    (x,) = as_tensors([x])
    place = normalize_axis("split", axis, x.spec.rank)
    whole = x.shape[place]
    if isinstance(sizes, int | np.integer):
        if sizes < 1:
            raise ShapeError(f"split: expected parts of at least one element, got a size of {sizes}")
        sizes = [min(int(sizes), whole - start) for start in range(0, max(whole, 1), int(sizes))]
    ends = np.cumsum([0, *sizes]).tolist()
    if any(size < 0 for size in sizes) or ends[-1] != whole:
        raise ShapeError(
            f"split: expected sizes of 0 or more that sum to {whole}, the size of axis {axis} of shape {x.shape}, got "
            f"{list(sizes)}"
        )
    before = (slice(None),) * place
    return [x[(*before, slice(start, end))] for start, end in pairwise(ends)]


@operation
def unstack(x: TensorLike, axis: int = 0) -> tuple[Tensor, ...]:
    """The slices of a tensor along an axis, which they no longer have: the inverse of `stack`.

    Gradient: those of the slices, stacked.
    PyTorch: torch.unbind. NumPy: numpy.unstack.

    Raises:
        ShapeError: when there is no such axis.

    Example:
        >>> import chainrule
        >>> first, second = chainrule.unstack([[1, 2], [3, 4]], axis=1)
        >>> first.value, second.value
        (array([1, 3]), array([2, 4]))
    """
    (x,) = as_tensors([x])
    place = normalize_axis("unstack", axis, x.spec.rank)
    size, steps = (*x.shape[:place], 1, *x.shape[place + 1 :]), (1,) * x.spec.rank
    starts = [tuple(i if a == place else 0 for a in range(x.spec.rank)) for i in range(x.shape[place])]
    return tuple(squeeze(Slice.of(start, steps, size)(x), place) for start in starts)


@operation
def roll(x: TensorLike, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> Tensor:
    """y = x shifted along axes; what leaves at one end comes in at the other: y[i] = x[i - shift].

    Gradient: shifted back.
    PyTorch: torch.roll. NumPy: numpy.roll.

    Args:
        x: any shape.
        shift: by how much, one number an axis; below 0 towards the start.
        axis: one axis or several; None shifts all elements in row order.

    Raises:
        ShapeError: for an axis that is not there.
        ConfigurationError: when there is not one shift an axis.

    Example:
        >>> import chainrule
        >>> chainrule.roll([1, 2, 3], 1).value
        array([3, 1, 2])
    """
    (x,) = as_tensors([x])
    if axis is None:
        return reshape(roll(reshape(x, -1 if x.spec.size else 0), shift, 0), x.shape)
    axes = [axis] if isinstance(axis, int | np.integer) else list(axis)
    shifts = [shift] * len(axes) if isinstance(shift, int | np.integer) else list(shift)
    if len(shifts) != len(axes):
        raise ConfigurationError(f"roll: expected one shift an axis, got {len(shifts)} shifts and {len(axes)} axes")
    for each, by in zip(axes, shifts, strict=True):
        place = normalize_axis("roll", each, x.spec.rank)
        cut = -int(by) % x.shape[place] if x.shape[place] else 0
        if cut:
            before = (slice(None),) * place
            x = concatenate([x[(*before, slice(cut, None))], x[(*before, slice(cut))]], place)
    return x
