"""Labels: spelt alike in all formats, missing where they are NaN, and refused where they are no labels."""

import math
from datetime import date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest

from chainrule.data import Table, read_table
from chainrule.errors import ConfigurationError, DataError
from tests.data.files import write_table


def fault(call, *arguments, kind=DataError, **options):
    with pytest.raises(kind) as caught:
        call(*arguments, **options)
    return str(caught.value)


def labels_of(values, **options):
    return Table.from_lists(["t"] * len(values), values, **options).labels.to_list()


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".json", ".parquet", ".xlsx", ".txt"])
@pytest.mark.parametrize("spelling", [(True, False), ("True", "False"), ("TRUE", "FALSE"), ("true", "false")])
def test_booleans_have_one_spelling(tmp_path, suffix, spelling):
    path = write_table(tmp_path / f"data{suffix}", {"text": ["a", "b", "c"], "label": [*spelling, spelling[0]]})
    assert read_table(path).labels.to_list() == ["true", "false", "true"]
    assert read_table(path, target="labels").labels.to_list() == [["true"], ["false"], ["true"]]
    assert labels_of(spelling) == ["true", "false"]
    assert labels_of([list(spelling), [spelling[0]]]) == [["true", "false"], ["true"]]
    frame = pl.DataFrame({"text": ["a", "b"], "label": spelling})
    assert Table.from_frame(frame).labels.to_list() == ["true", "false"]
    assert labels_of(["TrUe", " True ", "True story"]) == ["TrUe", "true", "True story"]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".json", ".parquet", ".txt"])
@pytest.mark.parametrize("missing", [math.nan, "nan", "NaN", " NaN "])
def test_nan_is_no_label_in_any_format(tmp_path, suffix, missing):
    if suffix == ".parquet" and isinstance(missing, float):
        values, kept = [0.5, missing, 1.5], ["0.5", "1.5"]
    else:
        values, kept = ["x", missing, "y"], ["x", "y"]
    if suffix == ".txt":  # its labels have no blanks
        values[1] = str(missing).strip()
    path = write_table(tmp_path / f"data{suffix}", {"text": ["a", "b", "c"], "label": values})
    table = read_table(path)
    assert (table.labels.to_list(), table.report.unlabelled) == (kept, 1)
    several = read_table(path, target="labels")
    assert (several.labels.to_list(), several.report.without_labels) == ([[kept[0]], [], [kept[1]]], 1)
    assert (
        read_table(write_table(tmp_path / "n.csv", {"n": [1, 2], "label": ["NA", "Nan"]}), numbers="auto").labels[1]
        == "Nan"
    )


@pytest.mark.parametrize(
    "missing", [None, math.nan, np.float32("nan"), pd.NA, pd.NaT, np.datetime64("NaT"), Decimal("NaN")]
)
def test_missing_values_of_others_are_no_labels(missing):
    table = Table.from_lists(["a", "b"], ["x", missing])
    assert (table.labels.to_list(), table.report.unlabelled) == (["x"], 1)
    assert labels_of([["x", missing], []]) == [["x"], []]


@pytest.mark.parametrize(
    ("label", "string"),
    [
        (1, "1"), (np.int64(1), "1"), (0.5, "0.5"), (np.bool_(True), "true"), (date(2020, 1, 2), "2020-01-02"),
        (np.str_("a"), "a"), (" a ", "a"), (datetime(2020, 1, 2, 3), "2020-01-02 03:00:00"), (Decimal("1.50"), "1.50"),
    ],
)  # fmt: skip
def test_labels_of_other_types(label, string):
    assert labels_of([label]) == [string]


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        (b"x", "bytes"),
        (bytearray(b"x"), "bytearray"),
        ({"a": 1}, "dict"),
        (np.array(["x"]), "ndarray"),
        (range(2), "range"),
    ],
)  # fmt: skip
def test_what_is_no_label(label, kind):
    message = fault(labels_of, ["x", label])
    assert message.startswith(f"list: labels[1] is of type {kind}: ")
    assert message.endswith(
        "expected a text, a number or a boolean. Several labels a row are a list of these, for the task multi-label"
    )
    assert f"is of type {kind}" in fault(labels_of, [["x", label]])
    assert len(fault(labels_of, [b"x" * 10_000])) < 300


def test_a_list_is_no_single_label():
    assert "column '' holds List(String); expected text" in fault(labels_of, [["x"], ["y"]], target="label")
    assert labels_of(["xyz", ["a", "b"], None, ("c",)]) == [["xyz"], ["a", "b"], [], ["c"]]
    assert "is of type list: ['b']" in fault(labels_of, [["a", ["b"]]])


@pytest.mark.parametrize(
    ("values", "holds"),
    [
        ([timedelta(days=1), timedelta(days=2)], "Duration"),
        ([["x"], ["y"]], "List(String)"),
        ([b"x", b"y"], "Binary"),
        ([{"a": 1}, {"a": 2}], "Struct"),
        (pl.Series([[1, 2], [3, 4]], dtype=pl.Array(pl.Int64, 2)), "Array"),
    ],
)
def test_columns_that_hold_no_labels(tmp_path, values, holds):
    path = tmp_path / "data.parquet"
    frame = pl.DataFrame({"text": ["s", "t"], "label": values})
    frame.write_parquet(path)
    for call, where in ((read_table, path), (Table.from_frame, frame)):
        message = fault(call, where)
        assert f"column 'label' holds {holds}" in message
        assert "Name another with --label NAME" in message
    if holds not in ("List(String)",):
        assert f"column 'label' holds {holds}" in fault(read_table, path, target="labels")
    assert f"column 'label' holds {holds}" in fault(read_table, path, target="number")
    assert f"column 'label' holds {holds}" in fault(read_table, path, text="label", label=None)
    assert f"column 'label' holds {holds}" in fault(read_table, path, categories=["label"], label="text")


@pytest.mark.parametrize("label", ['["x"]', '{"x": 1}'])
def test_lists_and_objects_of_json_are_no_single_labels(tmp_path, label):
    path = tmp_path / "data.jsonl"
    path.write_text(f'{{"text": "a", "label": {label}}}\n', encoding="utf-8")
    assert "expected text" in fault(read_table, path)


def test_the_column_of_texts_is_not_that_of_labels(tmp_path):
    path = write_table(tmp_path / "data.csv", {"text": ["a"], "label": ["b"]})
    for name in ("text", "label"):
        message = fault(read_table, path, text=name, label=name, kind=ConfigurationError)
        assert message == f"column {name!r} is named in --text and --label; give each column one role"


def test_a_panic_of_native_code_is_an_error_that_names_file_and_column(tmp_path, monkeypatch):
    path = write_table(tmp_path / "data.parquet", {"text": ["a"], "label": ["b"]})

    class Broken:
        """A file whose column of labels cannot be read."""

        def select(self, names):
            self.names = names
            return self

        def collect_schema(self):
            return {"text": pl.String, "label": pl.String}

        def collect(self):
            if "label" in self.names:
                raise pl.exceptions.PanicException("called `Option::unwrap()` on a `None` value")

    monkeypatch.setattr(pl, "scan_parquet", lambda *_, **__: Broken())
    assert fault(read_table, path) == (
        f"{path}, column 'label': not a whole Parquet file: called `Option::unwrap()` on a `None` value. Write or copy "
        "it again"
    )


class PanicException(BaseException):
    """What native code of a library in Rust raises."""


@pytest.mark.parametrize("error", [ValueError("odd"), KeyError("odd"), PanicException("odd"), RuntimeError()])
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet", ".txt", ".xlsx"])
def test_whatever_a_reader_raises_names_file_and_columns(tmp_path, monkeypatch, error, suffix):
    from chainrule.data import formats

    def broken(*_, **__):
        raise error

    path = write_table(tmp_path / f"data{suffix}", {"text": ["a"], "label": ["b"]})
    monkeypatch.setitem(formats.READERS, suffix, broken)
    if suffix == ".txt":
        monkeypatch.setattr(formats, "MARKS", {})
    reason = str(error) or "RuntimeError"
    assert fault(read_table, path) == f"{path}: cannot be read ('text', 'label'): {reason}. Write or copy it again"


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, SystemExit])
def test_what_is_no_fault_of_a_file_passes(tmp_path, monkeypatch, error):
    from chainrule.data import formats

    def broken(*_, **__):
        raise error

    path = write_table(tmp_path / "data.csv", {"text": ["a"], "label": ["b"]})
    monkeypatch.setitem(formats.READERS, ".csv", broken)
    with pytest.raises(error):
        read_table(path)
