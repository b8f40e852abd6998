"""Bias: what was tested, what came out, and what was not tested."""

from __future__ import annotations

from chainrule.report.record import Line
from chainrule.report.study.bias import GROUPS, SWAPS, tests
from chainrule.report.study.document import Cell, Paragraph, Part, Row, Section, Table
from chainrule.report.study.ranking import Ranking
from chainrule.report.study.shown import figure, several
from chainrule.shown import one_line

#: What may be tested, and how it is called where it was not.
KINDS = {
    GROUPS: "figures and gaps by group (chainrule bias STUDY TABLE --groups COLUMN)",
    SWAPS: "answers when he is she, or one name another (chainrule bias STUDY TABLE --swap en)",
}
#: Gaps of a test in the table, at most.
SHOWN = 8
LIMITS = (
    "What was tested is told with the rows and words that it was tested on; other groups, other texts and other words "
    "were not, and a gap that is not named may still be there."
)


def section(ranking: Ranking) -> Section:
    """What was tested for bias, and what was not."""
    held = tests(ranking.study)
    missing = [told for kind, told in KINDS.items() if not any(line["kind"] == kind for line in held)]
    parts: list[Part] = []
    if held:
        told = f"{several(len(held), 'test')} of the best configuration."
        parts.append(Paragraph(told))
        caption = "What was tested, with which rows, and what came out."
        parts.append(Table(caption, ["test", "rows", "models", "what came out"], [_test(line) for line in held]))
        rows: list[Row] = [row for line in held for row in _named(line)]
        if rows:
            head = ["test", "figure", "greatest or after", "least or before", "difference", "p, corrected"]
            parts.append(Table("The gaps and differences that are named.", head, rows, sortable=True))
        parts.append(Paragraph(LIMITS))
    if missing:
        parts.append(Paragraph(f"Not tested: {'; '.join(missing)}.", "note"))
    return Section("bias", "Bias", parts)


def _what(line: Line) -> str:
    by = line.get("by") if line["kind"] == GROUPS else f"swapped words of {line.get('pairs')}"
    return one_line(str(by), 60)


def _test(line: Line) -> Row:
    groups = line["kind"] == GROUPS
    rows, place = (line.get("rows"), line.get("table")) if groups else (line.get("swapped"), line.get("name"))
    where = f"{several(int(rows), 'row')} of {one_line(str(place), 60)}" if isinstance(rows, int) else "?"
    models = line.get("models")
    return [_what(line), where, Cell(str(models), models), str(line.get("answer", ""))]


def _named(line: Line) -> list[Row]:
    """The gaps of a test that are named, the largest first."""
    if line["kind"] == GROUPS:
        gaps = sorted((x for x in line.get("gaps") or () if x.get("named")), key=lambda x: -x["difference"])
        return [
            [_what(line), f"{x['name']} {x['of']}".strip(), str(x["greatest"]), str(x["least"]),
             Cell(figure(x["difference"]), x["difference"]), Cell(figure(x["corrected"]), x["corrected"])]
            for x in gaps[:SHOWN]
        ]  # fmt: skip
    sides = line.get("sides") or ("first", "second")
    shifts = [x for x in line.get("shifts") or () if x.get("named")]
    return [
        [_what(line), f"probability of {x['of']}" if x["of"] else "number", str(sides[1]), str(sides[0]),
         Cell(figure(x["difference"]), x["difference"]), Cell(figure(x["corrected"]), x["corrected"])]
        for x in shifts[:SHOWN]
    ]  # fmt: skip
