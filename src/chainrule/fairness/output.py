"""Output: pages, JSON and tables of what was found."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from chainrule.errors import ConfigurationError
from chainrule.files import write_file
from chainrule.report.statistics import Interval
from chainrule.report.study.document import Cell, Document, Section
from chainrule.report.study.page import page
from chainrule.report.study.shown import NONE, figure
from chainrule.shown import json_value, one_line, printable
from chainrule.version import __version__

#: What is said at the end of each page and table of a classifier.
LIMITS = (
    "A gap that is not named may still be there, and groups, words and labels that were not looked at are not judged. "
    "Nothing here calls a model fair or free of bias."
)
#: What is said beside figures of word vectors.
INTRINSIC = (
    "Associations of word vectors do not predict how a classifier treats people that is made with them "
    "(Goldfarb-Tarrant et al., Intrinsic Bias Metrics Do Not Correlate with Application Bias, 2021): ask the "
    "classifier itself, with chainrule bias MODEL TABLE."
)


def save(path: str | os.PathLike[str], document: Callable[[], Document], record: Callable[[], dict[str, Any]]) -> Path:
    """Write a page or JSON, whole or not at all, and return the path.

    Raises:
        ConfigurationError: for a name that ends in neither .html nor .json.
        StorageError: when it cannot be written.
    """
    require_output(path)
    if Path(path).suffix.lower() == ".json":
        write_file(path, json.dumps(json_value(record()), ensure_ascii=False, indent=1) + "\n")
    else:
        write_file(path, page(document(), made=f"Made by chainrule {__version__}."))
    return Path(path)


def require_output(path: str | os.PathLike[str]) -> None:
    """Refuse a name of another kind of file.

    Raises:
        ConfigurationError: for a name that ends in neither .html nor .json.
    """
    if Path(path).suffix.lower() not in (".html", ".json"):
        raise ConfigurationError(f"{path}: expected a name that ends in .html (a page) or .json (all figures)")


def together(documents: Sequence[Document]) -> Document:
    """Several documents as one, with the titles of their parts."""
    if len(documents) == 1:
        return documents[0]
    sections = [
        Section(f"{section.name}-{number}", section.title, section.parts)
        for number, document in enumerate(documents, start=1)
        for section in document.sections
    ]
    first = documents[0]
    return Document(
        "; ".join(x.title for x in documents), " ".join(x.answer for x in documents), first.reached, sections
    )


def number(x: float | None) -> Cell:
    """A cell of a figure."""
    return Cell(figure(x), None if x is None or math.isnan(x) else x)


def ranged(x: float | None, found: Interval | None) -> Cell:
    """A cell of a figure with its interval."""
    if x is None or math.isnan(x):
        return Cell(NONE)
    return Cell(f"{figure(x, 3)}{between(found)}", x)


def between(found: Interval | None) -> str:
    """An interval behind a figure."""
    return "" if found is None else f" [{figure(found.low, 3)}, {figure(found.high, 3)}]"


def probability(p: float) -> str:
    """A p.

    Example:
        >>> probability(0.0312), probability(0.00001)
        ('0.031', '< 0.001')
    """
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns of equal width, the first to the left and the others to the right."""
    shown = [[printable(one_line(cell, 60)) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = (
        "  ".join(cell.rjust(w) if i else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True)))
        for row in shown
    )
    return "\n".join(line.rstrip() for line in lines)


def interval_record(found: Interval | None) -> list[float] | None:
    """An interval as JSON has it."""
    return None if found is None else [found.low, found.high]
