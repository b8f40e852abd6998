"""The schedule of a batch: which operations of all its examples are computed together, and in what order.

All operations of one kind are computed at once, if no operation of the kind needs, over any way, another one of it.
Kinds that need each other, as in a recursion, are a *circle*. Their operations are computed in groups: one of all that
have the same height and kind, the lowest first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from chainrule.dynamic.kinds import ALL, Kind, Kinds
from chainrule.dynamic.records import Record
from chainrule.graph.spec import LARGEST_INTEGER, Array


class Used(NamedTuple):
    """A kind in a batch.

    Attributes:
        kind: its number.
        sources: of each edge the numbers of the sources that its operations name.
    """

    kind: int
    sources: tuple[tuple[int, ...], ...]


class Wiring(NamedTuple):
    """All of a schedule that decides what program computes it: the same for nearly all batches.

    Attributes:
        stages: circles of kinds, each before those that read it. One of a single kind that does not need itself is
            computed at once.
        circles: of each stage whether it is a circle.
        result: the kind of the results.
    """

    stages: tuple[tuple[Used, ...], ...]
    circles: tuple[bool, ...]
    result: int


class Back(NamedTuple):
    """The name of the arrays that say which operations read each operation of a kind.

    Attributes:
        kind: the kind that is read.
        readers: the kind and edge of each reader, the places of the sources that count, and how many sources it has.
    """

    kind: int
    readers: tuple[tuple[int, int, tuple[int, ...], int], ...]


class Schedule:
    """What is computed of a batch, and in what order.

    Attributes:
        wiring: what decides the program.
        counts: how many operations of each kind there are, those that are the same counted once.
        recorded: how many were recorded.
        arrays: what the program is given, by names.
        sizes: of each array the name of a size and how much longer its first axis is.
    """

    def __init__(self, kinds: Kinds, records: Sequence[Record]) -> None:
        self.kinds, self.records = kinds, records
        self.arrays: dict[Any, Array] = {}
        self.sizes: dict[Any, tuple[Any, int]] = {}
        self.counts: dict[int, int] = {}
        self.recorded: dict[int, int] = {}
        self._matrices: dict[int, Array] = {}
        self._new_rows: dict[int, Array] = {}
        self._codes: dict[tuple[int, int], Array] = {}
        self._source_kinds = np.array([kind for kind, _ in kinds.sources], np.int64)
        self._gather()
        used = {number: self._used(kinds.all[number]) for number in self._matrices}
        stages = _circles(used, kinds)
        circles = tuple([self._is_circle(stage, used) for stage in stages])
        self.wiring = Wiring(tuple([tuple([used[x] for x in stage]) for stage in stages]), circles, records[0].result)
        for stage, circle in zip(self.wiring.stages, circles, strict=True):
            if circle:
                self._take_groups(stage)
            for each in stage:
                self._take(each, circle=circle)
            if circle:
                for each in stage:
                    self._take_codes(each)
        self._take_backs()

    def _gather(self) -> None:
        """Put the records of all examples together: operations are then numbered through the batch."""
        count = len(self.records)
        numbers = sorted({number for record in self.records for number in record.matrices})
        starts = np.zeros((len(self.kinds.all), count), np.int64)
        lengths = {}
        for number in numbers:
            found = [record.matrices.get(number) for record in self.records]
            sizes = np.array([0 if x is None else x.shape[1] for x in found], np.int64)
            lengths[number] = sizes
            starts[number, 1:] = np.cumsum(sizes)[:-1]
            rows = np.concatenate([x.T for x in found if x is not None])  # as they lie in memory
            self._matrices[number] = np.ascontiguousarray(rows.T)
        for number, matrix in self._matrices.items():
            self.recorded[number] = matrix.shape[1]
            example = np.repeat(np.arange(count), lengths[number])
            for edge in range(len(self.kinds.all[number].edges)):
                matrix[2 * edge + 1] += starts[self._source_kinds[matrix[2 * edge]], example]

    def _used(self, kind: Kind) -> Used:
        matrix = self._matrices[kind.number]
        edges = [np.flatnonzero(np.bincount(matrix[2 * edge])).tolist() for edge in range(len(kind.edges))]
        return Used(kind.number, tuple(map(tuple, edges)))

    def _is_circle(self, stage: Sequence[int], used: dict[int, Used]) -> bool:
        own = {self.kinds.sources[x][0] for number in stage for edge in used[number].sources for x in edge}
        return not own.isdisjoint(stage)

    def _take_groups(self, stage: Sequence[Used]) -> None:
        """Order the operations of a circle by height, and name the groups."""
        groups = []
        for place, each in enumerate(stage):
            heights = self._matrices[each.kind][-1]
            order = np.argsort(heights, kind="stable")
            rank = np.empty_like(order)
            rank[order] = np.arange(len(order))
            self._matrices[each.kind] = self._matrices[each.kind][:, order]
            self._new_rows[each.kind] = rank
            self._reorder_data(each.kind, order)
            counts = np.bincount(heights)
            there = np.flatnonzero(counts)
            firsts = np.cumsum(counts)[there] - counts[there]
            groups.append(np.stack([there, np.full_like(there, place), firsts, counts[there]], axis=1))
        every = np.concatenate(groups)
        every = every[np.lexsort((every[:, 1], every[:, 0]))]
        self._add(("groups", stage[0].kind), np.ascontiguousarray(every[:, 1:]), ("groups", stage[0].kind), 0)

    def _reorder_data(self, number: int, order: Array) -> None:
        if self.kinds.all[number].data:
            columns = self._data(number)
            self.arrays |= {("data", number, i): x[order] for i, x in enumerate(columns)}

    def _data(self, number: int) -> list[Array]:
        """What the operations of a kind were given beside whole numbers."""
        found = []
        for i, spec in enumerate(self.kinds.all[number].data):
            every = [x for record in self.records if number in record.data for x in record.data[number][i]]
            found.append(np.array(every, spec.dtype).reshape(len(every), *spec.shape))
        return found

    def _take(self, used: Used, *, circle: bool) -> None:
        """Take in what operations of a kind are given; those that are the same become one, outside of circles."""
        kind = self.kinds.all[used.kind]
        number = kind.number
        if not circle:
            columns = [self._coded(used, edge) for edge in range(len(kind.edges))]
            matrix = self._matrices[number]
            columns += list(matrix[2 * len(kind.edges) : -1])
            if kind.data or number == self.wiring.result or not columns:
                for i, x in enumerate(self._data(number)):
                    self.arrays["data", number, i] = x
            else:
                _, first, inverse = np.unique(_as_one(columns), return_index=True, return_inverse=True)
                self._new_rows[number] = inverse
                self._matrices[number] = matrix[:, first]
                columns = [column[first] for column in columns]
            for edge in range(len(kind.edges)):
                self._codes[number, edge] = columns[edge]
        count = self._matrices[number].shape[1]
        self.counts[number] = count
        for i in range(len(kind.data)):
            self.sizes["data", number, i] = ("rows", number), 0
        for i in range(kind.whole):
            column = self._matrices[number][2 * len(kind.edges) + i]
            self._add(("whole", number, i), np.ascontiguousarray(column), ("rows", number), 0)
        if kind.edges:
            self._add(("offsets", number), np.arange(count + 1), ("rows", number), 1)
            if not circle:
                self._take_codes(used)

    def _take_codes(self, used: Used) -> None:
        kind = self.kinds.all[used.kind]
        for edge in range(len(kind.edges)):
            if (used.kind, edge) not in self._codes:
                self._codes[used.kind, edge] = self._coded(used, edge)
            self._add(("codes", used.kind, edge), self._codes[used.kind, edge], ("rows", used.kind), 0)

    def _coded(self, used: Used, edge: int) -> Array:
        """What the operations of a kind read by an edge: row × sources + which of the sources."""
        matrix, sources = self._matrices[used.kind], used.sources[edge]
        rows: Array = matrix[2 * edge + 1]
        named = matrix[2 * edge]
        renamed = [self.kinds.sources[x][0] for x in sources]
        if len(sources) == 1:
            mapped = self._new_rows.get(renamed[0])
            return rows if mapped is None else np.asarray(mapped[rows])
        found: Array = np.empty_like(rows)
        for number, (source, kind) in enumerate(zip(sources, renamed, strict=True)):
            own = np.flatnonzero(named == source)
            mapped = self._new_rows.get(kind)
            found[own] = (rows[own] if mapped is None else mapped[rows[own]]) * len(sources) + number
        return found

    def _take_backs(self) -> None:
        """Which operations read each operation: what gradients go back by."""
        for (kind, output), units in readers_of(self.wiring, self.kinds).items():
            for readers in units.values():
                name = back_name(kind, output, readers, self.wiring, self.kinds)
                if ("back codes", name) not in self.arrays:
                    self._back(name, len(readers))

    def _back(self, name: Back, count: int) -> None:
        """The operations of some edges that read each operation of a kind: offsets and codes."""
        rows, codes = [], []
        for number, (reader, edge, places, sources) in enumerate(name.readers):
            given = self._codes[reader, edge]
            for place in places:
                chosen = np.flatnonzero(given % sources == place) if sources > 1 else np.arange(len(given))
                rows.append(given[chosen] // sources)
                codes.append(chosen * count + number)
        every, coded = np.concatenate(rows), np.concatenate(codes)
        order = np.argsort(every, kind="stable")
        offsets = np.zeros(self.counts[name.kind] + 1, np.int64)
        np.cumsum(np.bincount(every, minlength=self.counts[name.kind]), out=offsets[1:])
        self._add(("back offsets", name), offsets, ("rows", name.kind), 1)
        self._add(("back codes", name), coded[order], ("codes", name), 0)

    def _add(self, name: Any, array: Array, size: Any, more: int) -> None:
        self.arrays[name], self.sizes[name] = array, (size, more)


def explained(schedule: Schedule) -> str:
    """A schedule as text, a line for what is computed at once."""
    kinds, lines = schedule.kinds.all, list[str]()
    for stage, circle in zip(schedule.wiring.stages, schedule.wiring.circles, strict=True):
        if circle:
            groups = schedule.arrays["groups", stage[0].kind].tolist()
            counts = [(kinds[stage[place].kind].name, count) for place, _, count in groups]
            lines.append(f"in {len(groups)} groups, each from those before:")
            lines += [f"  {count} × {name}" for name, count in counts]
            continue
        for each in stage:
            count, recorded = schedule.counts[each.kind], schedule.recorded[each.kind]
            same = f", of {recorded}: others are the same" if recorded > count else ""
            lines.append(f"{count} × {kinds[each.kind].name}{same}")
    return "\n".join(lines)


def _as_one(columns: Sequence[Array]) -> Array:
    """A number for each row of some columns, the same for rows that are the same."""
    key: Array = columns[0] - columns[0].min()
    for column in columns[1:]:
        least = int(column.min())
        size = int(column.max()) - least + 1
        if (int(key.max()) + 1) * size > LARGEST_INTEGER:
            return np.arange(len(key))  # rows are then taken to differ
        key = key * size + (column - least)
    return key


def readers_of(wiring: Wiring, kinds: Kinds) -> dict[tuple[int, int], dict[Any, list[tuple[int, int]]]]:
    """Of each output of each kind the edges that read it: the reader and the edge.

    They stand apart by what reads them at once: all edges of a circle, or one edge of another kind.
    """
    readers: dict[tuple[int, int], dict[Any, list[tuple[int, int]]]] = {}
    for number, (stage, circle) in enumerate(zip(wiring.stages, wiring.circles, strict=True)):
        for each in stage:
            for edge, sources in enumerate(each.sources):
                unit = ("circle", number) if circle else (each.kind, edge)
                for source in sources:
                    kind, output = kinds.sources[source]
                    for one in range(len(kinds.all[kind].outputs)) if output == ALL else (output,):
                        found = readers.setdefault((kind, one), {}).setdefault(unit, [])
                        if (each.kind, edge) not in found:
                            found.append((each.kind, edge))
    return readers


def back_name(kind: int, output: int, readers: Sequence[tuple[int, int]], wiring: Wiring, kinds: Kinds) -> Back:
    """The name of the arrays by which the gradient of an output goes back from these readers."""
    found = []
    for reader, edge in readers:
        sources = next(x for stage in wiring.stages for x in stage if x.kind == reader).sources[edge]
        places = [i for i, x in enumerate(sources) if kinds.sources[x] in ((kind, output), (kind, ALL))]
        found.append((reader, edge, tuple(places), len(sources)))
    return Back(kind, tuple(found))


def _circles(used: dict[int, Used], kinds: Kinds) -> list[list[int]]:
    """Kinds that need each other together, each circle before those that read it (Tarjan, 1972)."""
    reads = {
        number: sorted({kinds.sources[x][0] for edge in each.sources for x in edge}) for number, each in used.items()
    }
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    found: list[list[int]] = []
    for root in sorted(used):
        work = [(root, iter(reads[root]))] if root not in index else []
        if work:
            index[root] = low[root] = len(index)
            stack.append(root)
        while work:
            node, rest = work[-1]
            for x in rest:
                if x not in index:
                    index[x] = low[x] = len(index)
                    stack.append(x)
                    work.append((x, iter(reads[x])))
                    break
                if x in stack:
                    low[node] = min(low[node], index[x])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    circle: list[int] = []
                    while not circle or circle[-1] != node:
                        circle.append(stack.pop())
                    found.append(sorted(circle))
    return found
