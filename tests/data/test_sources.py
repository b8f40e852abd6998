"""What may stand in the place of a file: compressed files, several files, patterns, standard input; and URLs."""

import builtins
import io
import json
import os
import sys
import threading

import pytest

import chainrule
from chainrule.data import read_table
from chainrule.data.formats import is_table
from chainrule.data.sources import opened
from chainrule.errors import ConfigurationError, DataError
from tests.data.files import COMPRESSORS, as_bytes, spreadsheet, write_table

ROWS = {"text": ["good", "bad, or so"], "label": ["pos", "neg"]}


def rows(table):
    return list(zip(table.texts.to_list(), table.labels.to_list(), strict=True))


def fault(path, kind=DataError, **options):
    with pytest.raises(kind) as caught:
        read_table(path, **options)
    return str(caught.value)


@pytest.fixture
def stdin(monkeypatch):
    """Put bytes into standard input."""

    def call(data):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return call


@pytest.mark.parametrize("kind", [".csv", ".tsv", ".jsonl", ".json", ".parquet", ".xlsx", ".txt"])
@pytest.mark.parametrize("suffix", COMPRESSORS)
def test_compressed_files(tmp_path, kind, suffix):
    path = write_table(tmp_path / f"data.v1{kind}{suffix}", ROWS)
    assert rows(read_table(path)) == [("good", "pos"), ("bad, or so", "neg")]
    assert opened(str(path)).read() == as_bytes(kind, ROWS)
    whole = path.read_bytes()
    for wrong in (whole[: len(whole) // 2], b"text,label\na,b\n", b""):
        path.write_bytes(wrong)
        message = fault(path)
        assert message.startswith(f"{path}: not a whole {suffix} file: ")
        assert "--encoding" not in message


@pytest.mark.parametrize("suffix", COMPRESSORS)
def test_a_compressed_file_under_another_name(tmp_path, suffix):
    path = tmp_path / "data.csv"
    path.write_bytes(COMPRESSORS[suffix](as_bytes(".csv", ROWS)))
    assert rows(read_table(path)) == [("good", "pos"), ("bad, or so", "neg")]


def test_the_library_for_zst_is_an_extra(tmp_path, monkeypatch):
    path = write_table(tmp_path / "data.csv.zst", ROWS)
    real = builtins.__import__

    def without(name, *arguments, **settings):
        if name in ("compression", "backports"):
            raise ImportError(name)
        return real(name, *arguments, **settings)

    monkeypatch.setattr(builtins, "__import__", without)
    message = fault(path, ConfigurationError)
    assert message == f"{path}: reading .zst files needs a library: pip install 'chainrule[zstd]'"


def test_several_files_and_patterns(tmp_path, monkeypatch):
    write_table(tmp_path / "b.csv", {"text": ["three"], "label": ["y"]})
    write_table(tmp_path / "a.csv", {"label": ["x", None], "text": ["one", "two"]})
    write_table(tmp_path / "c.jsonl.gz", {"text": ["four"], "label": [True], "more": [1]})
    monkeypatch.chdir(tmp_path)
    table = read_table(["b.csv", "a.csv"])
    assert rows(table) == [("three", "y"), ("one", "x")]
    assert (table.name, table.report.rows, table.report.unlabelled) == ("b.csv, a.csv", 3, 1)
    assert table.rows.tolist() == [0, 1]
    assert rows(read_table("?.csv")) == [("one", "x"), ("three", "y")]
    assert rows(read_table("**/*.csv")) == rows(read_table("?.csv"))
    assert rows(read_table(str(tmp_path / "*.csv"))) == rows(read_table("?.csv"))
    table = read_table(["*.jsonl.gz", tmp_path / "a.csv"])
    assert rows(table) == [("four", "true"), ("one", "x")]
    assert read_table(["a.csv"] * 5).name == "a.csv, a.csv, a.csv and 2 more"
    assert len(read_table(["a.csv"] * 5)) == 5


def test_files_of_several_kinds_of_columns(tmp_path):
    lists = write_table(tmp_path / "a.jsonl", {"text": ["t", "s"], "label": [["x", "y"], []]})
    strings = write_table(tmp_path / "b.csv", {"text": ["u", "v"], "label": ["x,z", None]})
    table = read_table([lists, strings], target="labels", label_separator=",")
    assert table.labels.to_list() == [["x", "y"], [], ["x,z"], []]
    numbers = write_table(tmp_path / "a.parquet", {"n": [1, 2], "label": ["x", "y"]})
    more = write_table(tmp_path / "b.parquet", {"n": [0.5], "label": ["x"], "kind": ["k"]})
    assert read_table([numbers, more], numbers="auto").columns["n"].to_list() == [1, 2, 0.5]
    nested = write_table(tmp_path / "c.parquet", {"n": [{"a": 1}], "label": ["x"]})
    message = fault([numbers, nested], numbers=["n"])
    assert message.startswith(f"{numbers} and {nested}: columns of the same name hold what does not join") or (
        "expected numbers" in message
    )


def test_a_fault_names_the_file_that_it_is_in(tmp_path):
    good = write_table(tmp_path / "a.csv", {"n": ["1"], "label": ["x"]})
    bad = write_table(tmp_path / "b.csv", {"n": ["1", "two"], "label": ["x", "y"]})
    assert fault([good, bad], numbers=["n"]).startswith(f"{bad}: row 1 (the first is 0) of column 'n' holds 'two'")
    assert fault([good, bad], numbers=["m"]).startswith(f"{good}: no column 'm'")
    assert fault([good, tmp_path / "none.csv"], numbers=["n"]).startswith(f"{tmp_path / 'none.csv'}: no such file")


def test_what_is_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for url in ("https://example.org/data.csv", "s3://bucket/data.parquet", "file:///data.csv", "hf://datasets/x"):
        assert fault(url) == f"{url!r} is a URL; download it, and give the name of the file"
    assert fault("*.csv") == f"*.csv: no file matches this pattern (looked from {tmp_path})"
    assert fault("none.csv").startswith("none.csv: no such file (looked in ")
    (tmp_path / "folder").mkdir()
    assert fault("folder") == (
        "folder: is a directory; name a file inside it, or several with a pattern: 'folder/*.csv'"
    )
    assert "no such file" in fault("a\0b.csv")
    message = fault("a" * 5000 + ".csv")
    assert message.startswith("a" * 200 + ": cannot be read: ")
    assert fault([], ConfigurationError) == "expected a file to read, or several; got an empty list"


@pytest.mark.parametrize(
    "content",
    [
        as_bytes(".csv", ROWS),
        as_bytes(".tsv", ROWS),
        as_bytes(".csv", ROWS, separator=";"),
        as_bytes(".jsonl", ROWS),
        as_bytes(".json", ROWS),
        as_bytes(".parquet", ROWS),
        as_bytes(".txt", ROWS),
        spreadsheet([["text", "label"], ["good", "pos"], ["bad, or so", "neg"]]),
        COMPRESSORS[".gz"](as_bytes(".json", ROWS)),
        COMPRESSORS[".bz2"](as_bytes(".csv", ROWS)),
        b"\xef\xbb\xbf" + as_bytes(".jsonl", ROWS),
    ],
)
def test_standard_input_and_names_without_end_tell_by_their_content(tmp_path, stdin, content):
    stdin(content)
    table = read_table("-")
    assert (rows(table), table.name) == ([("good", "pos"), ("bad, or so", "neg")], "standard input")
    (tmp_path / "data").write_bytes(content)
    assert rows(read_table(tmp_path / "data")) == rows(table)


def test_standard_input_with_options_and_without_content(stdin, monkeypatch):
    stdin(b"pos\tgood\nneg\tbad\n")
    assert rows(read_table("-", text="2", label="1", header=False)) == [("good", "pos"), ("bad", "neg")]
    stdin(b"")
    assert fault("-") == "standard input: is empty; expected a table with a row for each text"
    monkeypatch.setattr(sys, "stdin", None)
    assert fault("-") == "standard input is closed; give a file, or send a table to it"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("kind", [".csv", ".jsonl", ".parquet"])
def test_a_pipe_is_read_once(tmp_path, kind):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(as_bytes(kind, ROWS),))
    writer.start()
    assert rows(read_table(path)) == [("good", "pos"), ("bad, or so", "neg")]
    writer.join()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("__label__a one\n", [("one", "a")]),
        ("__label__a\tone two\r\n", [("one two", "a")]),
        ("__label__a one\ntwo __label__b\n", [("one", "a"), ("two ", "b")]),
        ("__label__a one\n\nx__label__b two\n", [("one", "a")]),
        ("__label__ none\n__label__b  two\n", [(" two", "b")]),
    ],
)
@pytest.mark.parametrize("name", ["cooking.train", "cooking.txt", "cooking", "cooking.txt.gz"])
def test_labels_of_fasttext(tmp_path, content, expected, name):
    """Labels stand anywhere in a line, as fastText reads them, and the end of the name does not matter."""
    path = tmp_path / name
    path.write_bytes(COMPRESSORS[".gz"](content.encode()) if name.endswith(".gz") else content.encode())
    assert rows(read_table(path)) == expected


def test_a_text_file_that_is_not_of_fasttext(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("one\n__label__b two\n", encoding="utf-8")
    message = fault(path)
    assert message == (
        f"{path}, line 1: expected __label__ and a label first, as in fastText's format; a table is read by the end of "
        "its name: save it as .csv or .tsv"
    )


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".json.gz"])
def test_arrays_and_lines_of_json(tmp_path, suffix):
    path = tmp_path / f"data{suffix}"
    objects = [{"text": "a\u2028b", "label": 1}, {"text": "c", "label": None}, {"label": "y", "text": "d"}]
    for content in (json.dumps(objects, indent=2), "\n".join(map(json.dumps, objects))):
        path.write_bytes(COMPRESSORS[".gz"](content.encode()) if suffix.endswith(".gz") else content.encode())
        assert rows(read_table(path)) == [("a\u2028b", "1"), ("d", "y")]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("[1]", 'row 0 (the first is 0): expected an object such as {"text": "..."}, got int'),
        ('[{"text": "a", "label": "x"}, {"text": 2, "label": "x"}]', "row 1 (the first is 0), column 'text': expected"),
        ('[{"text": "a", "label": "x"}, {"text": "b"}]', "row 1 (the first is 0): no column 'label'; the columns are"),
        ('[{"text": "a"}', "not valid JSON: Expecting ',' delimiter: line 1 column 15"),
        ('[{"text": "a"}] x', "not valid JSON: Extra data"),
        ('{"text": ["a"], "label": ["x"]}', "line 1, column 'text': expected text, got list"),
        ('{\n"text": "a"\n}', "line 1: not valid JSON"),
        ("[]", "has a header but no rows"),
        ("[" * 100_000, "not valid JSON"),
    ],
)
def test_malformed_arrays(tmp_path, content, expected):
    (tmp_path / "data.json").write_text(content, encoding="utf-8")
    assert expected in fault(tmp_path / "data.json")


def test_which_names_are_tables():
    for name in ("a.csv", "A.TSV", "a.json", "a.jsonl.gz", "a.parquet", "a.xlsx", "a.xls", "a.zip", "a.b.csv.zst"):
        assert is_table(name), name
    for name in ("a.txt", "a.txt.gz", "a.md", "csv", "a text. csv", "", "a.gz"):
        assert not is_table(name), name


def test_the_table_knows_its_files(tmp_path):
    path = write_table(tmp_path / "a.csv", ROWS)
    told = {"text": "text", "label": "label", "encoding": "utf-8", "separator": "auto", "quoting": "auto"}
    assert read_table(path).source == {"files": str(path), **told, "header": True}
    assert read_table([path, path]).source == {"files": [str(path), str(path)], **told, "header": True}
    assert chainrule.Table.from_lists(["a"], ["b"]).source == {}
