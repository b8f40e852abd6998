"""Columns written to files: what is read back, by other readers and by ours, is what was written."""

import csv
import datetime as dt
import io
import json
import tempfile
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.data import read_table
from chainrule.data.write import WRITERS, write_columns
from chainrule.errors import ConfigurationError, StorageError

TEXTS = st.text(st.characters(codec="utf-8"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=4,
)
COLUMNS = st.integers(0, 4).flatmap(
    lambda rows: st.dictionaries(TEXTS, st.lists(VALUES, min_size=rows, max_size=rows), min_size=1, max_size=4)
)


def read_back(path):
    """The columns of a file, by readers that are not ours: text files have texts alone, JSON lines values."""
    if path.suffix == ".parquet":
        return {name: column.to_list() for name, column in pl.read_parquet(path).to_dict().items()}
    if path.suffix in (".jsonl", ".ndjson"):
        lines = path.read_text(encoding="utf-8").splitlines()  # at every character that ends a line for some reader
        rows = list(map(json.loads, lines))
        return {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}
    delimiter = "\t" if path.suffix == ".tsv" else ","
    text = io.StringIO(path.read_bytes().decode(), newline="")
    header, *rows = csv.reader(text, delimiter=delimiter, strict=True)
    return dict(zip(header, map(list, zip(*rows, strict=True)), strict=True)) if rows else {name: [] for name in header}


def as_text(value):
    """What a field of a text file has for a value."""
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@settings(max_examples=80, deadline=None)
@given(COLUMNS, st.sampled_from(sorted(WRITERS)))
def test_what_is_written_reads_back(columns, suffix):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"answers{suffix}")
        write_columns(path, columns)
        found = read_back(path)
        assert [file.name for file in Path(folder).iterdir()] == [path.name]
    if suffix in (".csv", ".tsv"):
        assert found == {name: list(map(as_text, values)) for name, values in columns.items()}
    elif suffix == ".parquet":
        for name, values in columns.items():
            restored = [x if x is None else json.loads(x) for x in found[name]] if found[name] != values else values
            assert restored == values
    elif all(columns.values()):
        assert found == columns


@settings(max_examples=30, deadline=None)
@given(st.lists(TEXTS.filter(lambda text: "\0" not in text), min_size=1, max_size=5), st.sampled_from(sorted(WRITERS)))
def test_our_reader_reads_what_we_write(texts, suffix):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"answers{suffix}")
        write_columns(path, {"text": texts, "prediction": ["pos"] * len(texts)})
        table = read_table(path, label="prediction")
    assert table.texts.to_list() == texts
    assert table.labels.to_list() == ["pos"] * len(texts)


def test_values_of_every_kind(tmp_path):
    columns = {
        "day": [dt.date(2026, 1, 2), None],
        "time": [dt.datetime(2026, 1, 2, 3, 4, 5), None],
        "price": [Decimal("1.50"), Decimal("2.25")],
        "number": [float("nan"), float("inf")],
        "bytes": [b"\xff\x00", b""],
        "mixed": [1, "a"],
        "nested": [{"a": 1}, {"b": [2]}],
    }
    for suffix in WRITERS:
        write_columns(tmp_path / f"x{suffix}", columns)
    assert (tmp_path / "x.csv").read_text().splitlines() == [
        "day,time,price,number,bytes,mixed,nested",
        '2026-01-02,2026-01-02T03:04:05,1.50,,/wA=,1,"{""a"": 1}"',
        ',,2.25,,,a,"{""b"": [2]}"',
    ]
    first, second = map(json.loads, (tmp_path / "x.jsonl").read_text().splitlines())
    assert first == {
        "day": "2026-01-02", "time": "2026-01-02T03:04:05", "price": "1.50", "number": None, "bytes": "/wA=",
        "mixed": 1, "nested": {"a": 1},
    }  # fmt: skip
    assert second["nested"] == {"b": [2]}
    found = pl.read_parquet(tmp_path / "x.parquet")
    for name in ("day", "time", "price", "bytes"):
        assert found[name].to_list() == columns[name]
    assert found["number"].is_nan().to_list() == [True, False]
    assert found["mixed"].to_list() == ["1", '"a"']
    assert list(map(json.loads, found["nested"])) == columns["nested"]


def test_a_file_that_cannot_be_written(tmp_path):
    with pytest.raises(ConfigurationError, match=r"a.xlsx: unknown kind of file '.xlsx'; expected one of .csv, .tsv"):
        write_columns(tmp_path / "a.xlsx", {"a": [1]})
    with pytest.raises(StorageError, match="there is no folder"):
        write_columns(tmp_path / "none" / "a.csv", {"a": [1]})
    with pytest.raises(ValueError, match=r"longer|shorter"):
        write_columns(tmp_path / "a.csv", {"a": [1], "b": []})
    assert list(tmp_path.iterdir()) == []
