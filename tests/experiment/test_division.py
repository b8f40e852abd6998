"""How a table is divided: fractions, folds, rows of their own; and what it refuses."""

import numpy as np
import pytest

from chainrule import Division, Table
from chainrule.errors import ConfigurationError, DataError
from tests import samples


def test_fractions_hold_each_row_once_and_each_label_in_proportion(three_classes):
    (part,) = Division(valid=0.2, test=0.1).divided(three_classes)
    rows = np.concatenate([part.train.rows, part.valid.rows, part.test.rows])
    assert sorted(rows) == list(range(240))
    assert (len(part.train), len(part.valid), len(part.test)) == (168, 48, 24)
    counts, whole = ({x: table.labels.to_list().count(x) for x in "abc"} for table in (part.test, three_classes))
    assert all(abs(counts[label] - whole[label] / 10) < 1 for label in whole)


def test_the_seed_decides_the_rows(two_classes):
    rows = [Division(split_seed=seed).divided(two_classes)[0].test.rows.tolist() for seed in (0, 0, 1)]
    assert rows[0] == rows[1] != rows[2]


def test_each_row_is_a_test_row_once_in_each_repeat(two_classes):
    parts = Division(folds=4, repeats=2).divided(two_classes)
    assert Division(folds=4, repeats=2).parts == len(parts) == 8
    for repeat in (parts[:4], parts[4:]):
        assert sorted(np.concatenate([part.test.rows for part in repeat])) == list(range(240))
        for part in repeat:
            held = np.concatenate([part.train.rows, part.valid.rows, part.test.rows])
            assert sorted(held) == list(range(240))
            assert len(part.valid) == 18  # a tenth of those that are not test rows
    assert parts[0].test.rows.tolist() != parts[4].test.rows.tolist()


def test_rows_that_are_given_are_not_taken_from_the_table(two_classes, held_out):
    (part,) = Division(valid=0.25).divided(two_classes, test=held_out)
    assert (len(part.train), len(part.valid), part.test) == (180, 60, held_out)
    (part,) = Division(test=0.25).divided(two_classes, valid=held_out)
    assert (len(part.train), part.valid, len(part.test)) == (180, held_out, 60)
    (part,) = Division().divided(two_classes, held_out, held_out)
    assert part.train is two_classes


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"valid": 0.5, "test": 0.5}, "test must leave rows to learn from beside valid 0.5, got 0.5"),
        ({"repeats": 3}, "repeats is for folds, and there are none; got 3"),
        ({"folds": 1}, "folds must be a whole number of 2 or more or None, got 1"),
        ({"valid": 0}, "valid must be a number above 0 and below 1, got 0"),
    ],
)
def test_contradictory_settings_are_refused(settings, message):
    with pytest.raises(ConfigurationError, match=message):
        Division(**settings)


def test_tables_that_cannot_be_divided_are_refused(two_classes):
    few = samples.as_table(samples.make_rows(4), name="few.csv")
    with pytest.raises(DataError, match=r"few\.csv: 4 rows are too few to divide into 3 parts; add rows"):
        Division().divided(few)
    rare = Table.from_lists([f"text {i}" for i in range(20)], ["a"] * 17 + ["b"] * 3)
    with pytest.raises(DataError, match="the label 'b' has fewer rows than there are folds, 5; take fewer folds"):
        Division(folds=5).divided(rare)
    single = Table.from_lists([f"text {i}" for i in range(20)], [f"label {i}" for i in range(20)])
    with pytest.raises(DataError, match="no rows are left to stop by, as no label has enough of them"):
        Division().divided(single)
    with pytest.raises(ConfigurationError, match="folds: make the rows of validation and test"):
        Division(folds=3).divided(two_classes, test=few)
