"""Gradients of slices: what flows back into one tensor is put together in one array, however many slices it has.

The gradient of a slice is zero outside of it (`Unslice`). If a network reads `x[:, t]` for each t, a sum of such
gradients would be T arrays of the size of x; here they become one `Concatenate` along that axis.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from chainrule.blocks.movement import broadcast_to
from chainrule.blocks.slicing import Concatenate, Unslice
from chainrule.dataclasses import dataclass
from chainrule.graph.leaves import Constant
from chainrule.graph.spec import Shape, Spec
from chainrule.graph.tensor import Tensor, operation


@dataclass(frozen=True)
class Piece:
    """A part of an array that is zero elsewhere: its numbers, and where along each axis they start."""

    value: Tensor
    start: tuple[int, ...]

    def end(self, axis: int) -> int:
        """The index after its last along an axis."""
        return self.start[axis] + self.value.shape[axis]


@operation
def put_together(contributions: Sequence[Tensor]) -> list[Tensor]:
    """Fewer tensors with the same sum: those that are zero outside of a slice become as few arrays as possible.

    Args:
        contributions: tensors of one shape and dtype.
    """
    pieces = [x for x in contributions if type(x.block) is Unslice and all(step == 1 for step in x.block.step)]
    if len(pieces) < 2:
        return list(contributions)
    merged = _added([Piece(x.inputs[0], x.block.start) for x in pieces if isinstance(x.block, Unslice)])
    shape = pieces[0].shape
    for axis in reversed(range(len(shape))):
        merged = [piece for group in _in_line(merged, axis) for piece in _concatenated(group, axis)]
    chosen = set(pieces)
    return [*(x for x in contributions if x not in chosen), *(_whole(piece, shape) for piece in merged)]


def _added(pieces: Iterable[Piece]) -> list[Piece]:
    """The pieces, where those at the same place are added up."""
    found: dict[tuple[tuple[int, ...], Shape], Piece] = {}
    for piece in pieces:
        place = piece.start, piece.value.shape
        found[place] = Piece(piece.value + found[place].value, piece.start) if place in found else piece
    return list(found.values())


def _in_line(pieces: Iterable[Piece], axis: int) -> list[list[Piece]]:
    """The pieces in groups that differ in their place along one axis alone, each in order."""
    groups: dict[tuple[tuple[int, int], ...], list[Piece]] = {}
    for piece in sorted(pieces, key=lambda piece: piece.start[axis]):
        places = [*zip(piece.start, piece.value.shape, strict=True)]
        groups.setdefault((*places[:axis], *places[axis + 1 :]), []).append(piece)
    return list(groups.values())


def _concatenated(pieces: Sequence[Piece], axis: int) -> list[Piece]:
    """Pieces in a line as one, with zeros in between; as several where pieces overlap, such as windows."""
    rows: list[list[Piece]] = []
    for piece in pieces:
        free = next((row for row in rows if row[-1].end(axis) <= piece.start[axis]), None)
        if free is None:
            rows.append([piece])
        else:
            free.append(piece)
    return [_joined(row, axis) for row in rows]


def _joined(row: Sequence[Piece], axis: int) -> Piece:
    """Pieces one behind another as one piece."""
    if len(row) == 1:
        return row[0]
    parts: list[Tensor] = []
    end = row[0].start[axis]
    for piece in row:
        if piece.start[axis] > end:
            shape = list(piece.value.shape)
            shape[axis] = piece.start[axis] - end
            parts.append(broadcast_to(Constant(Spec((), piece.value.dtype), np.zeros((), piece.value.dtype)), shape))
        parts.append(piece.value)
        end = piece.end(axis)
    return Piece(Concatenate.of(axis)(*parts), row[0].start)


def _whole(piece: Piece, shape: Shape) -> Tensor:
    """The array that a piece is a part of."""
    return piece.value if piece.value.shape == shape else Unslice.of(piece.start, (1,) * len(shape), shape)(piece.value)
