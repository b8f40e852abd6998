"""What was found by group, as text, as a page and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from chainrule.drawing import intervals
from chainrule.drawing.plot import Panel, Series, plot
from chainrule.fairness.gaps import Gap, GroupFigure
from chainrule.fairness.group_bias import QUANTILES, GroupBias, too_small
from chainrule.fairness.groups import FEWEST
from chainrule.fairness.output import LIMITS, aligned, between, interval_record, number, probability, ranged
from chainrule.report.study.document import Cell, Document, Fold, Paragraph, Part, Picture, Row, Section, Table
from chainrule.report.study.shown import capital, figure, several
from chainrule.shown import json_value, one_line

#: Groups in a picture of curves, and figures in pictures of their own, at most.
LINES, PICTURES = 7, 12


def answer(found: GroupBias) -> str:
    """Which gaps are named, in one sentence or two."""
    if not found.gaps:
        return f"Nothing can be compared: fewer than two groups have {FEWEST} rows or more."
    if not found.named:
        first = found.gaps[0]
        reach = (first.interval.high - first.interval.low) / 2
        return (
            f"No gap can be named on these rows, which does not say that there is none: one of {first.figure.shown} "
            f"below about {figure(reach, 3)} would hardly be found."
        )
    gaps = sorted(found.named, key=lambda x: -x.difference if x.figure.name != "fnr" else 0.0)
    told = "; ".join(_told(found, gap) for gap in gaps[:3])
    more = f"; and {several(len(gaps) - 3, 'more')}".replace("mores", "more") if len(gaps) > 3 else ""
    return f"{several(len(gaps), 'gap is', 'gaps are')} named: {told}{more}."


def _told(found: GroupBias, gap: Gap) -> str:
    names, values = found.groups.names, gap.figure.values
    return (
        f"{gap.figure.shown} {figure(values[gap.high], 3)} of {one_line(names[gap.high])} and "
        f"{figure(values[gap.low], 3)} of {one_line(names[gap.low])}"
    )


def over(found: GroupBias) -> str:
    """What the figures are of, and what intervals are over."""
    models = f"the mean of {found.models} models" if found.models > 1 else "one model"
    what = "other rows and other seeds" if found.models > 1 else "other rows, for this model as it is"
    return (
        f"{found.table}: {several(found.rows, 'row')}, {models}, groups by {found.groups.by}. Intervals of "
        f"{100 * found.level:g} % are over {what}."
    )


def remarks(found: GroupBias) -> list[str]:
    """What is to be minded of the groups."""
    told = []
    small = too_small(found.groups)
    if small:
        listed = ", ".join(map(one_line, small))
        told.append(f"Too small to say (fewer than {FEWEST} rows), and not compared: {listed}.")
    aside = [found.groups.names[g] for g in range(len(found.groups.names)) if g not in found.groups.compared]
    if aside:
        told.append(f"Shown, and not compared: {', '.join(map(one_line, aside))}.")
    return told


def group_text(found: GroupBias) -> str:
    """For a terminal."""
    lines = [over(found), *remarks(found), ""]
    lines += [aligned([["group", "rows", *(_head(x) for x in shown)], *_group_rows(found, shown)]) + "\n"
              for shown in _chunks(found.figures)]  # fmt: skip
    if found.gaps:
        head = ["gap", "greatest", "least", "difference", "ratio", "p", "named"]
        lines.append(aligned([head, *([_text(cell) for cell in row] for row in _gap_rows(found))]) + "\n")
        lines.append(
            aligned([["criterion", ""], *([name, figure(x, 3)] for name, x in found.notions().items())]) + "\n"
        )
    return "\n".join([*lines, answer(found), LIMITS])


def _chunks(figures: Sequence[GroupFigure]) -> Iterator[Sequence[GroupFigure]]:
    """The figures of all rows, and those of each label, as tables that fit."""
    for of in dict.fromkeys(x.of for x in figures):
        yield [x for x in figures if x.of == of]


def _head(x: GroupFigure) -> str:
    short = {
        "selection_rate": "selected",
        "excess": "prob-true",
        "base_rate": "true",
        "tpr": "TPR",
        "fnr": "FNR",
        "fpr": "FPR",
    }
    name = short.get(x.name, x.name.replace("_", " "))
    return f"{name} {one_line(x.of, 12)}" if x.of else name


def _group_rows(found: GroupBias, shown: Sequence[GroupFigure]) -> list[list[str]]:
    return [
        [_named(found, g), f"{found.groups.sizes[g]:,}", *(_value(x, g) for x in shown)]
        for g in range(len(found.groups.names))
    ]


def _named(found: GroupBias, group: int) -> str:
    few = " (too small to say)" if found.groups.sizes[group] < FEWEST else ""
    return f"{one_line(found.groups.names[group])}{few}"


def _value(x: GroupFigure, group: int) -> str:
    """A figure, with a mark where it is over fewer than 30 rows."""
    few = "*" if 0 < x.rows[group] < FEWEST else ""
    return f"{figure(x.values[group], 3)}{few}"


def _gap_rows(found: GroupBias) -> list[list[str | Cell]]:
    names = found.groups.names
    return [
        [
            x.figure.shown, one_line(names[x.high]), one_line(names[x.low]), ranged(x.difference, x.interval),
            ranged(x.ratio, x.ratio_interval), Cell(probability(x.corrected), x.corrected), "yes" if x.named else "no",
        ]
        for x in found.gaps
    ]  # fmt: skip


def _text(cell: str | Cell) -> str:
    return cell if isinstance(cell, str) else cell.text


def group_document(found: GroupBias) -> Document:
    """A page."""
    sections = [_gap_section(found), _figure_section(found), _score_section(found), _limits(found)]
    return Document(f"Bias by group: {found.groups.by}", answer(found), over(found), sections)


def _gap_section(found: GroupBias) -> Section:
    told = [Paragraph(text, "note") for text in remarks(found)]
    if not found.gaps:
        return Section("gaps", "Gaps between groups", told)
    head = ["figure", "greatest", "least", "difference", "ratio", "p, corrected", "named"]
    rows: list[Row] = list(_gap_rows(found))
    caption = (
        "Of each figure the groups with the greatest and the least value, their difference and the ratio of the "
        "least to the greatest. p is corrected for all gaps that are looked at (Holm)."
    )
    lines = [
        intervals.Interval(x.figure.shown, x.difference, x.interval.low, x.interval.high,
                           told=f"{x.figure.shown}: {figure(x.difference, 3)}{between(x.interval)}")
        for x in found.gaps
    ]  # fmt: skip
    drawing = intervals.draw_intervals(lines, "difference of the greatest and the least", "", marks=[0.0])
    notions: list[Row] = [[name.replace("_", " "), number(x)] for name, x in found.notions().items()]
    parts: list[Part] = [
        *told, Picture("Differences with their intervals; where 0 is inside, chance may explain one.", drawing),
        Table(caption, head, rows, sortable=True),
    ]  # fmt: skip
    if notions:
        parts.append(
            Table("The same by the names of criteria, as Fairlearn defines them.", ["criterion", "value"], notions)
        )
    return Section("gaps", "Gaps between groups", parts)


def _figure_section(found: GroupBias) -> Section:
    pictures: list[Part] = []
    for x in found.figures[:PICTURES]:
        rows = [
            intervals.Interval(
                _named(found, g), x.values[g], *_ends(x, g), told=f"{found.groups.names[g]}: {_value(x, g)}"
            )
            for g in range(len(found.groups.names))
            if not math.isnan(x.values[g])
        ]
        if rows:
            drawn = intervals.draw_intervals(rows, capital(x.shown), "")
            pictures.append(Picture(f"{capital(x.shown)} of each group, with intervals.", drawn))
    tables: list[Part] = []
    for shown in _chunks(found.figures):
        rows_of: list[Row] = [
            [_named(found, g), Cell(f"{found.groups.sizes[g]:,}", float(found.groups.sizes[g])),
             *(ranged(x.values[g], x.intervals[g]) for x in shown)]
            for g in range(len(found.groups.names))
        ]  # fmt: skip
        of = f" of {shown[0].of}" if shown[0].of else ""
        tables.append(Table(f"Figures{of} of each group, with intervals.", ["group", "rows", *(x.title for x in shown)],
                            rows_of, sortable=True))  # fmt: skip
    return Section("figures", "Figures by group", [*pictures, *tables])


def _ends(x: GroupFigure, group: int) -> tuple[float | None, float | None]:
    held = x.intervals[group]
    return (None, None) if held is None else (held.low, held.high)


def _score_section(found: GroupBias) -> Section:
    parts: list[Part] = []
    names = found.groups.names
    for of in dict.fromkeys(x.of for x in found.scores):
        held = [x for x in found.scores if x.of == of]
        shown = held[:LINES]
        what = f"Probability of {of}" if of else "Predicted number"
        lines = [Series(one_line(names[x.group]), x.quantiles, [100 * q for q in QUANTILES]) for x in shown]
        panel = Panel("Percent of rows with this score or less", lines, what.lower(), names_points=True)
        pictures: list[Part] = [Picture(f"{what}: how it is distributed in each group.", plot([panel], sheet=""))]
        curves = [
            Series(one_line(names[x.group]), [p for p, _, _ in x.curve], [y for _, y, _ in x.curve]) for x in shown
        ]
        if any(x.curve for x in shown):
            equal = Series("as often as sure", [0.0, 1.0], [0.0, 1.0])
            drawn = Panel(f"Share that is {of}", curves, what.lower(), guides=[equal], names_points=True)
            pictures.append(
                Picture(f"Calibration: how often {of} is true, by its probability.", plot([drawn], sheet=""))
            )
        head = ["group", *(f"{100 * q:g} %" for q in QUANTILES), "calibration error"]
        rows: list[Row] = [[one_line(names[x.group]), *(number(q) for q in x.quantiles), number(x.error)] for x in held]
        parts += [*pictures, Fold(f"The figures of {of or 'the numbers'}", [Table(f"{what}: quantiles.", head, rows)])]
    return Section("scores", "Scores and calibration", parts)


def _limits(found: GroupBias) -> Section:
    told = [Paragraph(LIMITS)]
    if found.models == 1:
        told.append(Paragraph("One model was looked at: another seed of the same learner may have other gaps."))
    if found.groups.words:
        told.append(Paragraph(found.groups.words))
    return Section("limits", "What this does not say", told)


def group_record(found: GroupBias) -> dict[str, Any]:
    """All figures, as JSON can hold them."""
    names = found.groups.names
    content = {
        "kind": "bias by group", "format": 1, "answer": answer(found), "table": found.table, "rows": found.rows,
        "models": found.models, "task": found.task, "level": found.level, "by": found.groups.by,
        "groups": [
            {"name": name, "rows": int(found.groups.sizes[g]), "compared": g in found.groups.large}
            for g, name in enumerate(names)
        ],
        "figures": [
            {"name": x.name, "title": x.title, "of": x.of,
             "groups": {names[g]: {"value": x.values[g], "interval": interval_record(x.intervals[g]), "over": x.rows[g]}
                        for g in range(len(names))}}
            for x in found.figures
        ],
        "gaps": [
            {"name": x.figure.name, "of": x.figure.of, "greatest": names[x.high], "least": names[x.low],
             "difference": x.difference, "interval": interval_record(x.interval), "ratio": x.ratio,
             "ratio_interval": interval_record(x.ratio_interval), "p": x.p, "corrected": x.corrected, "named": x.named,
             "over": x.over}
            for x in found.gaps
        ],
        "criteria": found.notions(),
        "scores": [
            {"of": x.of, "group": names[x.group], "quantiles": dict(zip(map(str, QUANTILES), x.quantiles, strict=True)),
             "calibration_error": x.error, "curve": x.curve}
            for x in found.scores
        ],
    }  # fmt: skip
    held: dict[str, Any] = json_value(content)
    return held
