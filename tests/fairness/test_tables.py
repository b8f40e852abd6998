"""Weights under which groups and labels are independent, and swapped copies of rows."""

import numpy as np
import polars as pl
import pytest

import chainrule
from chainrule.errors import DataError
from chainrule.fairness import Groups, Pair, Pairs, augmented, by_group, reweighted


def test_weights_make_labels_as_frequent_in_every_group():
    draw = np.random.default_rng(0)
    groups = draw.choice(["f", "m", "x"], 300)
    labels = [draw.choice(list("abc"), p=[0.6, 0.3, 0.1] if g == "f" else [0.2, 0.2, 0.6]) for g in groups]
    table = chainrule.Table.from_lists([f"text {k}" for k in range(300)], labels)
    found = reweighted(table, Groups.of(groups))
    weights = found.table.weights.to_numpy()
    assert weights.sum() == pytest.approx(300)
    for g in "fmx":
        own = [
            weights[(groups == g) & (np.array(labels) == label)].sum() / weights[groups == g].sum() for label in "abc"
        ]
        assert own == pytest.approx([labels.count(label) / 300 for label in "abc"])
    assert found.after == pytest.approx(np.tile(found.after[0], (3, 1)))
    assert np.abs(found.before[0] - found.before[1]).max() > 0.2
    assert found.effective < 300
    assert "not changed: the rows themselves" in str(found)


def test_weights_are_multiplied_by_those_that_rows_have():
    table = chainrule.Table.from_lists(list("abcd"), ["y", "n", "y", "y"], weights=[2, 2, 1, 3])
    found = reweighted(table, Groups.of(["f", "f", "m", "m"])).table.weights.to_numpy()
    assert found[:2] == pytest.approx([2 * (4 * 6 / 8) / 2, 2 * (4 * 2 / 8) / 2])
    assert found[2:] == pytest.approx(np.array([1, 3]) * (4 * 6 / 8) / 4)


def test_a_model_of_weighted_rows_selects_both_groups_alike():
    """The data say yes to m more often than to f, whatever else a text says; weights take that out."""
    draw = np.random.default_rng(1)
    groups = draw.choice(["f", "m"], 2000)
    labels = np.where(draw.random(2000) < np.where(groups == "m", 0.8, 0.3), "yes", "no")
    texts = [f"{g}word {draw.choice(['a', 'b', 'c'])}" for g in groups]
    table = chainrule.Table.from_lists(texts, labels.tolist())
    held = Groups.of(groups)
    training = chainrule.Training(epochs=5)
    found = {}
    for name, rows in (("before", table), ("after", reweighted(table, held).table)):
        model = chainrule.fit(chainrule.BagOfWords(), rows, rows, training=training, engine="eager").model
        scores = model.predict_probabilities(table, engine="eager")[:, 1]
        found[name] = scores[groups == "m"].mean() - scores[groups == "f"].mean()
        by_group(model, table, held, engine="eager")
    assert found["before"] > 0.4
    assert abs(found["after"]) < 0.1


def test_what_has_no_label_a_row_is_refused():
    groups = Groups.of(["a", "b"])
    for table in (
        chainrule.Table.from_lists(["x", "y"]),
        chainrule.Table.from_lists(["x", "y"], [["a"], []]),
        chainrule.Table.from_lists(["x", "y"], [1.0, 2.0], target="number"),
    ):
        with pytest.raises(
            DataError, match="weights are by group and label; expected a table with one label in each row"
        ):
            reweighted(table, groups)


def test_copies_have_label_weight_and_columns_of_their_row():
    frame = pl.DataFrame({"text": ["He came.", "It rained.", "she and he"], "label": list("xyz"), "age": [1, 2, 3],
                          "w": [1.0, 2.0, 3.0]})  # fmt: skip
    table = chainrule.Table.from_frame(frame, label="label", weight="w", keep="all")
    found = augmented(table, "en")
    assert found.table.texts.to_list() == ["He came.", "It rained.", "she and he", "She came.", "he and she"]
    assert found.table.labels.to_list() == list("xyzxz")
    assert found.table.weights.to_list() == [1, 2, 3, 1, 3]
    assert found.table.kept["age"].to_list() == [1, 2, 3, 1, 3]
    assert found.table.kept["text"].to_list() == found.table.texts.to_list()
    assert (found.copies, found.before, found.after) == (2, (2, 1), (3, 3))
    assert len(found.table) == found.table.report.rows == 5
    assert "not changed: texts without a word of the pairs" in str(found)


def test_a_model_of_copies_makes_no_difference():
    table = chainrule.Table.from_lists(["he is good", "she is bad"] * 40, list("pn") * 40)
    training = chainrule.Training(optimizer="adam", learning_rate=0.02, epochs=10)
    found = []
    for rows in (table, augmented(table, "en").table):
        model = chainrule.fit(chainrule.BagOfWords(), rows, rows, training=training, engine="eager").model
        scores = model.predict_probabilities(["he is", "she is"], engine="eager")[:, 1]
        found.append(float(scores[0] - scores[1]))
    assert found[0] > 0.5
    assert abs(found[1]) < found[0] / 4


def test_words_that_mean_two_things_are_told():
    found = augmented(chainrule.Table.from_lists(["her dog", "her."], ["a", "b"]), "en")
    assert "words that mean two things were taken by what follows them: her as his 1 times, her as him 1 times" in str(
        found
    )
    plain = Pairs("mine", (Pair(("dog", "cat")),))
    assert "two things" not in str(augmented(chainrule.Table.from_lists(["a dog"], ["a"]), plain))


def test_tables_without_texts_or_words_are_refused():
    with pytest.raises(DataError, match="list: no text has a word of the pairs en; take another list"):
        augmented(chainrule.Table.from_lists(["It rained."], ["a"]))
    tokens = chainrule.Table.from_lists([["he", "came"]], [["A", "B"]])
    with pytest.raises(DataError, match="words of texts are swapped; expected texts, got lists of tokens"):
        augmented(tokens)
    with pytest.raises(DataError, match="has no texts but the columns"):
        augmented(chainrule.Table.from_frame(pl.DataFrame({"a": [1.0], "label": ["x"]}), numbers=["a"], label="label"))
