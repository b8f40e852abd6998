"""Spreadsheets: cells as a table shows them, the first sheet, and what is refused."""

import builtins
import io
import zipfile

import pytest

from chainrule.data import read_table
from chainrule.errors import ConfigurationError, DataError
from tests.data.files import spreadsheet


def read(path, *sheets, **options):
    path.write_bytes(sheets[0] if isinstance(sheets[0], bytes) else spreadsheet(*sheets))
    return read_table(path, **options)


def fault(path, *sheets, kind=DataError, **options):
    with pytest.raises(kind) as caught:
        read(path, *sheets, **options)
    return str(caught.value)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "book.xlsx"


def test_cells(path):
    rows = [["n", "text", "label"], [1, "é <&>\n", True], [1.5, 7, False], [], [None, None, 3], [2, "d", None]]
    table = read(path, rows)
    assert table.texts.to_list() == ["é <&>\n", "7", ""]
    assert table.labels.to_list() == ["true", "false", "3"]
    assert (table.report.rows, table.report.unlabelled, table.report.empty) == (4, 1, 1)
    numbers = read(path, rows, numbers="auto", label="label")
    assert numbers.columns["n"].to_list() == [1, 1.5, None]


def test_the_first_sheet_and_no_header(path):
    assert read(path, [["text", "label"], ["a", "b"]], [["x"]]).texts.to_list() == ["a"]
    message = fault(path, [["x"]], [["text", "label"], ["a", "b"]])
    assert message.startswith(f"{path}, sheet 'sheet1', the first of 2: no column 'text'; the columns are 'x'. Name")
    assert message.endswith("If the first row has no names, add --no-header, and name columns by their numbers")
    assert read(path, [["a", "b"], ["c", "d"]], header=False, text="2", label="1").texts.to_list() == ["b", "d"]
    message = fault(path, [["a", "b"]], header=False)
    assert message.endswith("Without a header, columns are named by their numbers, 1 to 2")


def test_what_is_no_table(path):
    assert fault(path, []) == f"{path}: the sheet 'sheet1' is empty; expected a table with a row for each text"
    assert "has a header but no rows" in fault(path, [["text", "label"]])
    assert "more than one column 'text'" in fault(path, [["text", "text", "label"], ["a", "b", "c"]])
    for content in (b"text,label\na,b\n", b"", spreadsheet([["text"]])[:200]):
        message = fault(path, content)
        assert message.startswith(f"{path}: cannot be read ('text', 'label'): ")
        assert message.endswith("Write or copy it again")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.txt", "no spreadsheet")
    assert "cannot be read ('text', 'label'): " in fault(path, stream.getvalue())


def test_the_library_is_an_extra(path, monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **settings):
        if name == "python_calamine":
            raise ImportError(name)
        return real(name, *arguments, **settings)

    monkeypatch.setattr(builtins, "__import__", without)
    message = fault(path, [["text", "label"], ["a", "b"]], kind=ConfigurationError)
    assert message == (
        f"{path}: reading .xlsx files needs a library: pip install 'chainrule[xlsx]'; or save it as .csv"
    )
