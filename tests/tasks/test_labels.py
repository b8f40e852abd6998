"""Labels as classes, against plain lists."""

import numpy as np
import polars as pl
import pytest

from chainrule.errors import ConfigurationError, DataError
from chainrule.tasks.labels import encode_labels


def encode(labels, names, rows=None, table="list"):
    series = pl.Series(labels, dtype=pl.String)
    return encode_labels(series, names, np.arange(len(series)) if rows is None else np.array(rows), table)


def test_each_label_becomes_its_place_among_the_names():
    codes = encode(["b", "a", "b, c", "b"], ["b", "b, c", "a"])
    assert codes.tolist() == [0, 2, 1, 0]
    assert codes.dtype == np.int64
    assert encode([], []).tolist() == []
    many = [str(i) for i in range(300)]
    assert encode(many, many).tolist() == list(range(300))


def test_labels_that_are_not_known_are_named_with_their_row():
    expected = r"^here.csv: label 'z' of row 1 \(the first is 0\) is not known; the labels are 'a', 'b'$"
    with pytest.raises(DataError, match=expected):
        encode(["a", "z", "y"], ["a", "b"], table="here.csv")
    with pytest.raises(DataError, match="label 'z' of row 17 "):  # of what was read, in which rows were left out
        encode(["a", "z", "y"], ["a", "b"], rows=[4, 17, 30])
    with pytest.raises(DataError, match="label None of row 0"):
        encode([None], ["a"])
    with pytest.raises(DataError, match="the labels are none"):
        encode(["a"], [])


def test_names_that_come_twice_are_refused():
    with pytest.raises(ConfigurationError, match="label name 'a' comes twice; expected distinct names"):
        encode(["a"], ["a", "b", "a"])
