"""The configuration that is best in validation: its settings, its layers and the picture of its graph."""

from __future__ import annotations

from chainrule.report.study.document import Fold, Image, Paragraph, Part, Section, Table
from chainrule.report.study.ranking import Ranking
from chainrule.report.study.shown import setting_text
from chainrule.shown import one_line


def section(ranking: Ranking) -> Section | None:
    """What the best configuration is."""
    if not ranking or ranking[0].rank is None:
        return None
    best, winner = ranking[0], ranking.study.winner or {}
    parts: list[Part] = []
    if winner and winner.get("configuration") != best.configuration:
        parts.append(Paragraph(
            f"The winner that was explained when the study ended is another configuration, "
            f"{one_line(str(winner.get('configuration')))}; the study has gone on since.", "note",
        ))  # fmt: skip
    if winner.get("summary"):
        parts.append(Paragraph(str(winner["summary"]), "preformatted"))
    if isinstance(winner.get("graph"), str) and winner["graph"].lstrip().startswith("<svg"):
        picture = Image("Its graph, from what goes in to what comes out.", winner["graph"])
        parts.append(Fold("The picture of its graph", [picture]))
    rows = [[one_line(place, 80), setting_text(value)] for place, value in ranking.study.resolved(best.runs[0]).items()]
    parts.append(Fold("All its settings", [Table(f"Settings of {best.label}.", ["setting", "value"], rows)]))
    return Section("winner", f"Best in validation: {best.label}", parts)
