"""The ranking: what each configuration reaches, how certain that is, and what it costs."""

from __future__ import annotations

from chainrule.drawing.intervals import Interval, draw_intervals
from chainrule.report.study.certainty import interval
from chainrule.report.study.document import Cell, Fold, Paragraph, Part, Picture, Row, Section, Table
from chainrule.report.study.ranking import Ranked, Ranking
from chainrule.report.study.shown import NONE, between, capital, counted, duration, figure, several, size, spread

#: Rows of the table and of the picture, at most.
SHOWN, DRAWN = 100, 15


def section(ranking: Ranking) -> Section:
    """The table of configurations, and the picture of their intervals."""
    study = ranking.study
    rule = (
        f"Configurations by the mean of {study.measure.title} in validation, over seeds and parts, at the best epoch "
        "of each run. Figures of test rows are shown, and nothing is ranked by them."
    )
    if study.search is not None:
        rule += " Those that were chosen to be judged on test rows come first; the others were trained to find them."
    parts: list[Part] = [Paragraph(rule)]
    shown = [x for x in ranking.finalists if len(x.values) > 1][:DRAWN]
    if len(shown) > 1:
        title = capital(f"{study.measure.title} in validation")
        caption = (
            f"{title}: each run (small dots), and the mean over runs with its 95 % interval (bootstrap over runs)."
        )
        parts.append(Picture(caption, draw_intervals([_interval(x) for x in shown], title, sheet="")))
    parts.append(table(ranking))
    if trials := _trials(ranking):
        others = several(len(ranking) - len(ranking.finalists), "configuration")
        parts.append(Fold(f"The {others} that were only searched, or never finished", [trials]))
    return Section("ranking", "Ranking", parts)


def table(ranking: Ranking) -> Table:
    """The finalists with their measure and cost; all configurations while there are none."""
    measure, entries = ranking.study.measure, (ranking.finalists or ranking)[:SHOWN]
    described, remarked = any(x.settings for x in entries), any(x.state for x in entries)
    head = ["", "configuration", f"validation {measure.title}", "95 % interval"]
    head += ["lowest, highest", "runs", f"test {measure.title}", "time a run", "parameters", "memory"]
    head += ["settings that vary"] * described
    rows: list[Row] = [_row(x, described, remarked) for x in entries]
    caption = (
        f"{capital(measure.title)} in validation as mean ± standard deviation over runs, the interval of the mean "
        "(bootstrap over runs), the lowest and the highest run; the same on test rows as mean ± standard deviation; "
        "the mean duration, the number of parameters, and the memory that weights and the optimizer take."
    )
    return Table(caption, [*head, *["remarks"] * remarked], rows, sortable=True, named_by=1)


def _row(entry: Ranked, described: bool, remarked: bool) -> list[Cell | str]:
    return [
        _rank(entry),
        entry.label,
        spread(entry.values),
        between(interval(entry.values)),
        Cell(", ".join(figure(f(entry.values)) for f in (min, max)) if entry.values else NONE, entry.mean),
        counted(len(entry.values)),
        spread(entry.tested),
        Cell(duration(entry.seconds), entry.seconds),
        counted(entry.parameters),
        Cell(size(entry.memory), entry.memory),
        *[entry.settings] * described,
        *[entry.state] * remarked,
    ]


def _trials(ranking: Ranking) -> Table | None:
    """What is not in the table of finalists."""
    held = set(ranking.finalists or ranking)
    entries = [x for x in ranking if x not in held]
    described = any(x.settings for x in entries)
    rows: list[Row] = [
        [
            _rank(x), x.label, *[x.settings] * described, spread(x.values), Cell(duration(x.seconds), x.seconds),
            counted(x.parameters), x.state,
        ]
        for x in entries[:SHOWN]
    ]  # fmt: skip
    measure = ranking.study.measure.title
    more = f" The first {SHOWN} of {len(entries):,}: the formats json and csv have all." if len(entries) > SHOWN else ""
    caption = f"Mean {measure} in validation over the runs of each configuration, and the mean duration of a run.{more}"
    head = ["", "configuration", *["settings that vary"] * described, f"validation {measure}", "time a run"]
    head += ["parameters", "remarks"]
    return Table(caption, head, rows, sortable=True, named_by=1) if rows else None


def _rank(entry: Ranked) -> Cell:
    return Cell(NONE if entry.rank is None else str(entry.rank), entry.rank)


def _interval(entry: Ranked) -> Interval:
    found = interval(entry.values)
    middle = entry.mean or 0.0
    ends = f", 95 % interval {figure(found.low)} to {figure(found.high)}" if found else ""
    told = f"{entry.label}: mean {figure(middle)} of {several(len(entry.values), 'run')}{ends}"
    return Interval(
        entry.label, middle, found.low if found else None, found.high if found else None, entry.values, told
    )
