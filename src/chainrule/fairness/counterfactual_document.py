"""What swapped words change, as text, as a page and as JSON."""

from __future__ import annotations

import math
from typing import Any

from chainrule.drawing import intervals
from chainrule.drawing.words import Word, signed
from chainrule.fairness.counterfactuals import Change, Counterfactual, Shift
from chainrule.fairness.output import LIMITS, aligned, between, interval_record, number, probability, ranged
from chainrule.report.study.document import Cell, Document, Paragraph, Part, Picture, Row, Section, Table, Words
from chainrule.report.study.shown import figure, several, signed_figure
from chainrule.shown import json_value, one_line

#: Letters of a text in a terminal.
LETTERS = 100


def answer(found: Counterfactual) -> str:
    """Whether scores differ by side, in one sentence or two."""
    first, second = found.sides
    if not found.one_sided:
        return "No text has words of one side alone, so that no direction can be told."
    told = []
    for x in found.named[:3]:
        what = f"the probability of {x.of}" if x.of else "the number"
        told.append(
            f"with words of {one_line(second)} in the place of those of {one_line(first)}, {what} changes by "
            f"{signed_figure(x.difference)}{between(x.interval)}"
        )
    if told:
        more = f"; and of {len(found.named) - 3} more labels" if len(found.named) > 3 else ""
        return f"On average, {'; '.join(told)}{more}."
    return (
        f"No difference between {one_line(first)} and {one_line(second)} can be named on these texts, which does not "
        f"say that there is none."
    )


def flips(found: Counterfactual) -> str:
    """How often the answer changes."""
    if found.flips is None:
        return ""
    share = found.flips / found.swapped
    count = f"{found.flips:g}" if found.models == 1 else f"{found.flips:.1f} on average"
    return (
        f"The answer changes in {count} of {several(found.swapped, 'swapped text')} ({100 * share:.1f} %"
        + ("" if found.flip_interval is None else _percent(found))
        + ")."
    )


def _percent(found: Counterfactual) -> str:
    held = found.flip_interval
    return "" if held is None else f" [{100 * max(held.low, 0):.1f}, {100 * min(held.high, 1):.1f}]"


def over(found: Counterfactual) -> str:
    """What the figures are of."""
    models = f"{found.models} models" if found.models > 1 else "one model"
    unit = "texts" if found.templates is None else f"templates, of which there are {found.templates}"
    return (
        f"{found.name}: words of {found.pairs} swapped in {found.swapped:,} of {several(found.texts, 'text')}, "
        f"{found.one_sided:,} with words of one side alone; {models}. Intervals of {100 * found.level:g} % are over "
        f"other {unit}{', and other seeds' if found.models > 1 else ''}."
    )


def guesses(found: Counterfactual) -> str:
    """What was chosen for words with several counterparts; "" where there was none."""
    if not found.guessed:
        return ""
    listed = ", ".join(f"{guess} {count:,} times" for guess, count in list(found.guessed.items())[:8])
    more = f", and {len(found.guessed) - 8} more" if len(found.guessed) > 8 else ""
    return f"Words that mean two things were taken by what follows them: {listed}{more}."


def counterfactual_text(found: Counterfactual) -> str:
    """For a terminal."""
    first, second = (one_line(side, 20) for side in found.sides)
    lines = [over(found)]
    if guesses(found):
        lines.append(guesses(found))
    head = ["score", first, second, f"{second} minus {first}", "p", "named", "size of changes", "largest"]
    rows = [
        [_of(x), figure(x.before, 3), figure(x.after, 3), f"{figure(x.difference, 3)}{between(x.interval)}",
         "–" if math.isnan(x.corrected) else probability(x.corrected), "yes" if x.named else "no",
         figure(x.size, 3), figure(x.largest, 3)]
        for x in found.shifts
    ]  # fmt: skip
    lines += ["", aligned([head, *rows]), ""]
    if found.changes:
        lines.append("the texts that change most:")
    for x in found.changes:
        arrow = f"{figure(x.scores[0], 3)} -> {figure(x.scores[1], 3)}"
        lines += [
            f"  {f'{one_line(x.of)} ' if x.of else ''}{arrow}{', another answer' if x.flips else ''}",
            *(
                f"    {one_line(text, LETTERS)}   ({', '.join(_moved(words))})"
                for text, words in zip((x.text, x.swapped), x.moved, strict=True)
            ),
        ]
    lines += [""] * bool(found.changes)
    return "\n".join([*lines, *[flips(found)] * bool(flips(found)), answer(found), LIMITS])


def _of(x: Shift) -> str:
    return f"probability of {one_line(x.of)}" if x.of else "number"


def _moved(words: tuple[tuple[str, float], ...], most: int = 3) -> list[str]:
    largest = max((abs(x) for _, x in words), default=0.0)
    return [f"{one_line(word, 20)} {signed(x, largest)}" for word, x in words[:most]]


def counterfactual_document(found: Counterfactual) -> Document:
    """A page."""
    sections = [_shift_section(found), _change_section(found), _limit_section(found)]
    title = f"Counterfactuals: {found.sides[0]} and {found.sides[1]} by the pairs {found.pairs}"
    return Document(title, answer(found), " ".join(x for x in (over(found), flips(found)) if x), sections)


def _shift_section(found: Counterfactual) -> Section:
    first, second = found.sides
    lines = [
        intervals.Interval(
            _of(x), x.difference, *_ends(x), told=f"{_of(x)}: {figure(x.difference, 3)}{between(x.interval)}"
        )
        for x in found.shifts
        if not math.isnan(x.difference)
    ]
    parts: list[Part] = []
    if lines:
        drawn = intervals.draw_intervals(lines, f"{second} minus {first}", "", marks=[0.0])
        parts.append(
            Picture("The mean change of scores with its interval; where 0 is inside, chance may explain it.", drawn)
        )
    head = [
        "score",
        first,
        second,
        f"{second} minus {first}",
        "p, corrected",
        "named",
        "mean size of changes",
        "largest",
    ]
    rows: list[Row] = [
        [_of(x), number(x.before), number(x.after), ranged(x.difference, x.interval),
         Cell("–" if math.isnan(x.corrected) else probability(x.corrected)), "yes" if x.named else "no",
         number(x.size), number(x.largest)]
        for x in found.shifts
    ]  # fmt: skip
    caption = (
        "Mean scores of the same texts with words of either side, and their difference; sizes are of all swapped "
        "texts, those with words of both sides, too."
    )
    parts.append(Table(caption, head, rows, sortable=True))
    return Section("shifts", "How scores change", parts)


def _ends(x: Shift) -> tuple[float | None, float | None]:
    return (None, None) if x.interval is None else (x.interval.low, x.interval.high)


def _change_section(found: Counterfactual) -> Section:
    parts: list[Part] = []
    for x in found.changes:
        for text, score, moved in zip((x.text, x.swapped), x.scores, x.moved, strict=True):
            what = f"{figure(score, 3)} {x.of}".strip() if x.of else figure(score, 3)
            parts.append(
                Words(f"{what}{', another answer' if x.flips else ''}: {one_line(text, 300)}", _words(moved), text)
            )
    told = "Below each text, the words that moved the score most, with what each contributed (see chainrule explain)."
    return Section("changes", "The texts that change most", [Paragraph(told), *parts])


def _words(moved: tuple[tuple[str, float], ...]) -> list[Word]:
    largest = max((abs(x) for _, x in moved), default=0.0) or 1.0
    return [Word(word, signed(x, largest), x / largest) for word, x in moved]


def _limit_section(found: Counterfactual) -> Section:
    told: list[Part] = [Paragraph(x) for x in (LIMITS, guesses(found)) if x]
    told.append(
        Paragraph(
            "Words are swapped, not people: what else a text says of a person stays, and so do the endings of French "
            "adjectives. A difference may come from such a text reading oddly."
        )
    )
    return Section("limits", "What this does not say", told)


def counterfactual_record(found: Counterfactual) -> dict[str, Any]:
    """All figures, as JSON can hold them."""
    content = {
        "kind": "counterfactual bias", "format": 1, "answer": answer(found), "name": found.name, "texts": found.texts,
        "swapped": found.swapped, "one_sided": found.one_sided, "models": found.models, "task": found.task,
        "pairs": found.pairs, "sides": list(found.sides), "level": found.level,
        "flips": found.flips, "templates": found.templates,
        "flip_interval": interval_record(found.flip_interval), "guessed": dict(found.guessed),
        "shifts": [
            {"of": x.of, "before": x.before, "after": x.after, "difference": x.difference,
             "interval": interval_record(x.interval), "p": x.p, "corrected": x.corrected, "named": x.named,
             "size": x.size, "largest": x.largest}
            for x in found.shifts
        ],
        "changes": [_change_record(x) for x in found.changes],
    }  # fmt: skip
    held: dict[str, Any] = json_value(content)
    return held


def _change_record(x: Change) -> dict[str, Any]:
    return {
        "row": x.row, "text": x.text, "swapped": x.swapped, "of": x.of, "scores": list(x.scores), "flips": x.flips,
        "moved": [[[word, share] for word, share in words] for words in x.moved],
    }  # fmt: skip
