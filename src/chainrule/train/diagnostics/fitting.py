"""Converged, overfitting and underfitting, from the two curves."""

from __future__ import annotations

from chainrule.train.diagnostics.contract import LITTLE, Course, illness
from chainrule.train.diagnostics.learning import diverging, oscillating, too_slow

#: The validation loss has risen, and the training loss gone on falling, where they did so by such a part.
RISEN, FALLEN = 1.15, 0.85
#: Epochs that tell whether a curve is level, at least.
FEWEST_LEVEL = 5
#: A level loss above such a part of that of a baseline is that of a model that fits too little.
UNFIT = 0.85


@illness("overfitting")
def overfitting(course: Course) -> str | None:
    """The validation loss rises from some epoch on, while the training loss falls."""
    best, train, valid = course.best, course.train, course.valid
    if best == len(valid) - 1 or diverging(course) or oscillating(course):
        return None
    level = course.level or valid[0]
    if valid[-1] - valid[best] < max(valid[best] * (RISEN - 1), LITTLE * level) or train[-1] > FALLEN * train[best]:
        return None
    return (
        f"overfitting: from epoch {course.passes(best)} on the validation loss rises ({valid[best]:.3g} to "
        f"{valid[-1]:.3g}) while the training loss falls ({train[best]:.3g} to {train[-1]:.3g}); the weights of epoch "
        f"{course.passes(best)} are kept; more rows, dropout, l2 or a smaller network help"
    )


@illness("underfitting")
def underfitting(course: Course) -> str | None:
    """Both losses are level, near each other, and little below that of a baseline."""
    level = course.level
    if level is None or not _is_level(course):
        return None
    train, valid = course.train[-1], course.valid[course.best]
    if not UNFIT * level < train < (1 - LITTLE) * level or valid < (UNFIT - 0.1) * level:
        return None
    return (
        f"underfitting: the training loss is level at {train:.3g}, little below the {level:.3g} that needs no look at "
        "a row; a larger network, other inputs, less dropout or less l2 help"
    )


@illness("converged")
def converged(course: Course) -> str | None:
    """The training loss stays level: more epochs would change little."""
    level = course.level
    if level is None or not _is_level(course):
        return None
    if course.train[-1] > (1 - LITTLE) * level:
        return None
    return f"converged: the training loss stays level at {course.train[-1]:.3g}; more epochs would change little"


def _is_level(course: Course) -> bool:
    """Whether the last third of the training losses differ by next to nothing of what the loss was at the start."""
    train, level = course.train, course.level or 0
    late = train[-max(len(train) // 3, 2) :]
    if len(train) < FEWEST_LEVEL or max(late) - min(late) > LITTLE / 2 * level:
        return False
    return not (diverging(course) or oscillating(course) or too_slow(course))
