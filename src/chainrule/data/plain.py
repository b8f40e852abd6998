"""Plain text: a file is one text, as it stands there."""

from __future__ import annotations

from dataclasses import replace

from chainrule.data.datasets import PREFIX
from chainrule.data.decoding import as_utf_8
from chainrule.data.formats import is_fasttext, is_table
from chainrule.data.sources import STANDARD_INPUT, Places, listed, sources_of
from chainrule.data.table import Table


def is_plain(place: str) -> bool:
    """Whether a place is read as plain text where texts alone are wanted: no table by its name, nor fastText's format.

    Example:
        >>> is_plain("book.csv"), is_plain("-")
        (False, True)
    """
    if place.startswith(PREFIX) or is_table(place):
        return False
    if place == STANDARD_INPUT:
        return True
    return not any(is_table(source.name) or is_fasttext(source.name) for source in sources_of(place))


def read_plain(path: Places, *, encoding: str = "utf-8") -> Table:
    r"""Read text files, each of them as one text; line ends of Windows become those of all others.

    Args:
        path: a file, a pattern, several of these, or `-` for standard input; also compressed.
        encoding: Python's name for how they are encoded; a byte order mark is skipped.

    Raises:
        DataError: for a file that cannot be read, or that is empty, binary, or in another encoding.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "book.txt")
        ...     _ = path.write_text("Call me\nIshmael.\n")
        ...     table = read_plain(path)
        >>> table.texts.to_list()
        ['Call me\nIshmael.\n']
    """
    places = listed(path)
    sources = [source for place in places for source in sources_of(place)]
    contents = [as_utf_8(source.content, encoding, source.name).decode() for source in sources]
    table = Table.from_lists([x.replace("\r\n", "\n") for x in contents], name=", ".join(x.name for x in sources[:3]))
    return replace(table, source={"files": places[0] if len(places) == 1 else places, "encoding": encoding})
