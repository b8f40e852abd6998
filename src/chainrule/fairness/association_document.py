"""What association tests came to, as text and as a page."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.drawing import intervals
from chainrule.fairness.association import Association
from chainrule.fairness.output import INTRINSIC, aligned, number, probability
from chainrule.report.study.document import Cell, Document, Fold, Paragraph, Part, Picture, Row, Section, Table
from chainrule.report.study.shown import several
from chainrule.shown import one_line

HEAD = ("test", "targets, attributes", "words", "d", "p one-sided", "p two-sided", "partitions")


def association_text(found: Sequence[Association]) -> str:
    """For a terminal."""
    lines = [INTRINSIC, "", aligned([HEAD, *(_row(x) for x in found)]), ""]
    lines += [f"test {x.test.name}: no vector of {text}" for x in found if (text := missing(x))]
    lines.append("d above 0: the first targets stand nearer to the first attributes than the second targets do.")
    return "\n".join(lines)


def missing(x: Association) -> str:
    """The words without a vector; "" where all have one."""
    return ", ".join(one_line(word) for words in x.missing.values() for word in words)


def _row(x: Association) -> list[str]:
    ways = f"all {x.partitions:,}" if x.exact else f"{x.partitions:,} drawn"
    return [
        one_line(x.test.name, 20), x.question, x.covered, f"{x.effect:+.2f}", probability(x.one_sided),
        probability(x.two_sided), ways,
    ]  # fmt: skip


def association_document(found: Sequence[Association]) -> Document:
    """A page: the classifier comes first, then the figures."""
    rows: list[Row] = []
    for x in found:
        name, question, words, _, _, _, ways = _row(x)
        p = [Cell(probability(p), p) for p in (x.one_sided, x.two_sided)]
        rows.append([name, question, words, number(x.effect), *p, ways])
    caption = (
        "d is in standard deviations of the targets; p is the share of ways to part the targets with as large a d."
    )
    summary = Section("tests", "Association tests", [Paragraph(INTRINSIC, "note"), Table(caption, HEAD, rows)])
    sections = [summary, *(_section(k, x) for k, x in enumerate(found, start=1))]
    large = [x for x in found if x.one_sided <= 0.05]
    told = (
        f"{several(len(large), 'test')} of {len(found)} {'has' if len(large) == 1 else 'have'} an association in the "
        f"direction of the lists that chance hardly explains (one-sided p of 0.05 or less, each test by itself)."
    )
    return Document(f"Associations of {found[0].of}", told, "", sections)


def _section(place: int, x: Association) -> Section:
    rows = [
        intervals.Interval(f"{name} ({len(words)})", sum(words.values()) / len(words), values=[*words.values()])
        for name, words in x.scores.items()
    ]
    _, _, a, b = x.test.lists
    drawn = intervals.draw_intervals(rows, f"nearer to {one_line(a, 20)} than to {one_line(b, 20)}", "", marks=[0.0])
    words: list[Row] = [
        [word, one_line(name), number(score)] for name, held in x.scores.items() for word, score in held.items()
    ]
    parts: list[Part] = [
        Picture("Each target word as a dot, and the mean of each list.", drawn),
        Fold("The words", [Table("Mean cosine to the first attributes minus that to the second.",
                                 ["word", "list", "s"], words, sortable=True)]),
    ]  # fmt: skip
    if missing(x):
        parts.append(Paragraph(f"No vector: {missing(x)}.", "note"))
    return Section(f"test-{place}", f"{x.test.name}: {x.question}", parts)
