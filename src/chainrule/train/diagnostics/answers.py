"""Answers that ignore the rows: always the commonest label, or no label at all."""

from __future__ import annotations

from chainrule.data.dialect import AUTO
from chainrule.train.diagnostics.contract import Course, illness

#: Labels are unequal where the commonest has so many times its part of the rows.
UNEQUAL = 1.4


@illness("class imbalance ignored")
def majority(course: Course) -> str | None:
    """Of unequal labels the commonest is answered for every row of validation, in the epoch that is kept."""
    labels = course.first.get("data", {}).get("train", {}).get("labels", {})
    task = course.first.get("task", {}).get("name")
    kept = course.epochs[course.best]
    if task == "multi-label":
        if kept.get("valid_micro_f1") != 0 or not labels:
            return None
        found = course.first["task"].get("threshold") == AUTO
        lower = "" if found else "lower the probability from which on one is given (--threshold auto), or "
        return f"class imbalance ignored: no row gets any label; {lower}train longer"
    if task != "classify" or len(labels) < 2:
        return None
    name, rows = max(labels.items(), key=lambda item: item[1])
    share = rows / sum(labels.values())
    accuracy, f1 = kept.get("valid_accuracy"), kept.get("valid_macro_f1")
    if accuracy is None or f1 is None or share * len(labels) < UNEQUAL:
        return None
    classes = max(len(course.first.get("data", {}).get("valid", {}).get("labels", {})), 1)
    always = [2 * accuracy / (1 + accuracy) / count for count in (len(labels), classes)]
    if min(abs(f1 - expected) for expected in always) > 1e-9:
        return None
    return (
        f"class imbalance ignored: every row of validation gets the label {name!r}, which {share:.0%} of the training "
        "rows have; make all labels count the same (--class-weights balanced)"
    )
