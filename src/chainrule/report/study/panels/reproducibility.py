"""The reproducibility checklist, as the records fill it in."""

from __future__ import annotations

from itertools import groupby

from chainrule.report.study.document import Paragraph, Part, Section, Table
from chainrule.report.study.ranking import Ranking
from chainrule.report.study.reproducibility import NOTES, checklist

EMPTY = "(not known)"


def section(ranking: Ranking) -> Section:
    """All items of the checklist of NAACL 2021."""
    items = checklist(ranking)
    parts: list[Part] = []
    empty = [item.key for item in items if not item.answer]
    if empty:
        told = f"Not known from the records: {', '.join(empty)}. A line each in {NOTES} of the study's folder tells it."
        parts.append(Paragraph(told, "note"))
    for group, held in groupby(items, key=lambda item: item.group):
        rows = [[item.asks, item.answer or EMPTY] for item in held]
        parts.append(Table(f"{group}: the items of the checklist of NAACL 2021.", ["item", "answer"], rows))
    return Section("reproducibility", "Reproducibility", parts)
