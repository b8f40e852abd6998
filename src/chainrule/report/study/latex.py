"""A report as LaTeX, to be put into a document: sections and tables (of the package booktabs), without pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chainrule.report.study.document import Cell, Document, Fold, Image, Paragraph, Part, Picture, Table, Words
from chainrule.shown import printable

#: What LaTeX reads as something else.
SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "–": "--", "±": r"\ensuremath{\pm}", "×": r"\ensuremath{\times}",
    "Σ": r"\ensuremath{\Sigma}", "²": r"\textsuperscript{2}", "ŷ": r"\ensuremath{\hat{y}}", "−": r"\ensuremath{-}",
}  # fmt: skip
HEAD = r"""% Needs \usepackage{booktabs}, \usepackage{longtable} and an engine that reads UTF-8 (any of today).
"""
#: Letters from which a column gets a width of its own.
LONG = 40


def latex(document: Document) -> str:
    r"""The report as the text of a file for `\input`."""
    lines = [HEAD + rf"\section*{{{escaped(document.title)}}}", "", rf"\textbf{{{escaped(document.answer)}}}", ""]
    lines += [escaped(document.reached), ""]
    for section in document.sections:
        lines += [rf"\subsection*{{{escaped(section.title)}}}", "", *_parts(section.parts)]
    return "\n".join(lines).rstrip() + "\n"


def escaped(text: str) -> str:
    """Text of which nothing is a command."""
    return "".join(SPECIAL.get(character, character) for character in printable(text))


def _parts(parts: Sequence[Part]) -> Iterator[str]:
    for part in parts:
        match part:
            case Paragraph(text, "preformatted"):
                rows = r"\\ ".join(rf"\texttt{{{escaped(line).replace(' ', '~')}}}" for line in text.split("\n"))
                yield from [rf"\noindent {rows}", ""]
            case Paragraph(text):
                yield from [escaped(text), ""]
            case Table():
                yield from [*_table(part), ""]
            case Words(title, _, text):
                yield from [rf"\noindent\emph{{{escaped(title)}}}: {escaped(text)}", ""]
            case Fold(summary, held):
                yield from [rf"\subsubsection*{{{escaped(summary)}}}", "", *_parts(held)]
            case Picture() | Image():
                pass


def _table(table: Table) -> Iterator[str]:
    columns = ""
    for index in range(len(table.head)):
        cells = [row[index] for row in table.rows]
        text = max((len(x) for x in cells if isinstance(x, str)), default=0)
        right = any(isinstance(x, Cell) for x in cells)
        columns += "r" if right else rf"p{{{0.9 / len(table.head):.2f}\linewidth}}" if text > LONG else "l"
    yield rf"{{\footnotesize\begin{{longtable}}{{{columns}}}"
    yield rf"\caption{{{escaped(table.caption)}}}\\"
    yield rf"\toprule {_row(table.head)} \\ \midrule \endhead"
    for row in table.rows:
        yield rf"{_row([x.text if isinstance(x, Cell) else x for x in row])} \\"
    yield r"\bottomrule \end{longtable}}"


def _row(cells: Sequence[str]) -> str:
    """Cells beside each other; a bracket at the beginning would be read as a length."""
    return " & ".join(f"{{{shown}}}" if (shown := escaped(x)).startswith(("[", "*")) else shown for x in cells)
