"""Reading records."""

import pytest

from chainrule.errors import DataError
from chainrule.report import read_record

LINES = '{"kind": "run", "seed": 0}\n{"kind": "epoch", "epoch": 1}\n'
READ = [{"kind": "run", "seed": 0}, {"kind": "epoch", "epoch": 1}]


def write(tmp_path, data):
    path = tmp_path / "record.jsonl"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@pytest.mark.parametrize("text", [LINES, LINES.rstrip("\n"), LINES + "\n", LINES.replace("\n", "\r\n")])
def test_whole_lines(tmp_path, text):
    assert read_record(write(tmp_path, text)) == READ
    assert read_record(str(write(tmp_path, text))) == READ


def test_no_lines(tmp_path):
    assert read_record(write(tmp_path, "")) == []


def test_a_torn_last_line_is_left_out(tmp_path):
    """Wherever it was cut, also inside a character."""
    line = '{"kind": "end", "reason": "é 🎉"}'.encode()
    for length in range(1, len(line)):
        assert read_record(write(tmp_path, LINES.encode() + line[:length])) == READ
    assert read_record(write(tmp_path, LINES.encode() + line)) == [*READ, {"kind": "end", "reason": "é 🎉"}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"kind": "ru\n{"kind": "epoch"}\n', "record.jsonl, line 1: is not JSON"),
        (LINES + "text\n", "record.jsonl, line 3: is not JSON"),
        ("[1]\n" + LINES, r"record.jsonl, line 1: expected a JSON object, got \[1\]"),
        ("null\n" + LINES, "record.jsonl, line 1: expected a JSON object, got null"),
        (b"\xff\n" + LINES.encode(), "record.jsonl, line 1: is not JSON"),
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "record.jsonl, line 1: is not JSON"),
    ],
)
def test_what_is_no_record(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_record(write(tmp_path, text))


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"missing.jsonl: cannot be read: No such file or directory"):
        read_record(tmp_path / "missing.jsonl")
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        read_record(tmp_path)
