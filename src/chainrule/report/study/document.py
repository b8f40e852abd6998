"""What a report is made of, whatever its format: sections of paragraphs, tables, pictures and words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chainrule.drawing.words import Word


@dataclass(frozen=True)
class Paragraph:
    """A text.

    Attributes:
        text: plain.
        kind: "answer" for what is said first, "note" for what is to be minded, "preformatted" for lines as they are.
    """

    text: str
    kind: str = ""


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: that is shown.
        number: that it is sorted by; None for its text.
        shade: how dark it is, from 0 to 1.
    """

    text: str
    number: float | None = None
    shade: float = 0.0


Row = Sequence[Cell | str]


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        caption: what its numbers are, and over what.
        head: of the columns.
        rows: of texts, and of cells where there is more to say.
        sortable: whether its order is one of many.
        named_by: the column that names the rows.
    """

    caption: str
    head: Sequence[str]
    rows: Sequence[Row]
    sortable: bool = False
    named_by: int = 0


@dataclass(frozen=True)
class Picture:
    """A picture that this library drew.

    Attributes:
        caption: what is shown, and over what.
        svg: of `chainrule.drawing`, with the style sheet of the page.
    """

    caption: str
    svg: str


@dataclass(frozen=True)
class Image:
    """A picture that comes from a file, of which nothing is known.

    Attributes:
        caption: what is shown.
        svg: as it was found.
    """

    caption: str
    svg: str


@dataclass(frozen=True)
class Words:
    """Words with a number each.

    Attributes:
        title: above them.
        words: with their numbers.
        text: they were taken from; what is shown where there are none.
    """

    title: str
    words: Sequence[Word]
    text: str


@dataclass(frozen=True)
class Fold:
    """Parts that are shown when they are asked for; on paper they are there.

    Attributes:
        summary: what they are.
        parts: of it.
    """

    summary: str
    parts: Sequence[Part]


Part = Paragraph | Table | Picture | Image | Words | Fold


@dataclass(frozen=True)
class Section:
    """A part of a report with a title.

    Attributes:
        name: one word, for links.
        title: of it.
        parts: in their order.
    """

    name: str
    title: str
    parts: Sequence[Part]


@dataclass(frozen=True)
class Document:
    """A whole report.

    Attributes:
        title: of it.
        answer: what it comes to, in one sentence.
        reached: the figures of that.
        sections: in their order.
    """

    title: str
    answer: str
    reached: str
    sections: Sequence[Section]
