"""Rows of numbers and categories: standardised, encoded, missing or not known, through task, learner and folder."""

import json

import numpy as np
import polars as pl
import pytest

import chainrule
from chainrule.data import Table
from chainrule.data.layout import ROWS
from chainrule.errors import DataError, ModelError
from chainrule.tasks.column_inputs import COLUMNS

FRAME = pl.DataFrame(
    {
        "size": [1.0, 2.0, 3.0, 6.0],
        "constant": [5, 5, 5, 5],
        "color": ["red", "blue", "red", "green"],
        "shape": ["x", "x", "y", "y"],
        "price": [1.0, 2.0, 3.0, 4.0],
    }
)


def table(frame=FRAME, **settings):
    roles = {"numbers": "auto", "categories": "auto", "label": "price", "target": "number", "name": "houses"}
    return Table.from_frame(frame, **{**roles, **settings})


def learned(frame=FRAME, **settings):
    return chainrule.Columns(**settings).learn(table(frame), ROWS)


def test_numbers_are_standardised_on_the_training_rows():
    codec, fields = learned()
    size = FRAME["size"].to_numpy()
    assert fields["numbers"].dtype == np.float32
    np.testing.assert_allclose(fields["numbers"][:, 0], (size - size.mean()) / size.std(), rtol=1e-6)
    assert (fields["numbers"][:, 1] == 0).all()  # constant in training
    other = FRAME.with_columns(size=pl.lit(30.0), constant=pl.lit(7))
    encoded = codec.encode(table(other))["numbers"]
    np.testing.assert_allclose(encoded[0], [(30 - size.mean()) / size.std(), 2.0], rtol=1e-6)


def test_each_category_has_an_id_of_its_own_and_unknown_ones_share_one():
    codec, fields = learned()
    assert codec.sizes.cardinalities == (4, 3)
    assert codec.sizes.entries == 7
    assert fields["categories"].tolist() == [[3, 5], [1, 5], [3, 6], [2, 6]]
    other = FRAME.with_columns(color=pl.lit("violet"), shape=pl.lit("x"))
    assert codec.encode(table(other))["categories"].tolist() == [[0, 5]] * 4


def test_rare_categories_count_as_unknown():
    codec, fields = learned(minimum_category_count=2)
    assert codec.sizes.cardinalities == (2, 3)
    assert fields["categories"][:, 0].tolist() == [1, 0, 1, 0]


def test_missing_cells_are_refused_with_their_place():
    for column, row in (("size", 2), ("color", 1)):
        held = FRAME.with_row_index().with_columns(
            pl.when(pl.col("index") == row).then(None).otherwise(pl.col(column)).alias(column)
        )
        with pytest.raises(
            DataError, match=rf"houses: row {row} \(the first is 0\) of column '{column}' is empty, .* 1 in"
        ):
            learned(held.drop("index"))


def test_the_place_of_a_missing_cell_is_that_in_the_file(tmp_path):
    path = tmp_path / "houses.csv"
    path.write_text("size,price\n1,2\n3,\n,5\n4,6\n")
    read = chainrule.read_table(path, numbers=["size"], label="price", target="number")
    with pytest.raises(DataError, match=r"row 2 \(the first is 0\) of column 'size' is empty"):
        chainrule.Columns(numbers=("size",), categories=()).learn(read, ROWS)


def test_missing_cells_where_they_are_allowed():
    held = FRAME.with_columns(size=pl.Series([1.0, None, 3.0, 5.0]), color=pl.Series(["red", None, "red", "green"]))
    codec, fields = learned(held, missing="mean")
    assert codec.sizes.features == 2
    assert fields["numbers"][1, 0] == 0
    assert fields["categories"][:, 0].tolist() == [3, 1, 3, 2]  # a missing category is one of its own
    codec, fields = learned(held, missing="indicator")
    assert codec.sizes.features == 3
    assert fields["numbers"][:, 2].tolist() == [0, 1, 0, 0]
    again = codec.encode(table(FRAME.with_columns(constant=pl.lit(None, pl.Int64))))["numbers"]
    assert (again[:, 1] == 0).all()  # no indicator for a column without missing cells in training


def test_an_integer_a_boolean_and_text_that_is_a_number():
    frame = pl.DataFrame({"a": [True, False], "b": ["1.5", " 2e3 "], "c": [1, 2], "y": [0.0, 1.0]})
    held = table(frame, label="y")
    assert held.columns.columns == ["a", "b", "c"]
    assert held.columns.rows() == [(1.0, 1.5, 1.0), (0.0, 2000.0, 2.0)]


def test_auto_takes_what_is_left():
    held = table(FRAME.with_columns(tags=pl.Series([["a"], [], ["b"], []])), numbers=["constant"])
    assert held.columns.columns == ["constant", "size", "color", "shape"]  # lists are neither
    assert held.columns.dtypes == [pl.Float64, pl.String, pl.String, pl.String]
    with pytest.raises(DataError, match="no column of numbers or categories to learn from; the columns are 'price'"):
        table(FRAME.select("price"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"numbers": ["color"]},
            "row 0 .* of column 'color' holds 'red'; expected a finite number; a column of categories",
        ),
        ({"numbers": ["height"]}, "no column 'height' for numbers; the columns are 'size', 'constant'"),
        (
            {"label": "color"},
            "row 0 .* of column 'color' holds 'red'; expected a finite number; the task regress needs",
        ),
    ],
)
def test_columns_that_do_not_hold_what_they_should(settings, message):
    with pytest.raises(DataError, match=message):
        table(**settings)


def test_infinite_numbers_are_refused():
    with pytest.raises(DataError, match="holds 'inf'; expected a finite number"):
        table(FRAME.with_columns(size=pl.Series([1.0, np.inf, 2.0, 3.0])), numbers=["size"])


@pytest.mark.parametrize("learner", [chainrule.LinearModel(), chainrule.MultilayerPerceptron(hidden=(8,))])
@pytest.mark.parametrize("encoding", ["embedding", "one-hot"])
def test_a_model_of_columns_is_saved_and_reads_rows_as_they_were(learner, encoding, tmp_path):
    if isinstance(learner, chainrule.MultilayerPerceptron):
        learner = chainrule.MultilayerPerceptron(hidden=(8,), category_encoding=encoding)
    draws = np.random.default_rng(0)
    frame = pl.DataFrame({"a": draws.normal(size=80), "b": draws.choice(["u", "v", "7"], 80)})
    frame = frame.with_columns(y=pl.when(pl.col("b") == "u").then(3.0).otherwise(0.0) + pl.col("a"))
    held = Table.from_frame(frame, numbers="auto", categories="auto", label="y", target="number")
    training = chainrule.Training(learning_rate=0.05, epochs=60)
    run = chainrule.fit(learner, held, held, task=chainrule.Regress(), training=training, folder=tmp_path / "model")
    assert run.model.evaluate(held).r2 > 0.8
    assert run.model.task.inputs == chainrule.Columns(numbers=("a",), categories=("b",))
    loaded = chainrule.Model.load(tmp_path / "model")
    rows = {"b": ["7", "u", "new"], "a": [0.5, 0.5, 0.5], "more": [1, 2, 3]}
    assert loaded.predict(rows) == run.model.predict(rows)
    assert loaded.predict(pl.DataFrame(rows)) == loaded.predict(rows)
    with pytest.raises(DataError, match="no column 'a' for numbers"):
        loaded.predict({"b": ["u"]})
    with pytest.raises(DataError, match="expected a frame or a mapping of columns, or an array of shape"):
        loaded.predict(["u"])
    if encoding == "one-hot":
        (tmp_path / "model" / COLUMNS).write_text("{}")
        with pytest.raises(ModelError, match=r"columns.json: is not what was saved"):
            chainrule.Model.load(tmp_path / "model")


def test_an_array_has_the_columns_in_order():
    draws = np.random.default_rng(0)
    X = draws.normal(size=(60, 2))
    frame = pl.DataFrame(X, schema=["p", "q"]).with_columns(y=pl.Series(X[:, 0] - X[:, 1]))
    held = Table.from_frame(frame, numbers=["p", "q"], label="y", target="number")
    training = chainrule.Training(learning_rate=0.05)
    model = chainrule.fit(chainrule.LinearModel(), held, held, task=chainrule.Regress(), training=training).model
    assert model.predict(X) == model.predict(frame)
    with pytest.raises(DataError, match=r"expected 2 columns \(p, q\), got 3"):
        model.predict(np.zeros((1, 3)))


def test_one_hot_rows_of_a_linear_model_are_a_linear_map():
    """The table of categories is the part of the matrix that one-hot vectors would be multiplied with."""
    held = table()
    training = chainrule.Training(learning_rate=0.1, epochs=50)
    model = chainrule.fit(chainrule.LinearModel(), held, held, task=chainrule.Regress(), training=training).model
    fields = model.codec.encode(held, targets=False).fields
    network = model.network
    one_hot = np.zeros((4, 7), np.float32)
    for row, ids in enumerate(fields["categories"]):
        one_hot[row, ids] = 1
    expected = fields["numbers"] @ network.numbers.weight.value + one_hot @ network.categories.table.value
    found = network(fields["numbers"], fields["categories"]).numpy()
    np.testing.assert_allclose(found, expected + network.bias.value, rtol=1e-5, atol=1e-6)


WHOLE = {"name": "a", "mean": 1.5, "deviation": 0.5, "indicator": False}


@pytest.mark.parametrize(
    "content",
    [
        "[" * 100_000,
        "3",
        "{}",
        {"numbers": 3},
        {"numbers": [{**WHOLE, "mean": "1"}]},
        {"numbers": [{**WHOLE, "mean": float("nan")}]},
        {"numbers": [{**WHOLE, "mean": 10**400}]},
        {"numbers": [{**WHOLE, "mean": True}]},
        {"numbers": [{**WHOLE, "deviation": 0}]},
        {"numbers": [{**WHOLE, "deviation": None}]},
        {"numbers": [{**WHOLE, "indicator": "no"}]},
        {"numbers": [{**WHOLE, "name": 3}]},
        {"numbers": [{**WHOLE, "name": "\ud800"}]},
        {"numbers": [{**WHOLE, "more": 1}]},
        {"numbers": [WHOLE, WHOLE]},
        {"categories": [{"name": "b", "values": ["x", "x"]}]},
        {"categories": [{"name": "a", "values": []}]},
        {"categories": [{"name": "b"}]},
        {"categories": [{"name": "b", "values": None}]},
    ],
)
def test_columns_of_a_file_that_no_training_wrote(tmp_path, content):
    whole = {"numbers": [WHOLE], "categories": [{"name": "b", "values": ["x", "y"]}]}
    inputs = chainrule.Columns(numbers=("a",), categories=("b",))
    (tmp_path / COLUMNS).write_text(json.dumps(whole))
    assert inputs.load(tmp_path, {}, ROWS).sizes.entries == 3
    (tmp_path / COLUMNS).write_text(content if isinstance(content, str) else json.dumps({**whole, **content}))
    with pytest.raises(ModelError, match=r"columns.json: is not a description of columns; copy the folder again"):
        inputs.load(tmp_path, {}, ROWS)
