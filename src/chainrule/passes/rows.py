"""Rows: a graph of one example as a graph of many, which are the rows of its inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from chainrule.blocks.arithmetic import multiply
from chainrule.blocks.comparison import where
from chainrule.blocks.contraction import MatMul, matmul
from chainrule.blocks.indexing import Gather
from chainrule.blocks.movement import Broadcast, Iota, Reshape, Transpose, reshape, transpose
from chainrule.blocks.reduction import sum
from chainrule.blocks.slicing import Concatenate, Slice, Unslice
from chainrule.errors import ConfigurationError
from chainrule.graph.block import Block, Elementwise, Reduction
from chainrule.graph.order import topological_order
from chainrule.graph.spec import INT64
from chainrule.graph.tensor import Tensor

#: Blocks that work along one axis, by a field of that name.
ALONG_AXIS = {"argmax", "argmin", "cumulative_sum", "recurrence", "take_along_axis", "from_start", "argsort"}


class Rows(NamedTuple):
    """What became of a node.

    Attributes:
        tensor: of all rows, on a first axis; or the node of one example.
        many: whether it has that axis.
    """

    tensor: Tensor
    many: bool


def over_rows(
    outputs: Sequence[Tensor], known: Mapping[Tensor, Tensor], shared: Mapping[Tensor, Tensor], count: int
) -> list[Tensor]:
    """The outputs of a graph of one example, computed for many at the same time.

    Args:
        outputs: nodes.
        known: what takes the place of a leaf that each example has its own of: its rows, with the examples on axis 0.
        shared: what takes the place of a node that all examples have in common; other leaves stand for themselves.
        count: how many examples there are.

    Returns:
        the outputs, with the examples on axis 0.

    Raises:
        ConfigurationError: for a block of which it is not known how it treats rows.

    Example:
        >>> import chainrule
        >>> x, weight = chainrule.tensor([1.0, 2.0]), chainrule.Parameter.of([[1.0], [3.0]])
        >>> rows = chainrule.tensor([[1.0, 2.0], [0.0, 1.0]])
        >>> over_rows([x @ weight], {x: rows}, {}, 2)[0].value.tolist()
        [[7.0], [3.0]]
    """
    found = {node: Rows(rows, many=True) for node, rows in known.items()}
    found |= {node: Rows(x, many=False) for node, x in shared.items()}
    for node in topological_order(outputs):
        if node in found:
            continue
        inputs = [found[x] if x in found else Rows(x, many=False) for x in node.inputs]
        if node.block is None:
            found[node] = Rows(node, many=False)
        elif not any(x.many for x in inputs):
            found[node] = Rows(node.block(*[x.tensor for x in inputs]), many=False)
        else:
            found[node] = Rows(_applied(node, node.block, inputs, count), many=True)
    return [found[x].tensor if found[x].many else _repeated(found[x].tensor, count) for x in outputs]


def _applied(node: Tensor, block: Block, inputs: list[Rows], count: int) -> Tensor:
    """A node of many rows."""
    tensors = [x.tensor for x in inputs]
    if isinstance(block, Elementwise):
        rank = node.spec.rank
        return block(*[_of_rank(x, rank, count) if x.many else x.tensor for x in inputs])
    if isinstance(block, Reduction):
        return _moved(block, tuple([axis + 1 for axis in block.axis]))(*tensors)
    if isinstance(block, Reshape):
        return reshape(tensors[0], (count, *node.shape))
    if isinstance(block, Broadcast):
        return Broadcast((count, *node.shape))(_of_rank(inputs[0], node.spec.rank, count))
    if isinstance(block, Transpose):
        return Transpose((0, *[axis + 1 for axis in block.axes]))(tensors[0])
    if isinstance(block, Slice):
        return Slice((0, *block.start), (1, *block.step), (count, *block.size))(tensors[0])
    if isinstance(block, Unslice):
        return Unslice((0, *block.start), (1, *block.step), (count, *block.shape))(tensors[0])
    if isinstance(block, Concatenate):
        return Concatenate(block.axis + 1)(*[x.tensor if x.many else _repeated(x.tensor, count) for x in inputs])
    if isinstance(block, Gather):
        return _gathered(inputs[0], inputs[1], count)
    if isinstance(block, MatMul):
        return _product(inputs[0], inputs[1], count)
    axis = vars(block).get("axis")
    if block.name in ALONG_AXIS and isinstance(axis, int):
        return _moved(block, axis + 1)(*[x.tensor if x.many else _repeated(x.tensor, count) for x in inputs])
    raise ConfigurationError(
        f"batched: it is not known how block {block.name} treats rows; compute it outside of the batched function, or "
        f"write it with other functions"
    )


def _moved(block: Any, axis: Any) -> Block:
    """The block, along another axis or others."""
    moved: Block = replace(block, axis=axis)
    return moved


def _of_rank(x: Rows, rank: int, count: int) -> Tensor:
    """Rows with axes of size 1 behind the first, so that what is broadcast against it meets the axes that it would."""
    missing = rank + 1 - x.tensor.spec.rank
    return reshape(x.tensor, (count, *[1] * missing, *x.tensor.shape[1:])) if missing > 0 else x.tensor


def _repeated(x: Tensor, count: int) -> Tensor:
    """The same for all rows."""
    return Broadcast((count, *x.shape))(x)


def _gathered(table: Rows, indices: Rows, count: int) -> Tensor:
    """Rows of a table, which each example may have its own of."""
    if not table.many:
        return Gather.of()(table.tensor, indices.tensor)
    x, size = table.tensor, table.tensor.shape[1]
    places = indices.tensor if indices.many else _repeated(indices.tensor, count)
    first = reshape(Iota((count,))().astype(INT64) * size, (count, *[1] * (places.spec.rank - 1)))
    inside = (places >= 0) & (places < size)  # a place outside of an example's own table must not read that of another
    places = where(inside, places.astype(INT64) + first, -1)
    return Gather.of()(reshape(x, (count * size, *x.shape[2:])), places)


def _product(a: Rows, b: Rows, count: int) -> Tensor:
    """A product of matrices, as one of large matrices where one side is the same for all rows."""
    left, right = a.tensor, b.tensor
    if a.many and not b.many and right.spec.rank == 2:
        return matmul(left, right)
    if b.many and not a.many and left.spec.rank == 2 and right.spec.rank == 3:
        # W X for each X: the transpose of Xᵀ Wᵀ.
        turned = right if right.shape[2] == 1 else transpose(right, (0, 2, 1))
        rows = reshape(turned, (count * right.shape[2], right.shape[1])) @ transpose(left, (1, 0))
        found = reshape(rows, (count, right.shape[2], left.shape[0]))
        return reshape(found, (count, left.shape[0], 1)) if right.shape[2] == 1 else transpose(found, (0, 2, 1))
    rank = max(left.spec.rank - a.many, right.spec.rank - b.many)
    left, right = (_of_rank(x, rank, count) if x.many else x.tensor for x in (a, b))
    # Each row has matrices of its own, mostly vectors: a sum of products, which needs no BLAS.
    left = reshape(left, (*left.shape, 1))
    right = reshape(right, (*right.shape[:-2], 1, *right.shape[-2:]))
    return sum(multiply(left, right), -2)
