"""Records: what a function did with one example, as numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chainrule.dynamic.kinds import Kinds
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


def without_dead(kinds: Kinds, record: Record) -> Record:
    """The record without operations that no result needs: they must have no part in any gradient."""
    sources = np.array([kind for kind, _ in kinds.sources], np.int64)
    starts, total = np.zeros(len(kinds.all), np.int64), 0
    for number, matrix in record.matrices.items():
        starts[number] = total
        total += matrix.shape[1]
    reads = [
        starts[sources[matrix[2 * edge]]] + matrix[2 * edge + 1]
        for number, matrix in record.matrices.items()
        for edge in range(len(kinds.all[number].edges))
    ]
    if not reads or np.count_nonzero(np.bincount(np.concatenate(reads), minlength=total)) >= total - 1:
        return record  # all but the results are read
    edges = {number: len(kinds.all[number].edges) for number in record.matrices}
    needed = {number: np.zeros(x.shape[1], bool) for number, x in record.matrices.items()}
    wanted = {record.result: np.zeros(1, np.int64)}
    while wanted:
        following: dict[int, list[Array]] = {}
        for number, rows in wanted.items():
            new = np.unique(rows[~needed[number][rows]])
            needed[number][new] = True
            for edge in range(edges[number]):
                named, read = record.matrices[number][2 * edge : 2 * edge + 2, new]
                for kind in np.unique(sources[named]).tolist():
                    following.setdefault(kind, []).append(read[sources[named] == kind])
        wanted = {kind: np.concatenate(found) for kind, found in following.items()}
        wanted = {kind: rows for kind, rows in wanted.items() if not needed[kind][rows].all()}
    if all(x.all() for x in needed.values()):
        return record
    places = {number: np.cumsum(x) - 1 for number, x in needed.items()}
    matrices = {number: x[:, needed[number]] for number, x in record.matrices.items() if needed[number].any()}
    for number, matrix in matrices.items():
        for edge in range(edges[number]):
            for kind in np.unique(sources[matrix[2 * edge]]).tolist():
                own = sources[matrix[2 * edge]] == kind
                matrix[2 * edge + 1, own] = places[kind][matrix[2 * edge + 1, own]]
    data = {
        number: [[x for x, there in zip(column, needed[number], strict=True) if there] for column in columns]
        for number, columns in record.data.items()
        if number in matrices
    }
    return Record(matrices, data, record.result)
