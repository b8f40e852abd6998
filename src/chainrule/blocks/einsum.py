"""Sums of products by the names of axes, made from matrix products, transpositions and sums."""

from __future__ import annotations

import math
from collections.abc import Sequence

from chainrule.blocks.comparison import equal, where
from chainrule.blocks.contraction import matmul
from chainrule.blocks.movement import iota, reshape, transpose
from chainrule.blocks.reduction import sum
from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, ShapeError
from chainrule.graph.conversion import promote
from chainrule.graph.tensor import Tensor, TensorLike, operation


@dataclass(frozen=True)
class _Term:
    """A tensor and the name of each of its axes, all different."""

    tensor: Tensor
    names: tuple[str, ...]

    def size(self, name: str) -> int:
        """The size of the axis of this name."""
        return self.tensor.shape[self.names.index(name)]

    def ordered(self, names: Sequence[str]) -> Tensor:
        """The tensor with its axes in this order."""
        order = tuple(self.names.index(name) for name in names)
        return self.tensor if order == tuple(range(len(order))) else transpose(self.tensor, order)

    def without(self, names: Sequence[str]) -> _Term:
        """The term summed over these axes."""
        axes = [axis for axis, name in enumerate(self.names) if name in names]
        if not axes:
            return self
        return _Term(sum(self.tensor, axes), tuple(name for name in self.names if name not in names))


@operation
def einsum(equation: str, *tensors: TensorLike) -> Tensor:
    """y = the sum of products that an equation describes, such as "ij,jk->ik" for y[i, k] = Σ_j a[i, j] b[j, k].

    Each letter names an axis; axes of one name have one size, or are broadcast where a size is 1. A name that is not
    behind the arrow is summed over. "..." stands for any further axes, which are broadcast. Without an arrow, the names
    that appear once are kept, in the order of the alphabet, behind the axes of "...".

    Gradient: the sum of products of the gradient and all other tensors.
    PyTorch: torch.einsum. NumPy: numpy.einsum.

    Args:
        equation: the names of the axes of each tensor, separated by commas; then "->" and those of the result.
        tensors: one for each group of names. They are multiplied from left to right, two at a time.

    Raises:
        ConfigurationError: for an equation that cannot be read, or of another number of tensors.
        ShapeError: when a tensor has not one axis a name, or sizes of one name differ.

    Example:
        >>> import chainrule
        >>> chainrule.einsum("ij,jk->ik", [[1.0, 2.0]], [[3.0], [4.0]]).value
        array([[11.]], dtype=float32)
    """
    groups, result = _parsed(equation, len(tensors))
    held = promote("einsum", tensors)
    terms = [_named(equation, group, x) for group, x in zip(groups, held, strict=True)]
    further = max((name for term in terms for name in term.names if name.isdigit()), key=int, default=None)
    dots = [] if further is None else [str(i) for i in range(int(further), -1, -1)]
    if result is None:
        letters = "".join(groups).replace(".", "")
        kept = [*dots, *sorted(name for name in set(letters) if letters.count(name) == 1)]
    else:
        kept = [name for part in result.replace("...", ".") for name in (dots if part == "." else [part])]
    _check(equation, terms, kept)
    terms = [_without_size_one(term, terms) for term in terms]
    total = terms[0]
    for number, term in enumerate(terms[1:], 1):
        needed = {*kept, *(name for later in terms[number + 1 :] for name in later.names)}
        total = _product(total, term, needed)
    total = total.without([name for name in total.names if name not in kept])
    return total.ordered(kept)


def _parsed(equation: str, count: int) -> tuple[list[str], str | None]:
    """The names of each tensor, and of the result where the equation says them."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    groups = left.split(",")
    for group in (*groups, right):
        rest = group.replace("...", "", 1)
        if not all(name.isalpha() and name.isascii() for name in rest):
            raise ConfigurationError(
                f"einsum: cannot read {group!r} of {equation!r}; expected letters and at most one ..., as in "
                f"'ij,jk->ik'"
            )
    if len(groups) != count:
        raise ConfigurationError(f"einsum: {equation!r} is for {len(groups)} tensors, got {count}")
    if len(set(right.replace("...", ""))) != len(right.replace("...", "")):
        raise ConfigurationError(f"einsum: {equation!r} names an axis of the result twice; expected each once")
    return groups, right if arrow else None


def _named(equation: str, group: str, x: Tensor) -> _Term:
    """A tensor with the names of its axes; those of "..." are numbers, counted from the right."""
    letters = group.replace("...", "")
    more = x.spec.rank - len(letters)
    if more < 0 or (more and "..." not in group):
        raise ShapeError(
            f"einsum: {group!r} of {equation!r} names {len(letters)} axes, got a tensor of shape {x.shape}"
        )
    before, dots, after = group.partition("...")
    names = [*before, *([str(i) for i in range(more - 1, -1, -1)] if dots else []), *after]
    while len(set(names)) < len(names):
        x, names = _diagonal(equation, x, names)
    return _Term(x, tuple(names))


def _diagonal(equation: str, x: Tensor, names: list[str]) -> tuple[Tensor, list[str]]:
    """The elements that have one index along the first two axes of one name, which become one axis."""
    first, second = next((i, j) for j, name in enumerate(names) for i in range(j) if names[i] == name)
    size, other = x.shape[first], x.shape[second]
    if size != other:
        raise ShapeError(f"einsum: axis {names[first]!r} of {equation!r} has sizes {size} and {other}; expected one")
    places = [reshape(iota(size), [-1 if i == axis else 1 for i in range(x.spec.rank)]) for axis in (first, second)]
    return sum(where(equal(*places), x, 0), second), names[:second] + names[second + 1 :]


def _check(equation: str, terms: Sequence[_Term], kept: Sequence[str]) -> None:
    """Refuse sizes that differ, and names of the result that no tensor has."""
    sizes: dict[str, int] = {}
    for term in terms:
        for name in term.names:
            size = term.size(name)
            if sizes.setdefault(name, size) == 1:
                sizes[name] = size
            if size not in (1, sizes[name]):
                raise ShapeError(
                    f"einsum: axis {'...' if name.isdigit() else name!r} of {equation!r} has sizes {sizes[name]} and "
                    f"{size}; expected one size, or 1 to be repeated"
                )
    for name in kept:
        if name not in sizes:
            raise ConfigurationError(f"einsum: no tensor of {equation!r} has an axis {name!r}, which the result names")


def _without_size_one(term: _Term, terms: Sequence[_Term]) -> _Term:
    """A term without the axes of size 1 that are larger in another term, as they are repeated there."""
    return term.without(
        [n for n in term.names if term.size(n) == 1 and any(n in x.names and x.size(n) != 1 for x in terms)]
    )


def _product(a: _Term, b: _Term, needed: set[str]) -> _Term:
    """The product of two terms, summed over the axes that are needed no more."""
    a = a.without([name for name in a.names if name not in needed and name not in b.names])
    b = b.without([name for name in b.names if name not in needed and name not in a.names])
    batch = [name for name in a.names if name in b.names and name in needed]
    summed = [name for name in a.names if name in b.names and name not in needed]
    rows = [name for name in a.names if name not in b.names]
    columns = [name for name in b.names if name not in a.names]
    names = (*batch, *rows, *columns)
    if not summed:
        wide = [a.size(name) for name in (*batch, *rows)] + [1] * len(columns)
        tall = [b.size(name) for name in batch] + [1] * len(rows) + [b.size(name) for name in columns]
        return _Term(reshape(a.ordered([*batch, *rows]), wide) * reshape(b.ordered([*batch, *columns]), tall), names)

    def merged(term: _Term, *groups: Sequence[str]) -> Tensor:
        sizes = [[term.size(name) for name in group] for group in groups]
        shape = [*sizes[0], *(math.prod(group) for group in sizes[1:])]
        return reshape(term.ordered([name for group in groups for name in group]), shape)

    product = matmul(merged(a, batch, rows, summed), merged(b, batch, summed, columns))
    shape = [a.size(name) for name in (*batch, *rows)] + [b.size(name) for name in columns]
    return _Term(reshape(product, shape), names)
