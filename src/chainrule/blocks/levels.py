"""Rows that are computed group by group, each from rows of earlier groups: a batch of trees, or of other graphs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple, NoReturn, TypeVar

import numpy as np

from chainrule.blocks.arithmetic import add
from chainrule.blocks.collect import ABSENT, Collect, collected
from chainrule.blocks.level_rules import Consumer, Rule, Source, gradient_rule, read_here, tables_read
from chainrule.blocks.movement import reshape
from chainrule.blocks.recurrence import Body, pieces_of, told_of, values_of
from chainrule.blocks.slicing import Slice
from chainrule.dataclasses import dataclass
from chainrule.errors import ShapeError
from chainrule.graph.block import Block, Contributions, Samples, real, sample
from chainrule.graph.spec import Spec
from chainrule.graph.tensor import Tensor

X = TypeVar("X")


class Parts(NamedTuple):
    """The inputs of `Levels` by what they are; lists of a rule's are in its order."""

    slots: list[list[tuple[Any, Any]]]
    backs: list[dict[int, tuple[Any, Any]]]
    table_backs: list[tuple[Any, Any]]
    tables: list[Any]
    rows: list[list[Any]]
    shared: list[list[Any]]


@dataclass(frozen=True, repr=False, eq=False)
class Levels(Block):
    """Rows of several rules, group by group: y[i] = f(Σ y[j] of each slot, r[i], w), where the j were computed before.

    What a slot reads is as in `Collect`. The groups say which rows are computed together, and in what order.

    Fields:
        rules: f of each kind of rows.
        tables: of each table from outside, which consumer a code of its gradient names.
        backwards: whether the groups are taken from the last to the first.

    Args:
        groups: shape (groups, 3): the rule, the first row and the number of rows.
        slots: offsets and codes of each slot of each rule.
        backs: offsets and codes of the gradient of each output that is read here, and then of each table.
        tables: rows from outside.
        rows: r of each rule.
        shared: w of each rule.

    Returns:
        the outputs, rule after rule, each flat.
    """

    rules: tuple[Rule, ...]
    tables: tuple[tuple[Consumer | None, ...], ...]
    backwards: bool

    def parts(self, inputs: Sequence[X]) -> Parts:
        """The inputs behind the groups, by what they are."""
        rest = iter(inputs)

        def pair() -> tuple[X, X]:
            return next(rest), next(rest)

        return Parts(
            [[pair() for _ in rule.slots] for rule in self.rules],
            [{output: pair() for output in sorted(rule.backs)} for rule in self.rules],
            [pair() for _ in self.tables],
            [next(rest) for _ in self.tables],
            [[next(rest) for _ in range(rule.body.rows - len(rule.slots))] for rule in self.rules],
            [[next(rest) for _ in range(len(rule.body.inputs) - rule.body.rows)] for rule in self.rules],
        )

    def counts(self, parts: Parts) -> list[int]:
        """How many rows each rule has."""
        return [
            slots[0][0].shape[0] - 1 if slots else rows[0].shape[0]
            for slots, rows in zip(parts.slots, parts.rows, strict=True)
        ]

    def infer(self, groups: Spec, *inputs: Spec) -> Spec:
        parts = self.parts(inputs)
        counts = self.counts(parts)
        for rule, count, rows, shared in zip(self.rules, counts, parts.rows, parts.shared, strict=True):
            wanted = rule.body.inputs[len(rule.slots) :]
            expected = [(count, *x.shape) for x in wanted[: len(rows)]] + [x.shape for x in wanted[len(rows) :]]
            if groups.rank != 2 or groups.shape[1] != 3 or [x.shape for x in (*rows, *shared)] != expected:
                _refuse(groups, inputs, f"inputs of shapes {expected} for a rule of {count} rows")
            for rows_of, (offsets, codes) in [(count, x) for x in parts.slots[self.rules.index(rule)]]:
                if offsets.shape != (rows_of + 1,) or codes.rank != 1:
                    _refuse(groups, inputs, f"offsets of shape {(rows_of + 1,)} for each slot of a rule")
            for output, (offsets, codes) in parts.backs[self.rules.index(rule)].items():
                if offsets.shape != (count + 1,) or codes.rank != 1:
                    _refuse(groups, inputs, f"offsets of shape {(count + 1,)} for output {output}")
        for rule in self.rules:
            for wanted_row, sources in zip(rule.body.inputs, rule.slots, strict=False):
                read = [parts.tables[x.output].shape[1:] for x in sources if x is not None and x.rule == ABSENT]
                if any(shape != wanted_row.shape for shape in read):
                    _refuse(groups, inputs, f"rows of shape {wanted_row.shape} in a table")
        for (offsets, codes), table in zip(parts.table_backs, parts.tables, strict=True):
            if table.rank < 1 or offsets.shape != (table.shape[0] + 1,) or codes.rank != 1:
                _refuse(groups, inputs, f"offsets for each table, for shape {table.shape}")
        sizes = [count * sum(x.size for x in rule.body.outputs) for rule, count in zip(self.rules, counts, strict=True)]
        return Spec((sum(sizes),), self.dtype(inputs))

    def dtype(self, inputs: Sequence[Any]) -> Any:
        """The dtype of all outputs: that of the first floating-point input."""
        parts = self.parts(inputs)
        given = [*parts.tables, *(x for rows in (*parts.rows, *parts.shared) for x in rows)]
        return next((x.dtype for x in given if x.dtype.kind == "f"), np.dtype("float32"))

    def forward(self, xp: Any, groups: Any, *inputs: Any) -> Any:
        parts, dtype = self.parts(inputs), self.dtype(inputs)
        counts = self.counts(parts)
        planes = [
            [xp.zeros((count, *x.shape), dtype) for x in rule.body.outputs]
            for rule, count in zip(self.rules, counts, strict=True)
        ]
        for number, first, count in groups[::-1].tolist() if self.backwards else groups.tolist():
            rule, own = self.rules[number], slice(first, first + count)
            given = []
            for sources, (offsets, codes) in zip(rule.slots, parts.slots[number], strict=True):
                begin, end = offsets[first], offsets[first + count]
                found = [None if x is None else self._source(planes, parts.tables, x) for x in sources]
                tables = [x for x in found if x is not None]
                reading = tables_read(found)
                given.append(collected(reading, offsets[first : first + count + 1] - begin, codes[begin:end], tables))
            given += [x[own] for x in parts.rows[number]]
            for plane, value in zip(
                planes[number], values_of(rule.body.at(count, dtype), [*given, *parts.shared[number]]), strict=True
            ):
                plane[own] = value
        return xp.concatenate([xp.zeros(0, dtype), *(x.reshape(-1) for each in planes for x in each)])

    @staticmethod
    def _source(planes: Sequence[Sequence[X]], tables: Sequence[X], source: Source) -> X:
        return tables[source.output] if source.rule == ABSENT else planes[source.rule][source.output]

    def planes(self, packed: Tensor, counts: Sequence[int]) -> list[list[Tensor]]:
        """The outputs of each rule for all its rows."""
        found: list[list[Tensor]] = []
        start = 0
        for rule, count in zip(self.rules, counts, strict=True):
            found.append([])
            for x in rule.body.outputs:
                size = count * x.size
                found[-1].append(reshape(Slice((start,), (1,), (size,))(packed), (count, *x.shape)))
                start += size
        return found

    def backward(self, gradient: Tensor, output: Tensor, *inputs: Tensor) -> Contributions:
        groups, parts = inputs[0], self.parts(inputs[1:])
        counts = self.counts(parts)
        planes = self.planes(output, counts)
        values = [
            [self._slot(planes, parts, number, slot) for slot in range(len(rule.slots))]
            for number, rule in enumerate(self.rules)
        ]
        seeds = self._arrived(gradient, counts)
        arriving = [
            [seed is not None or o in rule.carried for o, seed in enumerate(found)]
            for rule, found in zip(self.rules, seeds, strict=True)
        ]
        told = [told_of(rule.body, there) for rule, there in zip(self.rules, arriving, strict=True)]
        rules = tuple(
            gradient_rule(self.rules, number, [x is not None for x in seeds[number]], told)
            for number in range(len(self.rules))
        )
        step = Levels(rules, (), not self.backwards)
        arrays: list[Tensor] = [groups]
        arrays += [
            x for rule, found in zip(self.rules, parts.backs, strict=True) for o in rule.carried for x in found[o]
        ]
        for number, rule in enumerate(self.rules):
            for slot in read_here(rule):
                arrays += parts.slots[number][slot]
        for number in range(len(self.rules)):
            arrays += [x for x in seeds[number] if x is not None]
            arrays += [*values[number], *parts.rows[number], *planes[number]]
        arrays += [x for shared in parts.shared for x in shared]
        handed = step.planes(step(*arrays), counts)
        contributions: list[Tensor | None] = []
        for number, rule in enumerate(self.rules):
            body, found = rule.body, handed[number]
            wanted = [i for i, x in enumerate(body.inputs) if x.floating and i >= len(rule.slots)]
            totals = [self._total(seed, handed, told, parts, number, o) for o, seed in enumerate(seeds[number])]
            given = [*values[number], *parts.rows[number], *parts.shared[number]]
            known = dict(zip(told[number], found, strict=True))
            grads = dict(zip(wanted, body.gradients(given, planes[number], totals, wanted, known), strict=True))
            contributions += [grads.get(i) for i in range(len(rule.slots), len(body.inputs))]
        rows_and_shared = self._apart(contributions)
        of_tables = [self._of_table(t, handed, told, parts) for t in range(len(self.tables))]
        pairs = sum(len(x) for x in parts.slots) + sum(len(x) for x in parts.backs) + len(self.tables)
        return (None, *[None] * (2 * pairs), *of_tables, *rows_and_shared)

    def _apart(self, contributions: list[Tensor | None]) -> list[Tensor | None]:
        """What came rule by rule, rows and shared together: those of all rows first, then what is shared."""
        rows, shared, start = list[Tensor | None](), list[Tensor | None](), 0
        for rule in self.rules:
            middle = start + rule.body.rows - len(rule.slots)
            end = start + len(rule.body.inputs) - len(rule.slots)
            rows += contributions[start:middle]
            shared += contributions[middle:end]
            start = end
        return [*rows, *shared]

    def _slot(self, planes: Sequence[Sequence[Tensor]], parts: Parts, rule: int, slot: int) -> Tensor:
        """What a slot reads, for all rows of its rule."""
        sources, me = self.rules[rule].slots[slot], Consumer(rule, slot)
        tables, backs, arrays = list[Tensor](), list[tuple[int, ...]](), list[Tensor]()
        for source in sources:
            if source is not None:
                outside = source.rule == ABSENT
                consumers = self.tables[source.output] if outside else self.rules[source.rule].backs[source.output]
                arrays += parts.table_backs[source.output] if outside else parts.backs[source.rule][source.output]
                backs.append(tuple([0 if x == me else ABSENT for x in consumers]))
                tables.append(self._source(planes, parts.tables, source))
        block = Collect(tables_read(sources), tuple(backs))
        return block(*parts.slots[rule][slot], *arrays, *tables)

    def _arrived(self, gradient: Tensor, counts: Sequence[int]) -> list[list[Tensor | None]]:
        """The gradient of each output of each rule; None where it is known to be zero."""
        specs = [(count, x) for rule, count in zip(self.rules, counts, strict=True) for x in rule.body.outputs]
        bounds = pairwise(accumulate([0, *(count * x.size for count, x in specs)]))
        pieces = {(start, start + x.shape[0]): x for start, x in pieces_of(gradient, 0)}
        found: list[Tensor | None] = []
        for (count, x), (start, end) in zip(specs, bounds, strict=True):
            piece = pieces.get((start, end))
            if piece is None and all(b <= start or a >= end for a, b in pieces):
                found.append(None)
                continue
            piece = Slice((start,), (1,), (end - start,))(gradient) if piece is None else piece
            found.append(reshape(piece, (count, *x.shape)))
        rest = iter(found)
        return [[next(rest) for _ in rule.body.outputs] for rule in self.rules]

    def _total(
        self,
        seed: Tensor | None,
        handed: Sequence[Sequence[Tensor]],
        told: Sequence[Sequence[int]],
        parts: Parts,
        rule: int,
        output: int,
    ) -> Tensor | None:
        """The whole gradient of an output, for all rows."""
        consumers = self.rules[rule].backs.get(output)
        if consumers is None:
            return seed
        arrays = parts.backs[rule][output]
        carry = self._handed_back(consumers, arrays, Source(rule, output), handed, told, parts)
        return carry if seed is None or carry is None else add(seed, carry)

    def _of_table(
        self, table: int, handed: Sequence[Sequence[Tensor]], told: Sequence[Sequence[int]], parts: Parts
    ) -> Tensor | None:
        """The gradient of a table from outside."""
        return self._handed_back(
            self.tables[table], parts.table_backs[table], Source(ABSENT, table), handed, told, parts
        )

    def _handed_back(
        self,
        consumers: Sequence[Consumer | None],
        arrays: tuple[Tensor, Tensor],
        source: Source,
        handed: Sequence[Sequence[Tensor]],
        told: Sequence[Sequence[int]],
        parts: Parts,
    ) -> Tensor | None:
        """What the consumers of a source give back to its rows."""
        tables, backs, transposed = list[Tensor](), list[tuple[int, ...]](), list[Tensor]()
        for consumer in consumers:
            if consumer is not None:
                tables.append(handed[consumer.rule][told[consumer.rule].index(consumer.slot)])
                slots = self.rules[consumer.rule].slots[consumer.slot]
                backs.append(tuple([0 if x == source else ABSENT for x in slots]))
                transposed += parts.slots[consumer.rule][consumer.slot]
        if not tables:
            return None
        return Collect(tables_read(consumers), tuple(backs))(*arrays, *transposed, *tables)

    @classmethod
    def samples(cls) -> Samples:
        flat = Spec((2,), np.dtype("float64"))

        def join(inputs: Sequence[Tensor]) -> list[Tensor]:
            left, right, row, weights = inputs
            product = reshape(left, (-1, 2)) @ weights
            return [(product + right * row).tanh(), product]

        # Rows 0 and 1 read rows of the table, and row 2 reads rows 0 and 1, as a tree of four leaves.
        sources = (Source(ABSENT, 0), Source(0, 0))
        rule = Rule(
            Body(join, [flat, flat, flat, Spec((2, 2), flat.dtype)], 0, 3),
            (sources, sources),
            {0: (Consumer(0, 0), Consumer(0, 1))},
        )
        one = np.arange(4)
        left, right = np.array([0, 4, 1]), np.array([2, 6, 3])  # row 2 s, and 1 for the rule's own rows
        own = np.array([0, 1, 2, 2]), np.array([4, 5])
        outside = np.array([0, 1, 2, 3, 4]), np.array([0, 1, 2, 3])
        arrays = one, left, one, right, *own, *outside
        groups = np.array([[0, 0, 2], [0, 2, 1]])
        block = cls((rule,), ((Consumer(0, 0), Consumer(0, 1)),), False)
        return (sample(block, groups, *arrays, real(4, 2), real(3, 2), real(2, 2)),)

    def __repr__(self) -> str:
        return f"levels(rules={len(self.rules)}{', backwards' if self.backwards else ''})"


def _refuse(groups: Spec, inputs: Sequence[Spec], expected: str) -> NoReturn:
    shapes = ", ".join(str(x.shape) for x in (groups, *inputs))
    raise ShapeError(f"levels: expected {expected}, got inputs of shapes {shapes}")
