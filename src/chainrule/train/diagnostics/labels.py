"""Labels that are likely wrong, and rows that stand in training and validation."""

from __future__ import annotations

from chainrule.train.diagnostics.contract import Course, illness

#: Of so many rows and such a share of them it is worth saying.
FEWEST, SHARE = 3, 0.01
#: Of rows that are answered wrongly, labels that are wrong make so many times as many sure answers as doubtful ones,
#: while those that are hard to tell make more doubtful ones; and of a model that answers more rows wrongly it says
#: nothing.
SURER, WRONG = 1.5, 0.25
#: Rows that are shown.
SHOWN = 3


@illness("labels likely wrong")
def wrong(course: Course) -> str | None:
    """Of the rows of validation that are answered wrongly, the model is sure of most.

    It is asked of the look with the lowest validation loss: later, a model may be sure because it is overfitted.
    """
    line, seen = min(course.observed("labels"), key=lambda pair: pair[0]["valid_loss"], default=({}, None))
    if seen is None or seen["sure"] + seen["doubtful"] > WRONG * seen["rows"]:
        return None
    if seen["sure"] < max(FEWEST + 1, 2 * SHARE * seen["rows"], SURER * seen["doubtful"]):
        return None
    kind = "train" if seen["train"] else "valid"
    shown = "; ".join(
        f"row {each['row']} is {each['label']!r}, and {each['answer']!r} is {each['probability']:.0%} likely"
        for each in seen[kind][:SHOWN]
    )
    part = {"train": "training", "valid": "validation"}[kind]
    return (
        f"labels likely wrong: {seen['sure']} of {seen['rows']} rows of validation contradict what the model is sure "
        f"of in epoch {line['epoch']:g}; of the {part} rows, {shown}; look at them (the record lists more)"
    )


@illness("training rows in validation")
def repeated(course: Course) -> str | None:
    """Rows of validation that are training rows too make its figures too good."""
    seen = course.first.get("repeated")
    if not seen or seen["rows"] < max(FEWEST, SHARE * seen["of"]):
        return None
    return (
        f"training rows in validation: {seen['rows']} of {seen['of']} rows of validation are training rows, too, so "
        "its figures are too good; remove repeated rows, or split so that they stay together"
    )
