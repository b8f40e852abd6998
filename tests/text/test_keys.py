"""KeyTable against a dictionary."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.text.keys import KeyTable
from chainrule.text.portions import portions

KEYS = st.lists(st.integers(1, 40) | st.integers(1, 2**63 - 1), unique=True, max_size=60)


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


@given(lengths=st.lists(st.integers(0, 9), max_size=20), size=st.integers(1, 12))
def test_portions_hold_every_row_once(lengths, size):
    offsets = np.cumsum([0, *lengths])
    found = list(portions(offsets, size))
    assert [row for start, stop in found for row in range(start, stop)] == list(range(len(lengths)))
    for start, stop in found:
        assert stop - start == 1 or offsets[stop] - offsets[start] <= size
