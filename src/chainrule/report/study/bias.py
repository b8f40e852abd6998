"""What a study's models were tested for bias with: the records that `chainrule bias STUDY TABLE` writes down."""

from __future__ import annotations

from chainrule.report.record import Line, read_record
from chainrule.report.study.study import Study

#: The file of a study's folder: one JSON object a test.
RECORD = "bias.jsonl"
GROUPS, SWAPS = "bias by group", "counterfactual bias"


def tests(study: Study) -> list[Line]:
    """The tests there are, in the order in which they were made; of the same test twice, the last.

    Raises:
        DataError: when the record cannot be read.
    """
    path = study.folder / RECORD
    held: dict[tuple[str, ...], Line] = {}
    for line in read_record(path) if path.exists() else []:
        keys = ("kind", "table", "by", "name", "pairs")
        held[tuple(str(line.get(key)) for key in keys)] = line
    return [line for line in held.values() if line.get("kind") in (GROUPS, SWAPS)]
