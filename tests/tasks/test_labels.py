"""Labels as classes, against plain lists."""

import numpy as np
import polars as pl
import pytest

import chainrule
from chainrule.errors import ConfigurationError, DataError
from chainrule.tasks.labels import encode_labels, unseen_labels


def encode(labels, names, table="list"):
    return encode_labels(pl.Series(labels, dtype=pl.String), names, table)


def table(labels):
    return chainrule.Table.from_lists(list(labels), list(labels))


def test_each_label_becomes_its_place_among_the_names():
    codes = encode(["b", "a", "b, c", "b"], ["b", "b, c", "a"])
    assert codes.tolist() == [0, 2, 1, 0]
    assert codes.dtype == np.int64
    assert encode([], []).tolist() == []
    many = [str(i) for i in range(300)]
    assert encode(many, many).tolist() == list(range(300))


def test_labels_that_are_not_known_come_after_the_names_in_ascending_order():
    assert encode(["z", "b", "y", "a", "z"], ["b", "a"]).tolist() == [3, 0, 2, 1, 3]
    assert unseen_labels(table("zbyxzx"), ["b", "a"]) == {"x": 2, "z": 2, "y": 1}
    assert unseen_labels(table("a"), ["b", "a"]) == {}


def test_a_table_of_whose_labels_none_is_known_is_refused():
    expected = r"^here.csv: none of the labels is known: they are 'z', 'y', and the model knows 'a', 'b'\."
    with pytest.raises(DataError, match=expected):
        encode(["z", "y", "z"], ["a", "b"], table="here.csv")
    with pytest.raises(DataError, match="the model knows none"):
        encode(["a"], [])
    with pytest.raises(DataError) as caught:  # a column of texts, say
        encode(["long " * 1000 + str(i) for i in range(1000)], [str(i) for i in range(1000)])
    assert len(str(caught.value)) < 2000
    assert "and 990 more" in str(caught.value)


def test_names_that_come_twice_are_refused():
    with pytest.raises(ConfigurationError, match="label name 'a' comes twice; expected distinct names"):
        encode(["a"], ["a", "b", "a"])
