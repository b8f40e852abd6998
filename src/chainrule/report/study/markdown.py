"""A report as Markdown: all but its pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from chainrule.report.study.document import Cell, Document, Fold, Image, Paragraph, Part, Picture, Table, Words
from chainrule.shown import printable


def markdown(document: Document) -> str:
    """The report, with headings, tables of GitHub's kind and lists."""
    lines = [f"# {escaped(document.title)}", "", f"**{escaped(document.answer)}**", "", escaped(document.reached), ""]
    for section in document.sections:
        lines += [f"## {escaped(section.title)}", "", *_parts(section.parts, 3)]
    return re.sub("\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def table_lines(table: Table) -> list[str]:
    """A table, without its caption."""
    figures = [any(isinstance(row[i], Cell) for row in table.rows) for i in range(len(table.head))]
    rows = [[escaped(x.text if isinstance(x, Cell) else x) for x in row] for row in table.rows]
    rule = ["---:" if x else "---" for x in figures]
    return [f"| {' | '.join(row)} |" for row in ([escaped(x) or " " for x in table.head], rule, *rows)]


def escaped(text: str) -> str:
    """Text of which nothing is markup, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>#|~!$&])", r"\\\1", printable(text))


def _parts(parts: Sequence[Part], level: int) -> Iterator[str]:
    for part in parts:
        match part:
            case Paragraph(text, "preformatted"):
                fence = "`" * (1 + max([2, *map(len, re.findall("`+", text))]))
                yield from [fence, *map(printable, text.split("\n")), fence, ""]
            case Paragraph(text):
                yield from [re.sub(r"^(\s*\d*)([-+=.)])", r"\1\\\2", escaped(text)), ""]
            case Table():
                yield from [escaped(part.caption), "", *table_lines(part), ""]
            case Words(title, words, text):
                told = ", ".join(f"{escaped(x.shown)} {x.number}" for x in words)
                yield from [f"- {escaped(title)}: {escaped(text)}", *[f"  ({told})"] * bool(told), ""]
            case Fold(summary, held):
                yield from [f"{'#' * level} {escaped(summary)}", "", *_parts(held, level + 1)]
            case Picture() | Image():
                pass
