"""Plain text files: each is one text, as it stands there."""

import gzip
import io
import sys

import pytest

from chainrule.data.plain import is_plain, read_plain
from chainrule.errors import DataError


def test_files_are_texts(tmp_path):
    (tmp_path / "b.txt").write_bytes("\ufeffOne\r\ntwo\n".encode())
    (tmp_path / "a.txt").write_bytes("  drei ü\t\n\n".encode("latin-1"))
    assert read_plain(tmp_path / "b.txt").texts.to_list() == ["One\ntwo\n"]
    table = read_plain(str(tmp_path / "*.txt"), encoding="latin-1")
    assert table.texts.to_list()[0] == "  drei ü\t\n\n"
    assert len(table) == 2
    assert table.source == {"files": str(tmp_path / "*.txt"), "encoding": "latin-1"}
    with gzip.open(tmp_path / "c.txt.gz", "wb") as stream:
        stream.write(b"packed")
    assert read_plain([tmp_path / "c.txt.gz", tmp_path / "b.txt"]).texts.to_list() == ["packed", "One\ntwo\n"]


def test_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"[a text]\n")))
    assert read_plain("-").texts.to_list() == ["[a text]\n"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"%PDF-1.4", "is a PDF file"),
        (b"caf\xe9", "byte 0xE9 at offset 3 .line 1. is not valid utf-8"),
    ],
)
def test_files_that_are_no_text(tmp_path, content, message):
    (tmp_path / "book.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_plain(tmp_path / "book.txt")


def test_which_files_are_plain(tmp_path):
    (tmp_path / "labels.txt").write_text("__label__a text\n")
    (tmp_path / "book.md").write_text("# Text\n")
    (tmp_path / "rows.csv").write_text("text\na\n")
    assert [is_plain(str(tmp_path / x)) for x in ("labels.txt", "book.md", "rows.csv")] == [False, True, False]
    assert not is_plain("dataset:books")
    with pytest.raises(DataError, match="no such file"):
        is_plain(str(tmp_path / "none.txt"))
