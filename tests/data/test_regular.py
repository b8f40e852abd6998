"""Regular files of fields: Polars reads what Python's csv reads, or leaves it to it."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.data import read_table
from chainrule.data.delimited import _File, _read_regular, _read_strictly
from chainrule.data.regular import Regular
from chainrule.errors import DataError

PIECES = st.sampled_from([*"\",;|\t\n\r a1é日\0#'\\=\ufeff\x1c\u2028\x85", '""', "\r\n", "NA", "null"])
CELLS = st.lists(PIECES, max_size=4).map("".join)


@st.composite
def files(draw):
    """What a CSV writer wrote, with a character too many now and then, or characters in any order."""
    separator = draw(st.sampled_from(",;\t|"))
    if draw(st.booleans()):
        text = "".join(draw(st.lists(PIECES | st.sampled_from([separator, "\n"]), min_size=1, max_size=25)))
    else:
        width = draw(st.integers(1, 3))
        rows = draw(st.lists(st.lists(CELLS, min_size=width, max_size=width), max_size=6))
        stream = io.StringIO()
        quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
        end = draw(st.sampled_from(["\n", "\r\n"]))
        writer = csv.writer(stream, delimiter=separator, lineterminator=end, quoting=quoting)
        writer.writerows([[f"column{i}" for i in range(width)], *rows])
        text = stream.getvalue()
        if draw(st.integers(0, 3)) == 0:
            place = draw(st.integers(0, len(text)))
            text = text[:place] + draw(PIECES) + text[place:]
    return _File("file", text.encode(), separator, draw(st.booleans()), 0)


def outcome(read, file, *, quoted):
    try:
        rows = read(file, [], everything=True, quoted=quoted)
    except DataError as error:
        return str(error)
    return None if rows is None else (rows.frame.schema, rows.frame.rows(), rows.fields, rows.over_lines)


@settings(deadline=None, max_examples=200)
@given(files(), st.booleans())
def test_what_is_read_is_what_csv_reads(file, quoted):
    found = outcome(_read_regular, file, quoted=quoted)
    assert found is None or found == outcome(_read_strictly, file, quoted=quoted)


@pytest.mark.parametrize(
    "content",
    [
        "text,label\ngood,p\nbad,n\n",
        'text,label\r\n"good, really",p\r\n"two\r\nlines",n',
        'text,label\n"",p\n"say ""x""",n\n,p\n"""",n\n',
        'text,label\n"a return\ralone\r",p\r\n"\r\n",n\n',
    ],
)
def test_regular_files(content):
    regular = Regular.of(content.encode(), ",", quoted=True)
    expected = list(csv.reader(io.StringIO(content, newline="")))
    assert regular is not None
    assert (regular.rows, regular.width) == (len(expected), 2)
    frame = regular.columns({"text": 0, "label": 1}, header=True)
    assert [list(row) for row in frame.rows()] == expected[1:]


@pytest.mark.parametrize(
    "content",
    [
        "text,label\ngood\n",
        "text,label\n\ngood,p\n",
        'text,label\n"a"b,p\n',
        'text,label\n"a,p\n',
        'a"b,p\n',
        "a,b\rc,d",
        'a,b\n"c",d\re,f\n',
    ],
)
def test_others(content):
    assert Regular.of(content.encode(), ",", quoted=True) is None


@pytest.mark.parametrize("rows", [1, 50_000])
def test_many_rows_and_the_line_of_a_fault(tmp_path, rows):
    """Fields that go on over lines, wherever threads divide the file; and one row that is short after all of them."""
    texts = [f'line {row}\nwith "quotes", and more' * (1 + row % 3) for row in range(rows)]
    path = tmp_path / "rows.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerows([["text", "label"], *([text, str(row % 7)] for row, text in enumerate(texts))])
    assert read_table(path).texts.to_list() == texts
    lines = path.read_bytes().count(b"\n")
    with path.open("a", encoding="utf-8") as stream:
        stream.write("short\n")
    message = rf"line {lines + 1} \(row {rows + 1}\): expected 2 fields, got 1"
    with pytest.raises(DataError, match=message):
        read_table(path)
