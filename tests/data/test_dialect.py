"""How rows are written: quotes that are letters, separators, files without header; and what the messages say to do."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data import read_table
from chainrule.errors import ConfigurationError, DataError

RAW = 'label\ttext\npos\t"Great start of a film\npos\tlovely fun\nneg\tdull and slow\nneg\tawful, the end"\n'
ROWS = [
    ('"Great start of a film', "pos"), ("lovely fun", "pos"), ("dull and slow", "neg"), ('awful, the end"', "neg"),
]  # fmt: skip


def read(path, content, **options):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    table = read_table(path, **options)
    return list(zip(table.texts.to_list(), table.labels.to_list(), strict=True))


def fault(path, content, kind=DataError, **options):
    with pytest.raises(kind) as caught:
        read(path, content, **options)
    return str(caught.value)


def test_a_raw_file_of_tabs_has_a_row_a_line(tmp_path):
    """As CSV, the two quotes make one row of four."""
    path = tmp_path / "raw.tsv"
    assert read(path, RAW) == ROWS
    assert read(path, RAW, quoting="none") == ROWS
    assert read(path, RAW, quoting="csv") == [
        ("Great start of a film\npos\tlovely fun\nneg\tdull and slow\nneg\tawful, the end", "pos")
    ]
    assert read(path, RAW.replace("\t", "|")) == ROWS


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        ('"a"\tx\n', [("a", "x")]),
        ('"say ""a"""\tx\n', [('say "a"', "x")]),
        ('"two\nlines"\tx\nb\ty\n', [("two\nlines", "x"), ("b", "y")]),
        ('"a tab\tin it"\tx\nb\ty\n', [("a tab\tin it", "x"), ("b", "y")]),
        ('"a" b\tx\nc\ty\n', [('"a" b', "x"), ("c", "y")]),
        ('"never closed\tx\nc\ty\n', [('"never closed', "x"), ("c", "y")]),
        ('5" pipe\tx\n', [('5" pipe', "x")]),
        ('"open\tx\n\nclose"\ty\n', [('"open', "x"), ('close"', "y")]),
    ],
)
def test_the_rows_tell_what_a_quote_is(tmp_path, body, rows):
    assert read(tmp_path / "data.tsv", f"text\tlabel\n{body}") == rows


def test_in_files_of_commas_a_quote_quotes_unless_told(tmp_path):
    content = RAW.replace(",", "").replace("\t", ",")
    assert len(read(tmp_path / "data.csv", content)) == 1
    assert read(tmp_path / "data.csv", content, quoting="none")[0] == ROWS[0]


def test_one_column_is_no_evidence(tmp_path):
    path = tmp_path / "texts.tsv"
    path.write_text('text\n"two\nlines"\n', encoding="utf-8")
    assert read_table(path, label=None).texts.to_list() == ["two\nlines"]
    assert read_table(path, label=None, quoting="none").texts.to_list() == ['"two', 'lines"']
    path.write_text('text\n"two\nlines\n', encoding="utf-8")
    assert read_table(path, label=None).texts.to_list() == ['"two', "lines"]


@given(st.lists(st.tuples(st.text('ab",é ', min_size=1), st.sampled_from("xy")), min_size=1), st.sampled_from("\t|"))
def test_raw_rows_are_read_or_are_csv(tmp_path_factory, rows, separator):
    """A raw file has a row a line, with each quote in it, unless all of its quotes are CSV's within their lines."""
    path = tmp_path_factory.getbasetemp() / "raw.tsv"
    content = "".join(f"{text}{separator}{label}\n" for text, label in [("text", "label"), *rows])
    try:
        lines = list(csv.reader(io.StringIO(content, newline=""), delimiter=separator, strict=True))[1:]
    except csv.Error:
        lines = []
    by_csv = len(lines) == len(rows) and all(len(line) == 2 for line in lines)
    assert read(path, content) == ([(text, label) for text, label in lines] if by_csv else rows)


@pytest.mark.parametrize("separator", [",", "\t", ";", "|"])
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ""])
def test_the_header_tells_the_separator(tmp_path, separator, suffix):
    content = separator.join(["id", "label", "text"]) + "\n" + separator.join(["1", "x", '"a, b; c | d\te"']) + "\n"
    assert read(tmp_path / f"data{suffix}", content) == [("a, b; c | d\te", "x")]


def test_the_header_that_has_the_columns_wins(tmp_path):
    content = "a,b,c;text;label\n1,2,3;so;x\n"
    assert read(tmp_path / "data.csv", content) == [("so", "x")]
    content = "first;second,text,label\n1;2,so,x\n"
    assert read(tmp_path / "data.tsv", content) == [("so", "x")]


@pytest.mark.parametrize("line", ["sep=;\n", "sep=;\r\n", '"sep=;"\r\n'])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_line_of_excel(tmp_path, line, encoding):
    content = (line + "text;label\na,b;x\n").encode(encoding)
    assert read(tmp_path / "data.csv", content, encoding=encoding) == [("a,b", "x")]
    message = fault(tmp_path / "data.csv", line + "text;label\na;x\nb\n")
    assert "line 4 (row 2): expected 2 fields, got 1" in message


def test_a_separator_that_is_given(tmp_path):
    path = tmp_path / "data.csv"
    assert read(path, "text^label\na,b^x\n", separator="^") == [("a,b", "x")]
    assert read(path, "sep=;\ntext|label\na;b|x\n", separator="pipe") == [("a;b", "x")]
    assert read(tmp_path / "data.dat", "text\tlabel\na,b\tx\n", separator="tab") == [("a,b", "x")]
    assert read(tmp_path / "data.txt", "text\tlabel\na,b\tx\n", separator="\\t") == [("a,b", "x")]
    assert "no column 'text'; the columns are 'text;label'" in fault(path, "text;label\na;b\n", separator="comma")


@pytest.mark.parametrize("separator", ["", "::", '"', "\n", "komma"])
def test_separators_that_are_none(tmp_path, separator):
    message = fault(tmp_path / "data.csv", "text,label\na,b\n", ConfigurationError, separator=separator)
    assert message.startswith("--separator: expected auto, comma, tab, semicolon, pipe or one character between the")
    assert message.endswith(f"got {separator!r}; what stands between several labels of a row is --label-separator")
    message = fault(tmp_path / "data.csv", "text,label\na,b\n", ConfigurationError, quoting="raw")
    assert message == "--quoting: expected auto, csv, none, got 'raw'"


@pytest.mark.parametrize("separator", [",", "\t", ";", "|"])
def test_without_header_columns_have_numbers(tmp_path, separator):
    content = f"x{separator}one{separator}1\n\ny{separator}two{separator}2\n"
    rows = read(tmp_path / "data.csv", content, text="2", label="1", header=False)
    assert rows == [("one", "x"), ("two", "y")]
    table = read_table(tmp_path / "data.csv", numbers="auto", label="1", header=False)
    assert table.columns.to_dict(as_series=False) == {"3": [1, 2]}


def test_messages_name_the_option(tmp_path):
    path = tmp_path / "data.csv"
    message = fault(path, "good,pos\nbad,neg\n")
    assert (
        "no column 'text'; the columns are 'good', 'pos'. Name the one that holds the texts with --text NAME. "
        in message
    )
    assert "If the first line is a row already, add --no-header, and name columns by their numbers" in message
    message = fault(path, "good,pos\nbad,neg\n", header=False)
    assert "no column 'text'; the columns are '1', '2'" in message
    assert "Without a header, columns are named by their numbers, 1 to 2" in message
    assert "and what is between fields with --separator (here ',')" in fault(path, "text/label\na/b\n")
    assert "or name what is between fields with --separator" in fault(path, "text,label\na,b,c\n")
    assert "where double quotes are letters, add --quoting none" in fault(path, 'text,label\n"a,b\n')
    assert "where double quotes are letters, add --quoting none" in fault(path, 'text,label\n"a"b,c\n')
    message = fault(path, 'text,label\n"a,b",c\n', quoting="none")
    assert "line 2 (row 1): expected 2 fields, got 3. A field cannot hold ',' where double quotes are" in message


@pytest.mark.parametrize(("suffix", "content"), [(".jsonl", '{"1": "a"}'), (".parquet", "x"), (".txt", "__label__a b")])
def test_files_that_have_no_header(tmp_path, suffix, content):
    message = fault(tmp_path / f"data{suffix}", content, header=False)
    assert message.endswith("--no-header is for rows of fields (.csv, .tsv, .xlsx); leave it out")


def test_a_message_lists_no_more_than_it_should(tmp_path):
    header = ",".join(["a" * 1000, *(f"c{i}" for i in range(100))])
    message = fault(tmp_path / "data.csv", f"{header}\n")
    assert " and 71 more. Name" in message
    assert "a" * 100 not in message
    assert len(message) < 1000
