"""Examples that were hard, or answered wrongly with confidence, with the words that moved the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chainrule.drawing.words import Word, signed
from chainrule.report.study.document import Fold, Paragraph, Part, Section, Words
from chainrule.report.study.ranking import Ranking
from chainrule.report.study.shown import setting_text
from chainrule.shown import one_line

#: Words of an example, and letters of one without words, at most.
MOST_WORDS, LETTERS = 300, 2000
KINDS = ("confidently wrong", "hardest")
#: Examples of a kind that are shown without being asked for.
FIRST = 4


def section(ranking: Ranking) -> Section | None:
    """Rows of the table, as the winner answered them."""
    winner = ranking.study.winner
    examples = [x for x in (winner or {}).get("examples") or () if isinstance(x, Mapping)]
    if winner is None or not examples:
        return None
    told = (
        f"Test rows, as the run {one_line(str(winner.get('run')))} answers them. The number below a word is what it "
        "added to the score of the answer (gradient × input): blue for it, orange against it."
    )
    parts: list[Part] = [Paragraph(told)]
    for kind in dict.fromkeys([*KINDS, *(str(x.get("kind")) for x in examples)]):
        shown = [_words(x) for x in examples if str(x.get("kind")) == kind]
        parts += shown[:FIRST]
        if shown[FIRST:]:
            parts.append(Fold(f"{len(shown) - FIRST} more that are {one_line(kind)}", shown[FIRST:]))
    return Section("examples", "Hard examples", parts)


def _words(example: Mapping[str, Any]) -> Words:
    pairs = [(str(word), float(number)) for word, number in (example.get("words") or ())[:MOST_WORDS]]
    largest = max((abs(number) for _, number in pairs), default=0.0)
    words = [Word(word, signed(number, largest), number / largest if largest else 0.0) for word, number in pairs]
    sure = example.get("confidence")
    title = (
        f"{str(example.get('kind', '')).capitalize()}, row {example.get('row', '?')}: the answer is "
        f"{setting_text(example.get('answer'))}" + (f" ({100 * sure:.0f} % sure)" if isinstance(sure, float) else "")
    )
    return Words(
        f"{one_line(title, 200)}, the truth is {setting_text(example.get('truth'))}",
        words, one_line(str(example.get("text", "")), LETTERS),
    )  # fmt: skip
