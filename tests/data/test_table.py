"""Tables: made from lists, split by label, fingerprinted."""

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chainrule.data import ReadReport, Table
from chainrule.errors import ConfigurationError, DataError


def labelled(counts: dict[str, int]) -> Table:
    labels = [name for name, count in counts.items() for _ in range(count)]
    order = np.random.default_rng(0).permutation(len(labels))
    return Table.from_lists([f"text {i}" for i in range(len(labels))], [labels[i] for i in order])


def count(table: Table) -> dict[str, int]:
    return {name: table.labels.to_list().count(name) for name in table.label_names()}


def test_from_lists_follows_the_rules_of_reading():
    table = Table.from_lists(["a", None, "c", " ", "e"], [" x ", 1, None, True, ""])
    assert table.texts.to_list() == ["a", "", " "]
    assert table.labels.to_list() == ["x", "1", "true"]
    assert table.report == ReadReport(rows=5, unlabelled=2, empty=2)
    assert table.label_names() == ("1", "true", "x")
    assert len(table) == 3
    assert len(Table.from_lists([])) == 0


def test_from_lists_refuses_what_is_not_a_table():
    with pytest.raises(DataError, match="list: 2 texts but 1 labels; expected as many"):
        Table.from_lists(["a", "b"], ["x"])
    with pytest.raises(DataError, match=r"texts\[1\] is of type int; expected a string"):
        Table.from_lists(["a", 2])
    with pytest.raises(DataError, match="none of the 2 rows has a label"):
        Table.from_lists(["a", "b"], ["", None])


@pytest.mark.parametrize(
    ("texts", "labels", "message"),
    [
        (pl.Series([1]), None, "expected texts of String or lists of String without nulls, got Int64"),
        (
            pl.Series(["a", None]),
            None,
            "expected texts of String or lists of String without nulls, got String with 1 nulls",
        ),
        (pl.Series(["a"]), pl.Series([True]), "expected labels of String without nulls, got Boolean"),
        (pl.Series(["a"]), pl.Series(["x", "y"]), "1 texts but 2 labels"),
    ],
)
def test_a_table_checks_its_columns(texts, labels, message):
    with pytest.raises(DataError, match=message):
        Table(texts.alias("text").to_frame(), labels, "here", ReadReport(1, 0, 0))


def test_split_is_stratified_and_exact():
    parts = labelled({"a": 100, "b": 50, "c": 10}).split(80, 10, 10, seed=3)
    assert [count(part) for part in parts] == [
        {"a": 80, "b": 40, "c": 8},
        {"a": 10, "b": 5, "c": 1},
        {"a": 10, "b": 5, "c": 1},
    ]


def test_rows_left_over_even_out_over_the_labels():
    parts = labelled(dict.fromkeys("abcdefgh", 15)).split(0.8, 0.1, 0.1, seed=3)
    assert [len(part) for part in parts] == [96, 12, 12]
    assert {part["a"] for part in map(count, parts[1:])} == {1, 2}


def test_every_part_has_every_label_even_a_rare_one():
    parts = labelled({"a": 1000, "b": 3}).split(98, 1, 1, seed=0)
    assert [count(part) for part in parts] == [{"a": 980, "b": 1}, {"a": 10, "b": 1}, {"a": 10, "b": 1}]


#: Labels as they are kept: without blanks around them, and not True or False, which are spelt alike in all formats.
NAMES = st.text(min_size=1).map(str.strip).filter(lambda name: name and name.lower() not in ("true", "false"))


@given(
    counts=st.dictionaries(NAMES, st.integers(5, 40), min_size=1),
    weights=st.lists(st.floats(0.01, 100), min_size=1, max_size=5),
    seed=st.integers(0, 2**63),
    unlabelled=st.booleans(),
)
@example(counts={"a": 17}, weights=[9, 51, 51, 51, 75], seed=0, unlabelled=False)
def test_split_is_a_partition_near_the_weights(counts, weights, seed, unlabelled):
    table = labelled(counts)
    if unlabelled:
        table = Table.from_lists(table.texts.to_list())
    parts = table.split(*weights, seed=seed)
    assert sorted(text for part in parts for text in part.texts) == sorted(table.texts)
    if not unlabelled:
        labels = dict(zip(table.texts, table.labels, strict=True))
        assert all(part.labels.to_list() == [labels[text] for text in part.texts] for part in parts)
    shares = np.array(weights) / sum(weights)
    for name, size in {"": len(table)}.items() if unlabelled else counts.items():
        got = np.array([len(part) if unlabelled else count(part).get(name, 0) for part in parts])
        assert got.min() >= 1
        raised = np.maximum(1 - size * shares, 0).sum()  # what rare parts were given to have one row
        assert np.abs(got - size * shares).max() <= 1 + raised + 1e-6


def test_the_same_seed_gives_the_same_split_in_the_order_of_the_table():
    table = labelled({"a": 60, "b": 40})
    one, again, other = (table.split(3, 1, seed=seed)[0].texts.to_list() for seed in (7, 7, 8))
    assert one == again != other
    assert one == [text for text in table.texts if text in set(one)]


def test_a_split_reports_its_own_rows():
    part, _ = Table.from_lists(["", "", "a", "b"], ["x", "x", "y", "y"]).split(1, 1, seed=0)
    assert part.report == ReadReport(rows=2, unlabelled=0, empty=1)


def test_rows_of_a_rare_label_stay_in_the_first_part():
    table = labelled({"a": 9, "b": 2, "c": 1})
    assert [count(part) for part in table.split(80, 10, 10, seed=0)] == [{"a": 7, "b": 2, "c": 1}, {"a": 1}, {"a": 1}]
    assert [count(part) for part in table.split(80, 20, seed=0)] == [{"a": 7, "b": 1, "c": 1}, {"a": 2, "b": 1}]
    assert table.rare_labels(3) == ("b", "c")
    assert table.rare_labels(2) == ("c",)
    assert table.rare_labels(1) == ()
    alone = labelled(dict.fromkeys("abcd", 1)).split(1, 1, seed=0)
    assert [len(part) for part in alone] == [4, 0]


def test_rare_labels_of_rows_with_several_labels_and_with_none():
    table = Table.from_lists(["a", "b", "c", "d"], [["x", "y"], ["x"], [], ["z", "x"]])
    assert table.rare_labels(2) == ("y", "z")
    assert set(table.split(1, 1, seed=0)[0].label_names()) == {"x", "y", "z"}
    assert Table.from_lists(["a", "b"]).rare_labels(2) == ()
    assert Table.from_lists(["a", "b"], [1.0, 2.0], target="number").rare_labels(2) == ()


def test_weights_go_with_their_rows():
    table = Table.from_lists(["a", "b", "c", "d", "e"], ["x", "y", None, "y", "x"], weights=[1, 0, 2, 0.5, 3])
    assert table.texts.to_list() == ["a", "d", "e"]
    assert table.weights.to_list() == [1.0, 0.5, 3.0]
    assert table.rows.tolist() == [0, 3, 4]
    assert table.report == ReadReport(rows=5, unlabelled=1, empty=0, weightless=1)
    assert table.take(np.array([2, 0])).weights.to_list() == [3.0, 1.0]
    whole = Table.from_lists([str(i) for i in range(40)], list("ab") * 20, weights=np.arange(40) + 1.0)
    for part in whole.split(3, 1, seed=0):
        assert [int(text) + 1 for text in part.texts] == part.weights.to_list()


def test_fingerprints_see_weights():
    plain = Table.from_lists(["a", "b"], ["x", "y"])
    ones, others = (Table.from_lists(["a", "b"], ["x", "y"], weights=weights) for weights in ([1, 1], [1, 2]))
    assert len({table.fingerprint() for table in (plain, ones, others)}) == 3


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1], "list: 2 texts but 1 weights; expected as many"),
        (
            [1, -2],
            r"list: row 1 \(the first is 0\) of column 'weights' holds -2; expected a finite number of 0 or more",
        ),
        (
            [float("nan"), 1],
            "row 0 .* holds no number; expected a finite number of 0 or more, as each row has a weight",
        ),
        ([1, float("inf")], "row 1 .* holds 'inf'; expected a finite number of 0 or more"),
        ([None, 1], "row 0 .* holds no number"),
        (["1", "heavy"], "row 1 .* holds 'heavy'; expected a finite number"),
        ([0, 0], "list: none of the 2 rows has a weight above 0"),
    ],
)
def test_weights_that_cannot_be(weights, message):
    with pytest.raises(DataError, match=message):
        Table.from_lists(["a", "b"], ["x", "y"], weights=weights)


def test_a_table_has_as_many_weights_as_rows():
    texts, labels = pl.DataFrame({"text": ["a", "b"]}), pl.Series(["x", "y"])
    with pytest.raises(DataError, match="here: 2 rows but 3 weights; expected as many"):
        Table(texts, labels, "here", ReadReport(2, 0, 0), weights=pl.Series([1.0, 2.0, 3.0]))


def test_split_refusals():
    table = labelled({"a": 9, "b": 2})
    with pytest.raises(DataError, match="list: 1 row cannot be split into 2 parts; add texts"):
        Table.from_lists(["a"]).split(1, 1, seed=0)
    for parts in [(), (1, 0), (1, -2), (1, float("nan")), (float("inf"), 1)]:
        with pytest.raises(ConfigurationError, match="split parts must be one or more positive numbers"):
            table.split(*parts, seed=0)
    for seed in (-1, 1.5, True, None):
        with pytest.raises(ConfigurationError, match=f"split seed must be a whole number of 0 or more, got {seed}"):
            table.split(1, 1, seed=seed)


def test_fingerprint_tells_tables_apart():
    tables = [
        Table.from_lists([]),
        Table.from_lists([""]),
        Table.from_lists(["", ""]),
        Table.from_lists(["ab", "c"]),
        Table.from_lists(["a", "bc"]),
        Table.from_lists(["a", "b", "c"]),
        Table.from_lists(["ab"], ["c"]),
        Table.from_lists(["a"], ["bc"]),
        Table.from_lists(["a"], ["é"]),
        Table.from_lists(["é"], ["a"]),
        Table.from_lists(["a", "b"], ["x", "y"]),
        Table.from_lists(["a", "b"], ["y", "x"]),
        Table.from_lists(["b", "a"], ["y", "x"]),
    ]
    assert len({table.fingerprint() for table in tables}) == len(tables)
    assert Table.from_lists(["ab", "c"], name="other").fingerprint() == tables[3].fingerprint()
    assert all(len(table.fingerprint()) == 64 for table in tables)


def test_fingerprint_of_many_rows_sees_the_last():
    texts = [str(i) for i in range(10_000)]
    assert Table.from_lists(texts).fingerprint() != Table.from_lists([*texts[:-1], "999X"]).fingerprint()


def test_strings_and_characters_that_make_no_list():
    for texts, labels in (("abc", None), (["a", "b"], "xy")):
        with pytest.raises(DataError, match="expected lists of texts and labels, got one string; put it in a list"):
            Table.from_lists(texts, labels)
    for texts, labels in ((["\ud800"], None), (["a"], ["\ud800"])):
        with pytest.raises(DataError, match="list: half of a surrogate pair, which is no character"):
            Table.from_lists(texts, labels)


def test_a_label_that_is_not_a_number_is_none():
    table = Table.from_lists(["a", "b", "c"], [float("nan"), 1.0, np.float32("nan")])
    assert table.labels.to_list() == ["1.0"]
    assert table.report.unlabelled == 2


def test_rows_keep_their_numbers():
    table = Table.from_lists(["a", "b", "c", "d", "e"], ["x", None, "x", "", "y"])
    assert table.rows.tolist() == [0, 2, 4]
    assert table.take(np.array([2, 0])).rows.tolist() == [4, 0]
    assert Table.from_lists(["a", "b"], ["x", "y"]).rows.tolist() == [0, 1]
    whole = Table.from_lists([f"t{i}" for i in range(10)], ["x", "y"] * 5)
    assert [int(text[1:]) for text in whole.split(1, 1, seed=0)[1].texts] == whole.split(1, 1, seed=0)[1].rows.tolist()


def test_a_frame_keeps_columns_that_are_asked_for():
    frame = pl.DataFrame({"text": ["a", "b", "c"], "label": ["x", None, "y"], "who": [1, 2, 3]})
    assert Table.from_frame(frame, keep="who").kept["who"].to_list() == [1, 3]
    assert Table.from_frame(frame, keep="all").kept.columns == ["text", "label", "who"]
    assert Table.from_frame(frame).kept is None
    with pytest.raises(DataError, match="no column 'size' for keep; the columns are 'text', 'label', 'who'"):
        Table.from_frame(frame, keep=["size"])
