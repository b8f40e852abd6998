"""A report as one page of HTML that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from chainrule.drawing import page as html
from chainrule.drawing.parallel import parallel_style
from chainrule.drawing.plot import band_style
from chainrule.drawing.words import words_html, words_sheet
from chainrule.report.study.document import Cell, Document, Fold, Image, Paragraph, Part, Picture, Section, Table, Words
from chainrule.shown import printable

HERE = Path(__file__).parent
#: Letters from which a cell is given room of its own.
LONG = 40


def page(document: Document, *, made: str = "", live: str | None = None) -> str:
    """The report as a page.

    Args:
        document: the report.
        made: by what, and from what; it stands at the foot.
        live: while runs go on, what tells this page from a later one; the page then asks for the later one by itself.
    """
    scripts = [HERE.joinpath(name).read_text("utf-8") for name in ("page.js", *["live.js"] * (live is not None))]
    links = "".join(f'<a href="#{x.name}">{escaped(x.title)}</a>' for x in document.sections)
    badge = '<span class="live">live</span> ' if live is not None else ""
    body = "\n".join([
        f'<header><h1>{badge}{escaped(document.title)}</h1><p class="answer">{escaped(document.answer)}</p>'
        f"<p>{escaped(document.reached)}</p>"
        f'<nav aria-label="Sections">{links}</nav></header>',
        "<main>", *map(_section, document.sections), "</main>",
        f"<footer>{escaped(made)}</footer>",
        *(f"<script>{script}</script>" for script in scripts),
    ])  # fmt: skip
    sheet = words_sheet() + band_style() + parallel_style() + HERE.joinpath("page.css").read_text("utf-8")
    head = f'<meta http-equiv="Content-Security-Policy" content="{_policy(scripts, live)}">\n<style>{sheet}</style>\n'
    if live is not None:
        head += '<noscript><meta http-equiv="refresh" content="10"></noscript>\n'
    text = html.page(document.title, body, head)
    return text.replace("<html ", f'<html data-state="{escaped(live)}" ', 1) if live is not None else text


def escaped(text: str) -> str:
    """Text as the page shows it: nothing of it is markup, and nothing turns the direction of what follows."""
    return html.escaped("\n".join(map(printable, text.split("\n"))))


def _policy(scripts: Sequence[str], live: str | None) -> str:
    """What the page may load and run: its own scripts, and nothing from elsewhere."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts
    )
    more = "; connect-src 'self'" if live is not None else ""
    return f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {hashes}{more}"


def _section(section: Section) -> str:
    return f'<section id="{section.name}"><h2>{escaped(section.title)}</h2>\n{_parts(section.parts)}</section>'


def _parts(parts: Sequence[Part]) -> str:
    return "\n".join(_rows(parts))


def _rows(parts: Sequence[Part]) -> Iterator[str]:
    """The parts; pictures that follow each other stand beside each other where there is room."""
    for pictures, group in groupby(parts, key=lambda x: isinstance(x, Picture)):
        shown = [_part(part) for part in group]
        yield f'<div class="pictures">{"".join(shown)}</div>' if pictures else "\n".join(shown)


def _part(part: Part) -> str:
    match part:
        case Paragraph(text, "preformatted"):
            return f'<pre tabindex="0">{escaped(text)}</pre>'
        case Paragraph(text, kind):
            return f'<p class="{kind}">{escaped(text)}</p>' if kind else f"<p>{escaped(text)}</p>"
        case Table():
            return _table(part)
        case Picture(caption, svg):
            return f"<figure>{svg}<figcaption>{escaped(caption)}</figcaption></figure>"
        case Image(caption, svg):
            width = re.search(r'viewBox="[-\d.]+ [-\d.]+ ([\d.]+) [\d.]+"', svg[:2000])
            wide = f' width="{width[1]}"' if width else ""
            # As an image, whatever scripts it has do not run.
            data = base64.b64encode(svg.encode(errors="replace")).decode()
            return (
                f'<figure class="wide"><img{wide} alt="{escaped(caption)}" src="data:image/svg+xml;base64,{data}">'
                f"<figcaption>{escaped(caption)}</figcaption></figure>"
            )
        case Words(title, words, text):
            shown = words_html(words) if words else escaped(text)
            return f'<h3>{escaped(title)}</h3><p class="words text">{shown}</p>'
        case Fold(summary, parts):
            return f"<details><summary>{escaped(summary)}</summary>\n{_parts(parts)}</details>"


def _table(table: Table) -> str:
    figures = [_is_figure(table, column) for column in range(len(table.head))]
    head = "".join(
        f'<th scope="col"{_class("figure" if x else "")}>{escaped(name)}</th>'
        for name, x in zip(table.head, figures, strict=True)
    )
    rows = "\n".join(
        "<tr>" + "".join(_cell(cell, place == table.named_by, figures[place]) for place, cell in enumerate(row))
        + "</tr>"
        for row in table.rows
    )  # fmt: skip
    kind = _class("sortable" if table.sortable else "")
    return (
        f'<figure class="held"><figcaption>{escaped(table.caption)}</figcaption>\n<div class="scroll" tabindex="0">'
        f"<table{kind}>\n<thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div></figure>"
    )


def _is_figure(table: Table, column: int) -> bool:
    """Whether a column holds figures, which stand at its right."""
    return any(isinstance(row[column], Cell) for row in table.rows)


def _cell(cell: Cell | str, names: bool, figure: bool) -> str:
    shown = cell if isinstance(cell, Cell) else Cell(cell)
    number = "" if shown.number is None else f' data-number="{shown.number!r}"'
    kinds = ["figure"] * figure + ["shaded"] * bool(shown.shade) + ["long"] * (not figure and len(shown.text) > LONG)
    shade = f' style="--shade:{0.6 * shown.shade:.2f}"' if shown.shade else ""
    tag = 'th scope="row"' if names else "td"
    return f"<{tag}{_class(' '.join(kinds))}{number}{shade}>{escaped(shown.text)}</{tag[:2]}>"


def _class(names: str) -> str:
    return f' class="{names}"' if names else ""
