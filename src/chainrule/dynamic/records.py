"""Records: what a function did with one example, as numbers.

A record as it was taken down has operations that no result needs, and outputs that no gradient reaches. For one example
they have no part in any gradient. Among many, where others of their kind have one, their gradient would be 0, and
0 times an infinite value is NaN. So `settled` leaves the former out, and makes the latter kinds of their own.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chainrule.dynamic.kinds import ALL, Kinds, bit
from chainrule.graph.spec import Array


class Record(NamedTuple):
    """What a function did with one example.

    Attributes:
        matrices: of each kind, by its number, the rows of numbers, transposed: shape (width, operations).
        data: of each kind that is given other data, a list for each of these.
        result: the kind of the results.
    """

    matrices: dict[int, Array]
    data: dict[int, list[list[Any]]]
    result: int


def settled(kinds: Kinds, record: Record) -> Record:
    """The record without operations that no result needs, and with kinds by the outputs that gradients reach."""
    numbered = _Numbered(kinds, record)
    return record if numbered.is_settled() else numbered.settled()


class _Numbered:
    """A record whose operations are numbered one kind after the other.

    Attributes:
        starts: of each kind the number of its first operation.
        total: how many operations there are.
        source_kinds: of each source the kind.
        reads: of each edge of each kind, the numbers of the operations that are read.
    """

    def __init__(self, kinds: Kinds, record: Record) -> None:
        self.kinds, self.record = kinds, record
        self.starts, self.total = np.zeros(len(kinds.all), np.int64), 0
        for number, matrix in record.matrices.items():
            self.starts[number] = self.total
            self.total += matrix.shape[1]
        self.source_kinds = np.array([kind for kind, _ in kinds.sources], np.int64)
        self.reads = {
            (number, edge): self.starts[self.source_kinds[matrix[2 * edge]]] + matrix[2 * edge + 1]
            for number, matrix in record.matrices.items()
            for edge in range(len(kinds.all[number].edges))
        }

    def is_settled(self) -> bool:
        """Whether gradients reach all outputs of all operations, if each hands on all that it can: nearly always."""
        all_kinds, matrices = self.kinds.all, self.record.matrices
        if not all(all_kinds[number].hands_on_all for number in matrices):
            return False
        bits = np.array([self._bits(source) for source in range(len(self.kinds.sources))], np.int64)
        read = np.zeros(self.total, np.int64)
        for (number, edge), found in self.reads.items():
            np.bitwise_or.at(read, found, bits[matrices[number][2 * edge]])
        for number, matrix in matrices.items():
            start = int(self.starts[number])
            if number != self.record.result and not all_kinds[number].enough(
                set(read[start : start + matrix.shape[1]].tolist())
            ):
                return False
        return True

    def _bits(self, source: int) -> int:
        """The outputs that a source stands for."""
        kind, output = self.kinds.sources[source]
        return self.kinds.all[kind].every if output == ALL else bit(output)

    def settled(self) -> Record:
        """The record with these kinds."""
        reached, needed = self._reached()
        new_kinds, new_rows = np.zeros(self.total, np.int64), np.zeros(self.total, np.int64)
        chosen: dict[int, tuple[int, Array]] = {}  # of each new kind the old one, and which of its operations
        for number, matrix in self.record.matrices.items():
            start = int(self.starts[number])
            own = slice(start, start + matrix.shape[1])
            there = np.array(needed[own], bool)
            outputs = np.array(reached[own], np.int64)
            for each in np.unique(outputs[there]).tolist():
                rows = np.flatnonzero(there & (outputs == each))
                kind = self.kinds.reached(self.kinds.all[number], each)
                new_kinds[start + rows], new_rows[start + rows] = kind.number, np.arange(len(rows))
                chosen[kind.number] = number, rows
        matrices = {new: self._rewired(old, rows, new_kinds, new_rows) for new, (old, rows) in chosen.items()}
        data = {
            new: [[column[i] for i in rows.tolist()] for column in self.record.data[old]]
            for new, (old, rows) in chosen.items()
            if old in self.record.data
        }
        return Record(matrices, data, self.record.result)

    def _reached(self) -> tuple[list[int], list[bool]]:
        """Of each operation the outputs that gradients reach, as bits, and whether a result needs it at all.

        Operations are visited from the highest to the lowest, so each after all that read it.
        """
        owners = [number for number, matrix in self.record.matrices.items() for _ in range(matrix.shape[1])]
        heights = np.concatenate([matrix[-1] for matrix in self.record.matrices.values()])
        named = {key: self.record.matrices[key[0]][2 * key[1]].tolist() for key in self.reads}
        reads = {key: found.tolist() for key, found in self.reads.items()}
        result = int(self.starts[self.record.result])
        reached, needed = [0] * self.total, [False] * self.total
        reached[result], needed[result] = self.kinds.all[self.record.result].every, True
        for operation in np.argsort(-heights, kind="stable").tolist():
            if not needed[operation]:
                continue
            kind = self.kinds.all[owners[operation]]
            row = operation - int(self.starts[kind.number])
            reached[operation], handed = kind.reach(reached[operation])
            for edge, components in enumerate(handed):
                read = reads[kind.number, edge][row]
                needed[read] = True
                output = self.kinds.sources[named[kind.number, edge][row]][1]
                reached[read] |= components if output == ALL else bit(output) * (components & 1)
        return reached, needed

    def _rewired(self, number: int, rows: Array, new_kinds: Array, new_rows: Array) -> Array:
        """Some operations of a kind, which read the same of the new kinds."""
        matrix = self.record.matrices[number][:, rows]
        for edge in range(len(self.kinds.all[number].edges)):
            read = self.reads[number, edge][rows]
            matrix[2 * edge + 1] = new_rows[read]
            named, now = matrix[2 * edge].copy(), new_kinds[read]
            for source in np.unique(named).tolist():
                of, output = self.kinds.sources[source]
                for kind in np.unique(now[named == source]).tolist():
                    if kind != of:
                        found = self.kinds.all[kind]
                        matrix[2 * edge, (named == source) & (now == kind)] = (
                            found.source if output == ALL else found.results[output][1]
                        )
        return matrix
