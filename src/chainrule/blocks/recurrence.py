"""Recurrence: a function applied step by step to all texts of a batch at the same time, without padding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from chainrule.blocks.arithmetic import add
from chainrule.blocks.contraction import MatMul
from chainrule.blocks.movement import Broadcast, iota, reshape
from chainrule.blocks.places import Inverse, Rearrange, StepEnds, StepNeighbours
from chainrule.blocks.slicing import Concatenate, Slice, Unslice
from chainrule.dataclasses import dataclass
from chainrule.errors import ShapeError
from chainrule.graph.autodiff import adjoints_of, dense
from chainrule.graph.block import Block, Contributions, Samples, real, sample
from chainrule.graph.leaves import Constant
from chainrule.graph.spec import Array, Spec
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import Graph, replayed

#: Of a body, its function: from its inputs to its outputs, all tensors.
Function = Callable[[Sequence[Tensor]], Sequence[Tensor]]


class Body:
    """What one step of a scan computes, for any number of rows.

    Its inputs are the states, then what belongs to a row, then what all steps share, such as weights. Its outputs are
    the new states, and then what is kept of each row for the gradient. It treats each row by itself.

    Args:
        function: from inputs to outputs; called once for each number of rows that is asked for.
        inputs: of each input the shape, without the axis of rows where it has one, and the dtype.
        states: how many states there are.
        rows: how many inputs belong to a row, states left out.
    """

    def __init__(self, function: Function, inputs: Sequence[Spec], states: int, rows: int) -> None:
        self.function, self.inputs, self.states, self.rows = function, tuple(inputs), states, rows
        self._graphs: dict[tuple[int, np.dtype[Any]], Graph] = {}

    def at(self, count: int, dtype: np.dtype[Any] | None = None) -> Graph:
        """The graph of a step over so many rows, for floating-point numbers of a dtype."""
        dtype = self.inputs[0].dtype if dtype is None else dtype
        if (count, dtype) not in self._graphs:
            of_rows = self.states + self.rows
            specs = [Spec((count, *x.shape), x.dtype) if i < of_rows else x for i, x in enumerate(self.inputs)]
            leaves = [Tensor(typed(spec, dtype)) for spec in specs]
            self._graphs[count, dtype] = Graph(tuple(leaves), tuple(self.function(leaves)))
        return self._graphs[count, dtype]

    @property
    def outputs(self) -> list[Spec]:
        """Of each output the shape without the axis of rows, and the dtype."""
        return [Spec(x.shape[1:], x.dtype) for x in self.at(2).outputs]

    def over(self, inputs: Sequence[Tensor], count: int | None = None) -> list[Tensor]:
        """The outputs for other inputs, as a part of their graph; `count` rows, or as many as the first input has."""
        graph = self.at(inputs[0].shape[0] if count is None else count, inputs[0].dtype)
        return replayed(graph.outputs, dict(zip(graph.inputs, inputs, strict=True)))

    def gradients(
        self,
        inputs: Sequence[Tensor],
        kept: Sequence[Tensor],
        seeds: Sequence[Tensor | None],
        wrt: Sequence[int],
        found_before: Mapping[int, Tensor] | None = None,
    ) -> list[Tensor | None]:
        """The vector-Jacobian product of a step, for inputs of any number of rows.

        Args:
            inputs: the inputs.
            kept: what the step kept of each row, so that it is not computed again.
            seeds: the gradient of each output; None for zeros.
            wrt: which inputs a gradient is wanted of; numbers behind those of the inputs stand for its products.
            found_before: gradients of some of these that are there already; others may follow from them.
        """
        graph = self.at(inputs[0].shape[0], inputs[0].dtype)
        known = dict(zip(graph.inputs, inputs, strict=True))
        given = {
            output: replaced
            for output, replaced in zip(graph.outputs[self.states :], kept, strict=True)
            if output.block is not None
        }
        stand_ins = [None if seed is None else Tensor(seed.spec) for seed in seeds]
        pairs = [(x, y) for x, y in zip(graph.outputs, stand_ins, strict=True) if y is not None]
        if not pairs:
            return [None] * len(wrt)
        nodes = [*graph.inputs, *_products(graph)]
        found = adjoints_of(pairs, [nodes[i] for i in wrt if i < len(graph.inputs)])
        wanted = [found.get(nodes[i]) for i in wrt]
        for i, there in (found_before or {}).items():
            if nodes[i] in found:
                given[dense(found[nodes[i]])] = there
        known |= {stand_in: seed for stand_in, seed in zip(stand_ins, seeds, strict=True) if seed is not None}  # type: ignore[misc]
        results = replayed([dense(x) for x in wanted if x is not None], known | given)
        rest = iter(results)
        return [None if x is None else next(rest) for x in wanted]


@dataclass(frozen=True, repr=False)
class Scan(Block):
    """sₜ, kₜ = f(sₜ₋₁, rₜ, w) for the steps t of each text, in step-major order; backwards, from each last step on.

    Fields:
        body: f.
        backwards: whether the steps are taken from the last to the first.

    Args:
        starts: see `StepStarts`; shape (n + 1,).
        states: s₀, one a text, the longest text first: shape (texts, ...).
        rows: r, in step-major order: shape (n, ...).
        shared: w.

    Returns:
        the outputs of f for all rows, in step-major order, each flat, one output after the other: shape (n × sizes,).
    """

    body: Body
    backwards: bool

    def infer(self, starts: Spec, *inputs: Spec) -> Spec:
        states, rows, _ = self.split(inputs)
        tokens, texts = starts.shape[0] - 1, inputs[0].shape[0] if inputs and inputs[0].rank else -1
        expected = [*((texts, *x.shape) for x in self.body.inputs[: len(states)])]
        expected += [(tokens, *x.shape) for x in self.body.inputs[len(states) : len(states) + len(rows)]]
        expected += [x.shape for x in self.body.inputs[len(expected) :]]
        if [x.shape for x in inputs] != expected or starts.rank != 1 or texts < 0:
            wanted, got = (", ".join(map(str, shapes)) for shapes in (expected, [x.shape for x in inputs]))
            raise ShapeError(
                f"scan: expected inputs of shapes {wanted} after starts of shape {starts.shape}, got {got}"
            )
        return Spec(((starts.shape[0] - 1) * sum(x.size for x in self.body.outputs),), inputs[0].dtype)

    def forward(self, xp: Any, starts: Any, *inputs: Any) -> Any:
        states, rows, shared = self.split(inputs)
        count, sizes = len(starts) - 1, xp.diff(starts)
        first = states[0].shape[0]
        if starts[0] != 0 or starts[-1] != count or (xp.diff(sizes) > 0).any() or (count and not 0 < sizes[0] <= first):
            raise ShapeError(
                f"scan: expected steps of ever fewer of {first} rows, {count} in all, got starts of shape "
                f"{starts.shape} from {starts[0]} to {starts[-1]}"
            )
        dtype = states[0].dtype
        outputs = [xp.empty((count, *x.shape), dtype) for x in self.body.outputs]
        carried = [xp.array(x) for x in states]
        steps = range(int(xp.count_nonzero(sizes)))
        for t in reversed(steps) if self.backwards else steps:
            step = slice(int(starts[t]), int(starts[t + 1]))
            active = step.stop - step.start
            given = [*(x[:active] for x in carried), *(x[step] for x in rows), *shared]
            found = values_of(self.body.at(active, dtype), given)
            for output, value in zip(outputs, found, strict=True):
                output[step] = value
            for state, value in zip(carried, found, strict=False):
                state[:active] = value
        return xp.concatenate([x.reshape(-1) for x in outputs])

    def split(self, inputs: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any], Sequence[Any]]:
        """The states, the rows, and what all steps share."""
        first, second = self.body.states, self.body.states + self.body.rows
        return inputs[:first], inputs[first:second], inputs[second:]

    def backward(self, gradient: Tensor, output: Tensor, *inputs: Tensor) -> Contributions:
        starts, given = inputs[0], inputs[1:]
        states, rows, shared = self.split(given)
        body, count = self.body, len(states)
        planes = [plane(output, body, i) for i in range(len(body.outputs))]
        kept = planes[count:]
        before = [states_before(x, s, starts, backwards=self.backwards) for x, s in zip(planes, states, strict=False)]
        seeds = arrived(gradient, body)
        # The only thing that has to go step by step: the gradient of the states.
        given_seeds = [x for x in seeds if x is not None]
        told = told_of(body, [x is not None for x in seeds])
        step = _gradient_body(body, [x is not None for x in seeds], told)
        zeros = [zeros_like(x) for x in states]
        found = Scan(step, not self.backwards)(starts, *zeros, *given_seeds, *before, *rows, *kept, *shared)
        handed = [plane(found, step, i) for i in range(count)]
        of_rows = {i: plane(found, step, count + n) for n, i in enumerate(told)}
        # Everything else, for all rows at once.
        to, back = _neighbours(starts, backwards=not self.backwards)
        carried = [Rearrange.of()(x, to, back) for x in handed]
        totals = [carry if seed is None else add(seed, carry) for carry, seed in zip(carried, seeds, strict=False)]
        wanted = [i for i, x in enumerate(given) if x.spec.floating and i >= count]
        parts = body.gradients([*before, *rows, *shared], kept, [*totals, *seeds[count:]], wanted, of_rows)
        contributions: list[Tensor | None] = [None] * len(inputs)
        for i, part in zip(wanted, parts, strict=True):
            contributions[1 + i] = part
        for i, x in enumerate(handed):
            ends = StepEnds.of(self.backwards)(starts, _order_of(states[i]))
            contributions[1 + i] = Rearrange.of()(x, ends, Inverse.of()(ends, x))
        return contributions

    @classmethod
    def samples(cls) -> Samples:
        starts = np.array([0, 3, 5, 6, 6, 6, 6])

        def one(inputs: Sequence[Tensor]) -> list[Tensor]:
            state, row, weights = inputs
            product = state @ weights
            return [(product + row).tanh(), product]

        def two(inputs: Sequence[Tensor]) -> list[Tensor]:
            first, second, row, other = inputs
            return [first * row + second, first + second * other]

        flat, pair = Spec((2,), np.dtype("float64")), Spec((2, 2), np.dtype("float64"))
        ones = Body(one, [flat, flat, pair], 1, 1)
        twos = Body(two, [flat, flat, flat, flat], 2, 2)
        return (
            sample(cls(ones, False), starts, real(4, 2), real(6, 2), real(2, 2)),
            sample(cls(ones, True), starts, real(4, 2), real(6, 2), real(2, 2)),
            sample(cls(twos, False), starts, real(4, 2), real(4, 2), real(6, 2), real(6, 2)),
            sample(cls(twos, True), np.array([0, 1]), real(1, 2), real(1, 2), real(1, 2), real(1, 2)),
            sample(cls(ones, False), np.array([0]), real(0, 2), real(0, 2), real(2, 2)),
        )

    def __repr__(self) -> str:
        return f"scan(states={self.body.states}{', backwards' if self.backwards else ''})"


def typed(spec: Spec, dtype: np.dtype[Any]) -> Spec:
    """The spec with another dtype, where it is one of floating-point numbers."""
    return Spec(spec.shape, dtype) if spec.floating else spec


def values_of(graph: Graph, inputs: Sequence[Array]) -> list[Array]:
    """The outputs of a graph, node by node in NumPy."""
    values = dict(zip(graph.inputs, inputs, strict=True))
    for node in graph.nodes():
        if node not in values:
            values[node] = (
                graph.held(node) if node.block is None else node.block.run([values[x] for x in node.inputs], node.spec)
            )
    return [values[x] for x in graph.outputs]


def plane(packed: Tensor, body: Body, number: int) -> Tensor:
    """One output of a scan for all rows, in step-major order."""
    sizes = [x.size for x in body.outputs]
    count = packed.shape[0] // max(sum(sizes), 1)
    start, shape = count * sum(sizes[:number]), (count, *body.outputs[number].shape)
    return reshape(Slice((start,), (1,), (count * sizes[number],))(packed), shape)


def arrived(gradient: Tensor, body: Body) -> list[Tensor | None]:
    """The gradient of each output of a scan; None where it is known to be zero."""
    sizes = [x.size for x in body.outputs]
    count = gradient.shape[0] // max(sum(sizes), 1)
    pieces = {(start, start + x.shape[0]): x for start, x in pieces_of(gradient, 0)}
    found: list[Tensor | None] = []
    for number, (start, end) in enumerate(pairwise([count * x for x in accumulate([0, *sizes])])):
        piece = pieces.get((start, end))
        if piece is not None:
            found.append(reshape(piece, (count, *body.outputs[number].shape)))
        elif all(b <= start or a >= end for a, b in pieces):
            found.append(None)
        else:
            found.append(plane(gradient, body, number))
    return found


def pieces_of(x: Tensor, start: int) -> Iterator[tuple[int, Tensor]]:
    """The parts of an array that may not be zero, as `put_together` makes it, and where each begins."""
    if type(x.block) is Unslice and x.block.step == (1,):
        yield from pieces_of(x.inputs[0], start + x.block.start[0])
    elif type(x.block) is Concatenate:
        for part in x.inputs:
            yield from pieces_of(part, start)
            start += part.shape[0]
    elif not is_zero(x):
        yield start, x


def is_zero(x: Tensor) -> bool:
    """Whether a tensor is known to hold zeros alone."""
    while type(x.block) is Broadcast:
        (x,) = x.inputs
    return isinstance(x, Constant) and x.value is not None and not x.value.any()


def zeros_like(like: Tensor) -> Tensor:
    """Zeros of the shape and dtype of another tensor."""
    return Broadcast(like.shape)(Constant(Spec((), like.dtype), np.zeros((), like.dtype)))


def states_before(states: Tensor, first: Tensor, starts: Tensor, *, backwards: bool) -> Tensor:
    """The state that each row begins with: that of the step before, or the first one."""
    moved = Rearrange.of()(states, *_neighbours(starts, backwards=backwards))
    if is_zero(first):
        return moved
    ends = StepEnds.of(backwards)(starts, _order_of(first))
    return add(moved, Rearrange.of()(first, Inverse.of()(ends, states), ends))


def _neighbours(starts: Tensor, *, backwards: bool) -> tuple[Tensor, Tensor]:
    """Of each row, that of the step which was taken before, and that of the step after."""
    earlier, later = StepNeighbours.of(-1)(starts), StepNeighbours.of(1)(starts)
    return (later, earlier) if backwards else (earlier, later)


def _order_of(states: Tensor) -> Tensor:
    return iota(states.shape[0])


def told_of(body: Body, seeded: Sequence[bool]) -> list[int]:
    """Which gradients the step that goes back keeps, so that they are not computed again: see `Body.gradients`.

    Those of the rows, and those of the products of a step, from which that of shared weights follows.
    """
    rows = [i for i in range(body.states, body.states + body.rows) if body.inputs[i].floating]
    graph = body.at(2)
    carried = [True] * body.states  # from the step that was taken before
    arrived = [*carried, *seeded[body.states :]]
    pairs = [(x, Tensor(x.spec)) for x, there in zip(graph.outputs, arrived, strict=True) if there]
    found = adjoints_of(pairs, [x for x in graph.inputs[: body.states + body.rows] if x.spec.floating])
    told = {dense(found[graph.inputs[i]]): i for i in rows if graph.inputs[i] in found}
    for number, x in enumerate(_products(graph), len(body.inputs)):
        if x in found:
            told.setdefault(dense(found[x]), number)  # two products that are added have one gradient
    return list(dict.fromkeys([*rows, *told.values()]))


def _products(graph: Graph) -> list[Tensor]:
    """The matrix products of a step."""
    return [x for x in graph.nodes() if isinstance(x.block, MatMul)]


def _gradient_body(body: Body, seeded: Sequence[bool], told: Sequence[int]) -> Body:
    """The step from the gradient of a body's new states to that of its states; it keeps what `told_of` says."""
    count, outputs = body.states, body.outputs
    seeds = [x for x, there in zip(outputs, seeded, strict=True) if there]
    specs = body.inputs

    def function(given: Sequence[Tensor]) -> list[Tensor]:
        rest = iter(given)
        carried = [next(rest) for _ in range(count)]
        arrived = [next(rest) if there else None for there in seeded]
        before = [next(rest) for _ in range(count)]
        rows = [next(rest) for _ in range(body.rows)]
        kept = [next(rest) for _ in outputs[count:]]
        totals: list[Tensor | None] = [
            carry if seed is None else add(seed, carry) for carry, seed in zip(carried, arrived, strict=False)
        ]
        wanted = [*range(count), *told]
        own = [*before, *rows, *rest]
        found = body.gradients(own, kept, [*totals, *arrived[count:]], wanted)
        return [zeros_like(own[i]) if x is None else x for i, x in zip(wanted, found, strict=True)]

    first, rest = specs[:count], specs[count + body.rows :]
    of_rows = [*seeds, *first, *specs[count : count + body.rows], *outputs[count:]]
    return Body(function, [*first, *of_rows, *rest], count, len(of_rows))
