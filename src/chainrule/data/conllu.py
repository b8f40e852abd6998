"""CoNLL-U, in which the treebanks of Universal Dependencies are: ten columns, and lines that are no word.

A word has the numbers 1, 2, ... of its sentence. Lines of several words in one (`1-2`) repeat what the words that
follow are written as together, and empty nodes (`1.1`) are not in the text: neither is a word, and both are left out.
Lines that begin with `#` are comments.

Source: Universal Dependencies, CoNLL-U Format, https://universaldependencies.org/format.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import chainrule.polars as pl
from chainrule.data.dialect import Dialect
from chainrule.data.sources import Source
from chainrule.data.token_lines import DEFAULTS, numbered_lines, started
from chainrule.data.wanted import Wanted
from chainrule.errors import DataError, shortened

#: The names of the columns.
FIELDS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
#: The columns of tokens and tags unless told otherwise.
USUAL = {"tokens": "form", "label": "upos"}
#: Numbers of several words in one, and of empty nodes.
NO_WORD = re.compile("[0-9]+(-|[.])[0-9]+")
#: What stands for nothing.
NOTHING = "_"


def read_conllu(source: Source, wanted: Sequence[Wanted], dialect: Dialect, *, everything: bool) -> pl.DataFrame:  # noqa: ARG001
    """The words and the tags of each sentence, as lists: FORM and UPOS, unless other columns are named.

    Raises:
        DataError: naming the line that has no ten columns, or not the number of the next word.
    """
    names, sentences = started(source, wanted)
    places = {option: _place(option, name, source.name) for option, name in names.items()}
    word, tagged = 0, "label" not in places
    for number, line in numbered_lines(source, dialect):
        if not line.strip():
            sentences.end()
            word = 0
        if not line.strip() or line.startswith("#"):
            continue
        where, cells = f"{source.name}, line {number}", line.split("\t")
        if len(cells) != len(FIELDS):
            spaces = "; it has blanks where tabs should be" if len(line.split()) >= len(FIELDS) else ""
            raise DataError(
                f"{where}: expected {len(FIELDS)} columns between tabs, as CoNLL-U has, got {len(cells)}: "
                f"{shortened(line)}{spaces}"
            )
        if NO_WORD.fullmatch(cells[0]):
            continue
        word += 1
        if cells[0] != str(word):
            raise DataError(
                f"{where}: expected word {word} of its sentence, got {shortened(cells[0])}; a blank line ends one"
            )
        for option, place in places.items():
            sentences.add(option, cells[place].strip(), where)
        tagged = tagged or cells[places["label"]] != NOTHING
    if not tagged:
        raise DataError(
            f"{source.name}: the column {FIELDS[places['label']]} holds no tags ({NOTHING} for every word); name "
            "another with --label NAME, such as upos or xpos"
        )
    return sentences.frame(names)


def _place(option: str, name: str, where: str) -> int:
    """The place of a column, by its name or number."""
    name = USUAL[option] if name == DEFAULTS[option] else name.lower()
    numbers = [str(number) for number in range(1, len(FIELDS) + 1)]
    for known in (FIELDS, numbers):
        if name in known:
            return known.index(name)
    asked = "--text" if option == "tokens" else "--label"
    raise DataError(f"{where}: CoNLL-U has no column {shortened(name)}; {asked} names one of {', '.join(FIELDS)}")


def is_conllu(content: bytes) -> bool:
    r"""Whether a text begins as CoNLL-U does: comments, then ten columns between tabs and the number of a word.

    Example:
        >>> is_conllu(b"# text = so\n" + b"\t".join([b"1", b"so", *[b"_"] * 8])), is_conllu(b"#\tSYM\n")
        (True, False)
    """
    lines = content[: 1 << 16].decode("utf-8", "replace").removeprefix("\ufeff").split("\n")
    first = next((line for line in lines if line.strip() and not line.startswith("# ")), "")
    cells = first.split("\t")
    return len(cells) == len(FIELDS) and bool(re.fullmatch("[0-9]+([-.][0-9]+)?", cells[0]))
