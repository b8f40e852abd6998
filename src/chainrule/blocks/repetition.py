"""Repeat: a function applied several times to the rows of some tensors, to each row its own number of times."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, DTypeError, ShapeError
from chainrule.graph.block import Block, Contributions, Element, Elementwise, Samples, real, sample
from chainrule.graph.spec import FLOAT64, Spec, require_integer
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import Graph, trace


@dataclass(frozen=True, repr=False)
class Repeat(Block):
    """y = f(... f(f(x, c[a + 1]), c[a + 2]) ..., c[b]), for every element of the tensors x.

    Every row has its own a, the step it has reached, and all rows are taken to step b.

    Fields:
        function: a graph of elementwise blocks over scalars; its inputs are a number of each c, then an element of each
            x; its outputs are the new elements, as many as there are x.

    Args:
        first: a, shape (n,), integers.
        last: b, an integer.
        numbers: the c, each of shape (m,). An a below 0, or a b of m or more, is refused.
        tensors: the x, each of shape (n, ...).

    Returns:
        shape (tensors, n, ...): the new x, one after another.

    Raises:
        ShapeError: when shapes differ, or a place is outside the numbers.
        DTypeError: for places that are no integers, or numbers and tensors that are not floating-point.
    """

    differentiable = False
    function: Graph

    def __post_init__(self) -> None:
        wrong = [x for x in self.function.nodes() if x.block is not None and not isinstance(x.block, Elementwise)]
        if wrong or self.function.updates:
            raise ConfigurationError("repeat: expected a function of elementwise blocks over scalars, and no updates")

    @property
    def count(self) -> int:
        """How many tensors there are."""
        return len(self.function.outputs)

    def infer(self, first: Spec, last: Spec, *rest: Spec) -> Spec:
        require_integer("repeat", "places", first)
        require_integer("repeat", "places", last)
        numbers, tensors = rest[: -self.count], rest[-self.count :]
        if len(rest) != len(self.function.inputs):
            raise ShapeError(f"repeat: expected {len(self.function.inputs)} numbers and tensors, got {len(rest)}")
        if first.rank != 1 or last.rank != 0 or any(x.shape[:1] != first.shape for x in tensors):
            raise ShapeError(
                f"repeat: expected a place a row and one place for all, got {first.shape} and {last.shape} for "
                f"tensors of shapes {', '.join(str(x.shape) for x in tensors)}"
            )
        if len(set(tensors)) != 1 or len({x.shape for x in numbers}) > 1:
            raise ShapeError(
                f"repeat: expected tensors of one shape and dtype, and numbers of one length; got "
                f"{', '.join(map(str, tensors))} and numbers of shapes {', '.join(str(x.shape) for x in numbers)}"
            )
        if not all(x.floating for x in rest) or any(x.rank != 1 for x in numbers):
            raise DTypeError("repeat: expected floating-point tensors, and numbers along one axis")
        return Spec((self.count, *tensors[0].shape), tensors[0].dtype)

    def forward(self, xp: Any, first: Any, last: Any, *rest: Any) -> Any:
        numbers, tensors = rest[: -self.count], rest[-self.count :]
        end, dtype = int(last), tensors[0].dtype
        if first.size and (first.min() < 0 or (numbers and end >= len(numbers[0]))):
            raise ShapeError(self.refusal(min(int(first.min()), end)))
        values = list(tensors)
        for place in range(int(first.min()) + 1 if first.size else end + 1, end + 1):
            given = [x[place].astype(dtype) for x in numbers]
            changed = self.apply(xp, [*given, *values])
            due = (first < place).reshape(-1, *[1] * (tensors[0].ndim - 1))
            values = [xp.where(due, new, old) for new, old in zip(changed, values, strict=True)]
        return xp.stack(values)

    def apply(self, xp: Any, given: Sequence[Any]) -> list[Any]:
        """The function of scalars, arrays or expressions."""
        found: dict[Tensor, Any] = dict(zip(self.function.inputs, given, strict=True))
        for node in self.function.nodes():
            if node.block is not None:
                found[node] = node.block.forward(xp, *[found[x] for x in node.inputs])
            elif node not in found:
                found[node] = node.item()
        return [found[x] for x in self.function.outputs]

    def refusal(self, value: int) -> str:
        return f"repeat: place {value} is outside the numbers that are given"

    def loops(self, nest: Any, y: Any, first: Element, last: Element, *rest: Element) -> None:
        numbers, tensors = rest[: -self.count], rest[-self.count :]
        dtype = y.spec.dtype
        end = last(())
        if numbers:
            nest.refuse(end >= numbers[0].shape[0], end)

        def row(i: Any) -> None:
            start = first((i,))
            nest.refuse(start < 0, start)

            def begin(j: tuple[Any, ...]) -> None:
                for k, x in enumerate(tensors):
                    y.store(nest, (k, i, *j), x((i, *j)))

            def again(place: Any) -> None:
                given = [nest.xp.astype(x((place,)), dtype) for x in numbers]
                nest.nest(y.shape[2:], partial(cell, given))

            def cell(given: list[Any], j: tuple[Any, ...]) -> None:
                results = self.apply(nest.xp, [*given, *[y((k, i, *j)) for k in range(self.count)]])
                held = [nest.declare(x) for x in results]
                for k, new in enumerate(held):
                    y.store(nest, (k, i, *j), new.get())

            nest.nest(y.shape[2:], begin)
            nest.loop(end + 1, again, start + 1)

        nest.loop(y.shape[1], row)

    def backward(self, gradient: Tensor, output: Tensor, *inputs: Tensor) -> Contributions:
        return (None,) * len(inputs)

    def __repr__(self) -> str:
        return f"repeat(tensors={self.count})"

    @classmethod
    def samples(cls) -> Samples:
        scalar = Spec((), FLOAT64)
        one = trace(lambda c, x: x * c + 1, scalar, scalar)
        two = trace(lambda c, d, x, y: (x - c * y, y * d), scalar, scalar, scalar, scalar)
        places, numbers = np.array([3, 0, 2, 4, 1]), real(6)
        return (
            sample(cls(one), places, np.array(4), numbers, real(5, 3)),
            sample(cls(two), places, np.array(5), numbers, numbers[::-1].copy(), real(5), real(5, low=1)),
            sample(cls(one), places[:0], np.array(2), numbers, real(0, 2)),
        )
