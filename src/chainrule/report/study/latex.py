"""A report as LaTeX, to be put into a document: sections and tables (of the package booktabs), without pictures."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from chainrule.report.study.document import Cell, Document, Fold, Image, Paragraph, Part, Picture, Table, Words
from chainrule.shown import printable

#: What LaTeX reads as something else.
SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\char34{}", "–": "--", "—": "---", "…": r"\ldots{}", "‘": "`", "’": "'", "“": "``",
    "”": "''", "²": r"\textsuperscript{2}", "³": r"\textsuperscript{3}", "¹": r"\textsuperscript{1}", "\xa0": "~",
}  # fmt: skip
#: What is mathematics, by the name that LaTeX has for it.
MATHEMATICS = {
    "±": "pm", "×": "times", "·": "cdot", "÷": "div", "−": "-", "≤": "leq", "≥": "geq", "≠": "neq", "≈": "approx",
    "∞": "infty", "√": "surd", "∑": "sum", "→": "rightarrow", "←": "leftarrow", "¬": "neg", "ŷ": "hat{y}", "∈": "in",
    "µ": "mu", "ς": "varsigma", "ε": "varepsilon", "φ": "varphi", "°": "circ", "∂": "partial", "∇": "nabla",
    **dict(zip("αβγδζηθικλμνξπρστυχψω", (
        "alpha", "beta", "gamma", "delta", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu", "xi", "pi",
        "rho", "sigma", "tau", "upsilon", "chi", "psi", "omega",
    ), strict=True)),
    **dict(zip("ΓΔΘΛΞΠΣΦΨΩ", (
        "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Phi", "Psi", "Omega",
    ), strict=True)),
}  # fmt: skip
#: Letters that every encoding of LaTeX's fonts has beside those of English, and the accents that it puts on these.
LETTERS, ACCENTS = "ßæÆøØœŒłŁåÅ¡¿£§¶©ı", "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327"
#: Characters that would join with one like them before: as dashes, and as quotation marks.
JOINING = "-'`,"
HEAD = r"""% Needs \usepackage{booktabs} and \usepackage{longtable}. Wide tables are small, and want a wide page.
% XeLaTeX and LuaLaTeX show letters beyond Latin with a font that has them; pdfLaTeX shows their codes.
\providecommand{\beyond}[2]{\ifdefined\Umathchar #1\else\texttt{U+#2}\fi}
"""
#: Letters from which a column gets a width of its own.
LONG = 40
#: Letters of a row, and how it is set so that it fits a column of text; the last is for all that are longer.
SIZES = ((75, r"\footnotesize"), (100, r"\scriptsize\tabcolsep=3pt "), (10**9, r"\tiny\tabcolsep=2pt "))


def latex(document: Document) -> str:
    r"""The report as the text of a file for `\input`."""
    lines = [HEAD + rf"\section*{{{escaped(document.title)}}}", "", rf"\textbf{{{escaped(document.answer)}}}", ""]
    lines += [escaped(document.reached), ""]
    for section in document.sections:
        lines += [rf"\subsection*{{{escaped(section.title)}}}", "", *_parts(section.parts)]
    return "\n".join(lines).rstrip() + "\n"


def escaped(text: str) -> str:
    """Text of which nothing is a command."""
    found, before = [], ""
    for character in printable(text):
        joins = character in JOINING and character == before
        found.append("{}" * joins + _letter(character))
        before = character
    return "".join(found)


def _letter(character: str) -> str:
    """A character as any engine reads it."""
    if character in SPECIAL:
        return SPECIAL[character]
    if character in MATHEMATICS:
        name = MATHEMATICS[character]
        return rf"\ensuremath{{{name if name == '-' else chr(92) + name}}}"
    if character.isascii() or character in LETTERS:
        return character
    parts = unicodedata.normalize("NFD", character)
    if len(parts) == 2 and parts[0].isascii() and parts[1] in ACCENTS:
        return character
    return rf"\beyond{{{character}}}{{{ord(character):04X}}}"


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
    columns, letters = "", 0
    for index in range(len(table.head)):
        cells = [row[index] for row in table.rows]
        text = max((len(x) for x in cells if isinstance(x, str)), default=0)
        right = any(isinstance(x, Cell) for x in cells)
        shown = max([len(x.text if isinstance(x, Cell) else x) for x in cells] + [len(table.head[index])])
        letters += 3 + min(shown, LONG)
        columns += "r" if right else rf"p{{{0.9 / len(table.head):.2f}\linewidth}}" if text > LONG else "l"
    size = next(size for most, size in SIZES if letters <= most)
    yield rf"{{{size}\begin{{longtable}}{{{columns}}}"
    yield rf"\caption{{{escaped(table.caption)}}}\\"
    yield rf"\toprule {_row(table.head)} \\ \midrule \endhead"
    for row in table.rows:
        yield rf"{_row([x.text if isinstance(x, Cell) else x for x in row])} \\"
    yield r"\bottomrule \end{longtable}}"


def _row(cells: Sequence[str]) -> str:
    """Cells beside each other; a bracket at the beginning would be read as a length."""
    return " & ".join(f"{{{shown}}}" if (shown := escaped(x)).startswith(("[", "*")) else shown for x in cells)
