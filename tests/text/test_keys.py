"""KeyTable against a dictionary."""

import threading

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.data.chunks import chunks, in_threads
from chainrule.text.keys import KeyTable, sort_with_places

KEYS = st.lists(st.integers(1, 40) | st.integers(1, 2**63 - 1), unique=True, max_size=60)


@settings(deadline=None)  # the first table starts Polars' threads
@given(keys=KEYS, others=KEYS)
def test_it_finds_what_a_dictionary_finds(keys, others):
    ids = np.arange(1, len(keys) + 1, dtype=np.int32)
    asked = [*keys, *others, *keys[:3]]
    table = KeyTable(np.array(keys, np.int64), ids)
    plain = dict(zip(keys, ids.tolist(), strict=True))
    found = table.find(np.array(asked, np.int64))
    assert found.dtype == np.int32
    assert found.tolist() == [plain.get(key, 0) for key in asked]


@pytest.mark.parametrize("step", [1, 2**20, 2**32, 2**32 + 1])
def test_many_keys(step):
    keys = np.arange(1, 100_001) * step
    table = KeyTable(keys, np.arange(1, 100_001))
    assert table.find(keys).tolist() == list(range(1, 100_001))
    assert not table.find(keys + 100_001 * step).any()


@settings(deadline=None)  # as above
@given(st.lists(st.integers(0, 5) | st.integers(0, 2**63 - 1), max_size=40), st.integers(0, 2**40))
def test_keys_are_sorted_with_their_places(keys, first):
    """Also where a key and a place do not fit into one number."""
    found, places = np.array(keys, np.int64), first + np.arange(len(keys))
    plain = sorted(zip(keys, places.tolist(), strict=True))
    sort_with_places(found, places)
    assert list(zip(found.tolist(), places.tolist(), strict=True)) == plain


def test_a_table_whose_last_slots_overflow():
    """Keys that all belong into the last slot lie behind it."""
    candidates = np.arange(1, 200_000)
    slots = KeyTable(np.array([1]), np.array([1], np.int32))._slots(candidates)
    keys = candidates[slots == slots.max()][:9]
    table = KeyTable(keys, np.arange(1, 10, dtype=np.int32))
    assert table.find(keys).tolist() == list(range(1, 10))
    assert not table.find(np.setdiff1d(candidates, keys)).any()


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_of_threads_come_in_order(monkeypatch, threads):
    monkeypatch.setattr(pl, "thread_pool_size", lambda: threads)
    together, used = threading.Barrier(threads), set()

    def twice(number):
        used.add(threading.get_ident())
        if number < threads:
            together.wait(timeout=60)  # as many are at work at the same time
        return 2 * number

    assert list(in_threads(twice, iter(range(5)))) == [0, 2, 4, 6, 8]
    assert len(used) == threads
    assert list(in_threads(twice, [])) == []
    with pytest.raises(ZeroDivisionError):
        list(in_threads(lambda number: 1 // number, range(3)))


@given(lengths=st.lists(st.integers(0, 9), max_size=20), size=st.integers(1, 12))
def test_portions_hold_every_row_once(lengths, size):
    offsets = np.cumsum([0, *lengths])
    found = list(chunks(offsets, size))
    assert [row for start, stop in found for row in range(start, stop)] == list(range(len(lengths)))
    for start, stop in found:
        assert stop - start == 1 or offsets[stop] - offsets[start] <= size
