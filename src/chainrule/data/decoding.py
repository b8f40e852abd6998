"""Text files: from bytes in any encoding to UTF-8, or where the fault is.

Control characters, NUL among them, may stand in a text; a file that holds little else is no text.
"""

from __future__ import annotations

import codecs
import re

from chainrule.errors import DataError

#: Codecs of Python that are no encodings of files: they read escapes and names of hosts.
NO_ENCODINGS = {"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape"}

#: What files that are no text begin with.
BINARY_MARKS = {
    b"PK\x03\x04": "a zip archive, as .xlsx and .docx files are",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word file",
    b"PAR1": "a Parquet file",
    b"%PDF-": "a PDF file",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"\x7fELF": "a program",
    b"SQLite format 3\x00": "an SQLite database",
}

#: The part of a file that tells whether it is text, and control characters that no line of a text has to hold.
HEAD = 1 << 16
CONTROLS = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")

#: The share of control characters above which a file is not text, and that of one that could not be decoded either.
MOST_CONTROLS, MOST_UNDECODED = 0.3, 0.05


def require_encoding(encoding: str) -> None:
    """Refuse what is no encoding of text files.

    Raises:
        DataError: naming it and some that there are.
    """
    try:
        known = codecs.lookup(encoding).name.replace("-", "_") not in NO_ENCODINGS
        "a".encode(encoding)  # refuses codecs that are not of text, such as zlib
    except (LookupError, ValueError):
        known = False
    if not known:
        raise DataError(
            f"unknown encoding {encoding[:80]!r}; expected a name such as utf-8, utf-16, latin-1 or cp1252: "
            "--encoding NAME"
        )


def as_utf_8(data: bytes, encoding: str, name: str) -> bytes:
    """The content of a text file as UTF-8 without byte order mark.

    Args:
        data: as it is stored.
        encoding: Python's name for how it is encoded.
        name: of the file, for messages.

    Raises:
        DataError: for bytes that are not text in the encoding, with their place, and for a file that is no text.
    """
    require_encoding(encoding)
    for mark, kind in BINARY_MARKS.items():
        if data.startswith(mark):
            raise DataError(f"{name}: is {kind}; expected text. Give its rows as .csv, .jsonl, .xlsx or .parquet")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: {_place(error, data, encoding)}. {advice(data, encoding)}") from error
    except ValueError as error:
        raise DataError(f"{name}: is not valid {encoding}: {error}. {advice(data, encoding)}") from error
    head = text[:HEAD]
    if len(CONTROLS.findall(head)) > MOST_CONTROLS * len(head):
        raise DataError(f"{name}: holds control characters more than text; expected text. {advice(data, encoding)}")
    if not re.search("[^\ufeff \t\r\n]", text):
        raise DataError(f"{name}: is empty; expected a table with a row for each text")
    if codecs.lookup(encoding).name in {"utf-8", "utf-8-sig"}:
        return data.removeprefix(codecs.BOM_UTF8)
    try:
        return text.removeprefix("\ufeff").encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{name}: in {encoding} it holds half of a surrogate pair, which is no character, at character "
            f"{error.start}. {advice(data, encoding)}"
        ) from error


def _place(error: UnicodeDecodeError, data: bytes, encoding: str) -> str:
    line = data.count(b"\n", 0, error.start) + 1
    shown = f"byte 0x{data[error.start]:02X}" if error.start < len(data) else "the end"
    return f"{shown} at offset {error.start} (line {line}) is not valid {encoding}: {error.reason}"


def advice(data: bytes, encoding: str) -> str:
    """What bytes may be that are no text in an encoding, and what to do."""
    if utf_16 := _looks_like_utf_16(data):
        return f"It looks like UTF-16: --encoding {utf_16}"
    head = data[:HEAD].decode("latin-1")
    if len(CONTROLS.findall(head)) > MOST_UNDECODED * len(head):
        return "Is it a binary file?"
    other = "utf-8" if codecs.lookup(encoding).name != "utf-8" else "latin-1"
    return f"If it is in another encoding, name it: --encoding {other}"


def _looks_like_utf_16(data: bytes) -> str | None:
    """The encoding that a byte order mark, or zeros in every second byte, speak for."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    even, odd = data[:HEAD:2], data[1:HEAD:2]
    if odd.count(0) > 0.7 * len(odd) > 7 * even.count(0):
        return "utf-16-le"
    if even.count(0) > 0.7 * len(even) > 7 * odd.count(0):
        return "utf-16-be"
    return None
