"""Reading: every format gives the same table, and every fault is told where it is and what to do."""

import csv
import io
import re
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data import ReadReport, read_table
from chainrule.errors import DataError
from tests.data.files import write_table

TEXTS = [
    'plain, with "quotes"',
    "two\nlines\r\nand a\ttab",
    "naïve café 👩‍👩‍👧 日本語",
    "NA",
    "-1.50",
    "",
    "  ",
    "null",
]
LABELS = ["a, b", 'say "x"', "line\nbreak", "🎉", "1", "true", "é", "NA"]


def fault(path: Path, data: bytes | str | None = None, **arguments) -> str:
    if data is not None:
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    with pytest.raises(DataError) as caught:
        read_table(path, **arguments)
    return str(caught.value)


@pytest.mark.parametrize(
    "suffix",
    [
        ".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".xlsx", ".CSV", ".Parquet", ".csv.gz", ".TSV.BZ2",
        ".jsonl.xz", ".json.zst", ".parquet.gz", ".xlsx.gz",
    ],
)  # fmt: skip
def test_every_format_keeps_every_text_and_label(tmp_path, suffix):
    path = write_table(tmp_path / f"data{suffix.lower()}", {"id": list("12345678"), "text": TEXTS, "label": LABELS})
    path = path.rename(tmp_path / f"data_{suffix}")
    table = read_table(path)
    assert table.texts.to_list() == TEXTS
    assert table.labels.to_list() == LABELS
    assert table.report == ReadReport(rows=8, unlabelled=0, empty=2)
    assert table.name == str(path)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_unlabelled_rows_are_left_out_and_counted(tmp_path, suffix):
    columns = {"label": ["x", None, "  ", " y ", None], "text": ["a", "b", "c", None, ""]}
    table = read_table(write_table(tmp_path / f"data{suffix}", columns))
    assert table.texts.to_list() == ["a", ""]
    assert table.labels.to_list() == ["x", "y"]
    assert table.report == ReadReport(rows=5, unlabelled=3, empty=1)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_texts_alone(tmp_path, suffix):
    table = read_table(write_table(tmp_path / f"data{suffix}", {"text": ["a", "b"]}), label=None)
    assert table.labels is None
    assert table.texts.to_list() == ["a", "b"]
    assert table.label_names() == ()


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_a_text_of_ten_megabytes(tmp_path, suffix):
    texts = ["word " * 2_000_000, "short"]
    table = read_table(write_table(tmp_path / f"data{suffix}", {"text": texts, "label": ["a", "b"]}))
    assert table.texts.to_list() == texts


def test_the_field_limit_of_the_csv_module_is_put_back(tmp_path):
    before = csv.field_size_limit()
    read_table(write_table(tmp_path / "data.csv", {"text": ["a"], "label": ["b"]}))
    fault(tmp_path / "bad.csv", 'text,label\n"a')
    assert csv.field_size_limit() == before


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
@pytest.mark.parametrize(
    ("labels", "strings"),
    [([0, 1, 12], ["0", "1", "12"]), ([True, False, True], ["true", "false", "true"]), ([0.5, 2.0], ["0.5", "2.0"])],
)
def test_labels_of_other_types_become_strings(tmp_path, suffix, labels, strings):
    table = read_table(write_table(tmp_path / f"data{suffix}", {"text": ["t"] * len(labels), "label": labels}))
    assert table.labels.to_list() == strings


def test_parquet_labels_of_dates_categories_and_missing_floats(tmp_path):
    labels = {"date": [date(2020, 1, 2), None], "category": pl.Series(["a", "b"], dtype=pl.Enum(["a", "b"]))}
    labels["float"] = [1.5, float("nan")]
    path = tmp_path / "data.parquet"
    pl.DataFrame({"text": pl.Series(["s", "t"], dtype=pl.Categorical), **labels}).write_parquet(path)
    assert read_table(path, label="date").labels.to_list() == ["2020-01-02"]
    assert read_table(path, label="category").labels.to_list() == ["a", "b"]
    assert read_table(path, label="float").report.unlabelled == 1


def test_a_path_with_glob_characters_is_one_file(tmp_path):
    path = write_table(tmp_path / "data[1]*.parquet", {"text": ["a"], "label": ["b"]})
    assert read_table(path).texts.to_list() == ["a"]


def test_columns_by_other_names_and_in_any_order(tmp_path):
    path = write_table(tmp_path / "data.csv", {"stars": ["5"], "x": ["-"], "review": ["good"]})
    table = read_table(path, text="review", label="stars")
    assert (table.texts.to_list(), table.labels.to_list()) == (["good"], ["5"])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252"])
@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_encodings(tmp_path, encoding, suffix):
    path = write_table(tmp_path / f"data{suffix}", {"text": ["café\nnoir"], "label": ["é"]})
    path.write_bytes(path.read_bytes().decode().encode(encoding))
    told = "utf-8" if encoding == "utf-8-sig" else encoding  # a byte order mark does not disturb UTF-8
    table = read_table(path, encoding=told)
    assert (table.texts.to_list(), table.labels.to_list()) == (["café\nnoir"], ["é"])


def test_utf_16_le_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes("\ufefftext,label\na,b\n".encode("utf-16-le"))
    assert read_table(path, encoding="utf-16-le").texts.to_list() == ["a"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_blank_lines_and_bare_quotes(tmp_path, end):
    path = tmp_path / "data.csv"
    path.write_bytes(end.join(["", "text,label", '5" pipe,A', "", '"q"",\n",B', end]).encode())
    assert read_table(path).texts.to_list() == ['5" pipe', 'q",\n']


@given(st.text(st.sampled_from('ab",\n\r é'), max_size=30))
def test_csv_is_read_by_the_letter_or_refused(tmp_path_factory, body):
    path = tmp_path_factory.getbasetemp() / "soup.csv"
    path.write_bytes(b"text,label\n" + body.encode())
    try:
        rows = [row for row in csv.reader(io.StringIO(body, newline=""), strict=True) if row]
        expected = [(text, label.strip()) for text, label in rows if label.strip()]
    except (csv.Error, ValueError):
        expected = []
    if expected:
        table = read_table(path)
        assert list(zip(table.texts.to_list(), table.labels.to_list(), strict=True)) == expected
    else:
        with pytest.raises(DataError):
            read_table(path)


def test_missing_file_directory_and_unknown_kind(tmp_path):
    assert f"no such file (looked in {tmp_path})" in fault(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "is a directory; name a file inside it" in fault(tmp_path / "folder.csv")
    assert "is a directory; name a file inside it" in fault(tmp_path)
    message = fault(tmp_path / "data.feather", "x")
    assert "unknown kind of file '.feather'; expected one of .csv, .tsv, .jsonl, .ndjson, .json, .parquet" in message
    assert "any of them also compressed (.gz, .bz2, .xz, .zst)" in message
    assert "is another spreadsheet; save it as .xlsx or .csv" in fault(tmp_path / "data.ods", "x")
    assert "is an archive; unpack it, and give the table inside it" in fault(tmp_path / "data.tar.gz", "x")


def test_a_file_that_cannot_be_opened(tmp_path, monkeypatch):
    def refuse(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert "cannot be read: Permission denied" in fault(write_table(tmp_path / "data.csv", {"text": ["a"]}))


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
@pytest.mark.parametrize("data", [b"", b"\n \r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_empty_file(tmp_path, suffix, data):
    assert "is empty; expected a table with a row for each text" in fault(tmp_path / f"data{suffix}", data)


def test_header_alone(tmp_path):
    assert "has a header but no rows" in fault(tmp_path / "data.csv", "text,label\n\n")
    path = write_table(tmp_path / "data.parquet", {"text": [], "label": []})
    assert "has a header but no rows" in fault(path.with_suffix(".tsv"), "text\tlabel")
    pl.DataFrame(schema={"text": pl.String, "label": pl.String}).write_parquet(path)
    assert "has a header but no rows" in fault(path)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_wrong_columns(tmp_path, suffix):
    path = write_table(tmp_path / f"data{suffix}", {"review": ["a"], "stars": ["b"]})
    expected = "no column 'text'; the columns are 'review', 'stars'. Name the one that holds the texts with --text NAME"
    assert expected in fault(path)
    expected = "no column 'label'; the columns are 'review', 'stars'. Name the one that holds the labels with --label"
    assert expected in fault(path, text="review")


def test_a_column_name_that_comes_twice(tmp_path):
    assert "more than one column 'text'" in fault(tmp_path / "data.csv", "text,text,label\na,b,c\n")


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_no_labelled_row(tmp_path, suffix):
    path = write_table(tmp_path / f"data{suffix}", {"text": ["a", "b"], "label": [" ", None]})
    assert "none of the 2 rows has a label in column 'label'; name another with --label NAME" in fault(path)


def test_wrongly_encoded_files(tmp_path):
    path = tmp_path / "data.csv"
    assert "It looks like UTF-16: --encoding utf-16" in fault(path, "text,label\na,b\n".encode("utf-16"))
    assert "It looks like UTF-16: --encoding utf-16-le" in fault(path, "text,label\na,b\n".encode("utf-16-le"))
    assert "It looks like UTF-16: --encoding utf-16-be" in fault(path, "text,label\na,b\n".encode("utf-16-be"))
    message = fault(path, b"text,label\n\ncaf\xe9,b\n")
    assert "byte 0xE9 at offset 15 (line 3) is not valid utf-8" in message
    assert "--encoding latin-1" in message
    assert "byte 0xE9 at offset 3 (line 1) is not valid ascii" in fault(path, b"caf\xe9", encoding="ascii")
    assert "--encoding utf-8" in fault(path, b"caf\xe9", encoding="ascii")


@pytest.mark.parametrize(
    "encoding",
    [
        "utf-9",
        "rot13",
        "hex",
        "",
        "a\0b",
        "undefined",
        "punycode",
        "idna",
        "\udcff",
        "unicode_escape",
        "raw-unicode-escape",
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".json", ".txt"])
def test_encodings_that_are_none(tmp_path, encoding, suffix):
    message = fault(tmp_path / f"data{suffix}", "text,label\na,b\n", encoding=encoding)
    assert message == (
        f"unknown encoding {encoding!r}; expected a name such as utf-8, utf-16, latin-1 or cp1252: --encoding NAME"
    )


def test_utf_7(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes("text,label\ncafé,b\n".encode("utf-7"))
    assert read_table(path, encoding="utf-7").texts.to_list() == ["café"]
    assert "is not valid utf-7" in fault(path, b"text,label\n+AGE\xff,b\n", encoding="utf-7")
    assert "is not valid utf-7" in fault(path, b"text,label\na,+2", encoding="utf-7")
    message = fault(path, b"text,label\n+2AA-,b\n", encoding="utf-7")
    assert "half of a surrogate pair, which is no character, at character 11" in message


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".json", ".txt", ".parquet", ".xlsx", ".csv.gz"])
def test_control_characters_are_kept_in_texts(tmp_path, suffix):
    """NUL, escape, vertical tab and their kin are characters of texts, of which no reader makes lines."""
    texts = ["a\0b", "\x1b[1mbold\x07", "\x0b\x0c\x1c\x85\u2028\x7f", "plain words of some length, to be a text"]
    if suffix == ".xlsx":  # XML has no control characters
        texts = ["\x85\u2028", "plain"]
    path = write_table(tmp_path / f"data{suffix}", {"text": texts, "label": ["x"] * len(texts)})
    assert read_table(path).texts.to_list() == texts


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "is a PNG image; expected text"),
        (b"PK\x03\x04rest", "is a zip archive, as .xlsx and .docx files are; expected text"),
        (b"\x7fELF" + bytes(100), "is a program; expected text"),
        (bytes(1000), "holds control characters more than text; expected text. Is it a binary file?"),
        (bytes(range(256)) * 9, "byte 0x80 at offset 128 (line 2) is not valid utf-8: invalid start byte. Is it a bin"),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".txt"])
def test_binary_files(tmp_path, data, expected, suffix):
    assert expected in fault(tmp_path / f"data{suffix}", data)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("a,x\nb,y,z\n", "line 3 (row 2): expected 2 fields, got 3. Put a field that holds ','"),
        ("a,x\nb\nc,z\n", "line 3 (row 2): expected 2 fields, got 1"),
        ('"a\n\nb",x\n\nc,y,\n', "line 6 (row 2): expected 2 fields, got 3"),
        (' "a,b",x\n', "line 2 (row 1): expected 2 fields, got 3"),
        ('"a\nb",x\n"c,y\nd,z\n', "line 4 (row 2): a double quote opens a field and nothing closes it"),
        ('a,x\n"b" c,y\n', "line 3 (row 2): a quoted field goes on after its closing quote"),
    ],
)
def test_malformed_csv(tmp_path, body, expected):
    message = fault(tmp_path / "data.csv", f"text,label\n{body}")
    assert expected in message
    assert "double quote" in message


def test_malformed_tsv(tmp_path):
    message = fault(tmp_path / "data.tsv", "text\tlabel\na\tb\tc\n")
    assert "line 2 (row 1): expected 2 fields, got 3. Put a field that holds '\\t'" in message


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"text": "b", "label": ', "line 3: not valid JSON: Expecting value"),
        ("[" * 100_000, "line 3: not valid JSON"),
        ('["b", "y"]', 'line 3: expected an object such as {"text": "..."}, got list'),
        ('{"text": "b", "tag": 1}', "line 3: no column 'label'; the columns are 'text', 'tag'"),
        ("{}", "line 3: no column 'text'; the columns are none"),
        ('{"text": ["b"], "label": "y"}', "line 3, column 'text': expected text, got list: [\"b\"]"),
        ('{"text": 5, "label": "y"}', "line 3, column 'text': expected text, got int: 5"),
        ('{"text": "b", "label": {"y": 1}}', "line 3, column 'label': expected text, a number or a boolean, got dict"),
        ('{"text": "b\\ud800", "label": "y"}', "line 3, column 'text': half of a surrogate pair"),
    ],
)
def test_malformed_json_lines(tmp_path, line, expected):
    assert expected in fault(tmp_path / "data.jsonl", f'{{"text": "a", "label": "x"}}\n\n{line}\n')


def test_json_lines_end_at_line_feeds_only(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text('{"text": "a\u2028b\x85\\u0000", "label": "x"}\r\n', encoding="utf-8", newline="")
    assert read_table(path).texts.to_list() == ["a\u2028b\x85\0"]


@pytest.mark.parametrize("keep", [0, 3, 50, -1])
def test_truncated_parquet(tmp_path, keep):
    path = write_table(tmp_path / "data.parquet", {"text": ["a"] * 100, "label": ["b"] * 100})
    assert "not a whole Parquet file" in fault(path, path.read_bytes()[:keep])


def test_damaged_parquet_never_passes_unnoticed(tmp_path):
    path = write_table(tmp_path / "data.parquet", {"text": ["a"] * 100, "label": ["b"] * 100})
    whole = path.read_bytes()
    assert "not a whole Parquet file" in fault(path, whole[: len(whole) // 2] + whole[-8:])


@pytest.mark.parametrize("values", [[["a"], ["b"]], [1, 2], [b"a", b"b"], [{"x": 1}, {"x": 2}]])
def test_a_column_that_is_not_text(tmp_path, values):
    path = write_table(tmp_path / "data.parquet", {"text": values, "label": ["x", "y"]})
    assert re.search(r"column 'text' holds .+; expected text. Name another with --text NAME", fault(path))


def test_a_label_column_of_lists(tmp_path):
    path = write_table(tmp_path / "data.parquet", {"text": ["a"], "label": [["x"]]})
    assert "column 'label' holds List(String); expected text. Name another with --label NAME" in fault(path)
