"""Ragged rows against plain lists."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data import Ragged
from chainrule.data.ragged import SHORT
from chainrule.errors import DataError

ROWS = st.lists(st.lists(st.integers(0, 2**31 - 1), max_size=6), min_size=1, max_size=12)


def ragged(rows: list[list[int]]) -> Ragged:
    ids = np.array([number for row in rows for number in row], np.int32)
    return Ragged(ids, np.cumsum([0, *map(len, rows)], dtype=np.int64))


def lists(bags: Ragged) -> list[list[int]]:
    return [bags.ids[start:end].tolist() for start, end in zip(bags.offsets, bags.offsets[1:], strict=False)]


@given(ROWS, st.data())
def test_take(rows, data):
    chosen = data.draw(st.lists(st.integers(-len(rows), len(rows) - 1), max_size=20))
    taken = ragged(rows).take(np.array(chosen, np.int64))
    assert lists(taken) == [rows[i] for i in chosen]
    assert taken.ids.dtype == np.int32
    assert taken.offsets.dtype == np.int64


@given(ROWS, st.integers(-14, 14), st.integers(-14, 14))
def test_slice_is_that_of_a_list(rows, start, stop):
    bags = ragged(rows)
    assert lists(bags.slice(start, stop)) == rows[start:stop]
    assert np.shares_memory(bags.slice(0, len(rows)).ids, bags.ids) or not len(bags.ids)


@given(ROWS, st.none() | st.integers(0, 3))
def test_distinct(rows, without):
    """As sorted sets, with rows that end as the next begins and empty ones at either end."""
    rows = [[], *rows, [row[0] % 4 for row in rows if row], [3, 0, 3], [3], []]
    bags = ragged(rows)
    found = bags.distinct(without=without)
    assert lists(found) == [sorted(set(row) - {without}) for row in rows]
    assert (found.ids.dtype, found.offsets.dtype) == (np.int32, np.int64)
    assert lists(bags) == rows  # they are not sorted in place
    doubled = bags.distinct(without=without, doubled=True)
    times = [{entry: 1 + int(math.log2(row.count(entry))) for entry in {*row} - {without}} for row in rows]
    assert lists(doubled) == [sorted(entry for entry in each for _ in range(each[entry])) for each in times]


@given(st.lists(ROWS, max_size=4))
def test_concatenate(parts):
    joined = Ragged.concatenate(map(ragged, parts))
    assert lists(joined) == [row for rows in parts for row in rows]


def test_lengths():
    bags = ragged([[1, 2], [], [3]])
    assert (len(bags), bags.lengths.tolist()) == (3, [2, 0, 1])


@pytest.mark.parametrize("length", [SHORT - 10, SHORT + 10])
def test_take_of_longer_rows(length):
    rows = ragged([list(range(i, i + length + i % 3)) for i in range(20)])
    chosen = [19, 0, 7, 7]
    assert lists(rows.take(np.array(chosen))) == [lists(rows)[i] for i in chosen]


def test_take_refuses_a_row_that_is_not_there():
    with pytest.raises(IndexError):
        ragged([[1]]).take(np.array([1]))


@pytest.mark.parametrize(
    ("ids", "offsets", "message"),
    [
        (
            np.zeros(2, np.int64),
            np.array([0, 2]),
            r"ragged ids must be int32 of shape \(n,\), got int64 of shape \(2,\)",
        ),
        (np.zeros((1, 2), np.int32), np.array([0, 2]), "ragged ids must be int32"),
        (
            np.zeros(2, np.int32),
            np.array([0.0, 2.0]),
            r"ragged offsets must be int64 of shape \(rows \+ 1,\), got float64",
        ),
        (np.zeros(0, np.int32), np.array([], np.int64), "ragged offsets must be int64"),
        (np.zeros(2, np.int32), np.array([0, 1]), "ragged offsets must ascend from 0 to 2"),
        (np.zeros(2, np.int32), np.array([1, 2]), "ragged offsets must ascend from 0 to 2"),
        (np.zeros(2, np.int32), np.array([0, 2, 1, 2]), "ragged offsets must ascend from 0 to 2"),
    ],
)
def test_ragged_checks_itself(ids, offsets, message):
    with pytest.raises(DataError, match=message):
        Ragged(ids, offsets)
