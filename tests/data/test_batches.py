"""Ragged rows and mini-batches against plain lists."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data import Ragged, batches, encode_labels
from chainrule.errors import ConfigurationError, DataError

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


@given(st.lists(ROWS, max_size=4))
def test_concatenate(parts):
    joined = Ragged.concatenate(map(ragged, parts))
    assert lists(joined) == [row for rows in parts for row in rows]


def test_lengths():
    bags = ragged([[1, 2], [], [3]])
    assert (len(bags), bags.lengths.tolist()) == (3, [2, 0, 1])


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


@given(ROWS, st.integers(1, 14), st.none() | st.integers(0, 9))
def test_batches_hold_every_row_once(rows, batch_size, seed):
    labels = np.arange(len(rows)) * 10
    generator = None if seed is None else np.random.default_rng(seed)
    made = list(batches(ragged(rows), labels, batch_size, generator=generator))
    assert [len(batch) for batch in made[:-1]] == [batch_size] * (len(made) - 1)
    assert 1 <= len(made[-1]) <= batch_size
    order = np.concatenate([batch.rows for batch in made])
    assert sorted(order) == list(range(len(rows)))
    assert seed is not None or order.tolist() == sorted(order)
    for batch in made:
        assert lists(batch.bags) == [rows[i] for i in batch.rows]
        assert batch.labels.tolist() == (batch.rows * 10).tolist()


def test_shuffling_follows_the_generator_and_goes_on_with_it():
    bags = ragged([[i] for i in range(50)])

    def order(generator):
        return [batch.rows.tolist() for batch in batches(bags, None, 8, generator=generator)]

    generator = np.random.default_rng(1)
    first, second = order(generator), order(generator)
    assert first == order(np.random.default_rng(1)) != second
    assert next(batches(bags, None, 8)).labels is None


def test_no_rows_make_no_batch():
    assert list(batches(ragged([]), None, 4)) == []


def test_batches_are_refused_at_once():
    with pytest.raises(ConfigurationError, match="batch size must be 1 or more, got 0"):
        batches(ragged([[1]]), None, 0)
    with pytest.raises(DataError, match="1 rows but 2 labels; expected as many"):
        batches(ragged([[1]]), np.array([0, 1]), 4)


def test_encode_labels():
    codes = encode_labels(pl.Series(["b", "a", "b, c", "b"]), ["b", "b, c", "a"])
    assert codes.tolist() == [0, 2, 1, 0]
    assert codes.dtype == np.int64
    assert encode_labels(pl.Series([], dtype=pl.String), []).tolist() == []
    many = [str(i) for i in range(300)]
    assert encode_labels(pl.Series(many), many).tolist() == list(range(300))


def test_labels_that_are_not_known():
    with pytest.raises(DataError, match=r"label 'z' of row 1 \(the first is 0\) is not known; the labels are 'a', 'b'"):
        encode_labels(pl.Series(["a", "z", "y"]), ["a", "b"])
    with pytest.raises(DataError, match="label None of row 0"):
        encode_labels(pl.Series([None], dtype=pl.String), ["a"])
    with pytest.raises(DataError, match="the labels are none"):
        encode_labels(pl.Series(["a"]), [])
    with pytest.raises(ConfigurationError, match="label name 'a' comes twice; expected distinct names"):
        encode_labels(pl.Series(["a"]), ["a", "b", "a"])
