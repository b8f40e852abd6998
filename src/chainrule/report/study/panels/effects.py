"""Effects of hyper-parameters: what each setting of a search did to the result, whatever the others were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.drawing.intervals import Interval, draw_intervals
from chainrule.drawing.parallel import Coordinate, Kind, draw_parallel
from chainrule.report.statistics import Effect, Level, main_effects
from chainrule.report.study.document import Cell, Fold, Paragraph, Part, Picture, Row, Section, Table
from chainrule.report.study.ranking import Ranking
from chainrule.report.study.shown import NONE, counted, figure, setting_name, setting_text, several, signed_figure
from chainrule.report.study.study import Measure

#: Settings with a picture, levels of a picture, and rows of the table, at most.
SHOWN, LEVELS, ROWS = 12, 12, 200
#: Axes and lines of the picture of all runs, at most, and what share of the runs stands out.
AXES, LINES, SHARE = 10, 240, 0.25
LOGARITHMIC = ("log", "logarithmic")


def section(ranking: Ranking) -> Section | None:
    """A picture of each setting that varies, the strongest first; None without a search."""
    study, measure = ranking.study, ranking.study.measure
    runs = [run for run in study.searched if measure.name in run.valid]
    held = [run.settings for run in runs]
    varied = {
        place for place in dict.fromkeys(place for x in held for place in x)
        if len({x[place] for x in held if place in x}) > 1
    }  # fmt: skip
    if len(runs) < 2 or not varied:
        return None
    settings = [{place: _value(x[place]) for place in x if place in varied} for x in held]
    values = [run.valid[measure.name] for run in runs]
    effects = main_effects(settings, values, logarithmic=_logarithmic(study.search))
    if not effects:
        return None
    better = "right" if measure.higher else "left"
    told = (
        f"What each setting did to the validation {measure.title} of {several(len(runs), 'run')} of the search, "
        f"whatever the others were: the mean with a value less the mean of all, with a 95 % interval; {better} of 0 is "
        "better. What a setting explains is its share of the variance between runs, by itself. Settings that a search "
        "did not draw independently of each other have mixed effects."
    )
    together = _together(effects, settings, values, measure)
    pictures = [_picture(effect, measure.title) for effect in effects[:SHOWN]]
    rows = [_row(effect, level) for effect in effects for level in effect.levels][:ROWS]
    table = Table(
        f"Effect of each value of a setting on the validation {measure.title}, with its 95 % interval over runs, and "
        "the share of variance that the setting explains.",
        ["setting", "value", "runs", "mean", "effect", "95 % interval", "share"], rows, sortable=True,
    )  # fmt: skip
    parts: list[Part] = [together, Paragraph(told), *pictures, Fold("The figures of the pictures", [table])]
    return Section("effects", "Effects of settings", parts)


def _value(value: Any) -> Any:
    """A number as it is, all else as words."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else setting_text(value)


def _logarithmic(search: Mapping[str, Any] | None) -> list[str]:
    """The settings whose scale is logarithmic; some are for one learner alone (`training.learning_rate@sgd`)."""
    space = (search or {}).get("space") or {}
    return [
        place.partition("@")[0]
        for place, x in space.items()
        if isinstance(x, Mapping) and x.get("scale") in LOGARITHMIC
    ]


def _picture(effect: Effect, measure: str) -> Picture:
    name = _name(effect.setting)
    rows = []
    for level in effect.levels[:LEVELS]:
        low, high = (level.interval.low, level.interval.high) if level.interval else (None, None)
        told = f"{name} {level.name}: {signed_figure(level.effect)} over {several(level.count, 'run')}"
        rows.append(Interval(level.name, level.effect, low, high, told=told))
    more = f"; {LEVELS} of {len(effect.levels)} values" if len(effect.levels) > LEVELS else ""
    caption = f"Effect on {measure} over {several(effect.runs, 'run')}; it explains {100 * effect.share:.0f} %{more}."
    return Picture(caption, draw_intervals(rows, name, sheet="", marks=[0.0]))


def _together(
    effects: Sequence[Effect], settings: Sequence[Mapping[str, Any]], values: Sequence[float], measure: Measure
) -> Picture:
    """Parallel coordinates: each run a line from what it reached through its settings, the strongest first."""
    ranked = sorted(range(len(values)), key=lambda run: values[run], reverse=measure.higher)
    count = min(len(ranked), LINES)
    shown = [ranked[i * (len(ranked) - 1) // max(count - 1, 1)] for i in range(count)]  # the best, and evenly on
    names = {x.setting: _name(x.setting) for x in effects[:AXES]}
    rows = [Coordinate(measure.title, values)]
    rows += [Coordinate(name, [x.get(setting) for x in settings]) for setting, name in names.items()]
    good = max(1, round(SHARE * count))
    kinds = [
        Kind("the others", None, list(reversed(shown[good:]))),
        Kind("best quarter", 0, list(reversed(shown[1:good]))),
        Kind("best run", 1, shown[:1]),
    ]
    told = {
        run: ", ".join([f"{measure.title} {figure(values[run])}"] + [
            f"{name} {setting_text(settings[run][setting])}" for setting, name in names.items()
            if setting in settings[run]
        ]) for run in shown
    }  # fmt: skip
    some = f"{count} of {len(values):,} runs, evenly by their rank" if count < len(values) else several(count, "run")
    most = f"; the {AXES} settings that explain most" if len(effects) > AXES else ""
    caption = (
        "Each line is a run of the search: what it reached in validation, and its settings, the one that explains "
        f"most first; {some}{most}. Where the best lines meet on an axis, its value mattered. – is for runs without "
        "the setting; lines with the same word lie beside each other by rank."
    )
    title = f"Settings and {measure.title} of {several(count, 'run')}"
    return Picture(caption, draw_parallel(rows, kinds, told, title, sheet=""))


def _name(setting: str) -> str:
    return "learner" if setting == "learner.name" else setting_name(setting)


def _row(effect: Effect, level: Level) -> Row:
    found = level.interval
    return [
        effect.setting,
        level.name,
        counted(level.count),
        Cell(figure(level.mean), level.mean),
        Cell(signed_figure(level.effect), level.effect),
        Cell(f"{signed_figure(found.low)} to {signed_figure(found.high)}", found.low) if found else Cell(NONE),
        Cell(f"{100 * effect.share:.0f} %", effect.share),
    ]
