"""Illnesses of the learning rate, from the course of the loss: it diverges, oscillates, stays, or falls too slowly."""

from __future__ import annotations

from itertools import pairwise
from statistics import fmean, median

from chainrule.train.diagnostics.contract import LITTLE, Course, illness

#: The loss has grown where it ends so many times above what it was.
GROWN = 1.25
#: Validation losses that tell whether a curve oscillates, at least; the mean change from one to the next, as a part of
#: the loss of a baseline; and the share of changes that turn the direction.
FEWEST_TURNS, SWING, TURNS = 6, 0.1, 0.4
#: A loss falls too slowly where it falls in so many of the epochs, by less than such a part, and the second half of
#: them does as much of it.
STEADY, SLOW, STILL = 0.9, 0.1, 0.2
FIND = "chainrule find-rate finds one"


@illness("diverging")
def diverging(course: Course) -> str | None:
    """The loss grows above that of a baseline, or was no finite number at last."""
    reason = str(course.end.get("reason", ""))
    if "became nan" in reason or "became inf" in reason:
        return f"diverging: {reason}"
    level = course.level
    end = _quarter(course.losses)
    start = min(level, *course.losses[:1]) if level is not None else course.losses[0]
    if len(course.losses) < 4 or end < GROWN * start or course.valid[-1] < start:
        return None
    return (
        f"diverging: the training loss ends at {end:.3g}, above the {start:.3g} of the start: the learning rate "
        f"{course.rate:g} is too high; try {course.rate / 10:.2g}, or {FIND}"
    )


@illness("oscillating")
def oscillating(course: Course) -> str | None:
    """Validation losses, which have no noise of sampling, go up and down by much, and not down alone."""
    level, valid = course.level, course.valid
    if level is None or len(valid) < FEWEST_TURNS or diverging(course):
        return None
    late = valid[len(valid) // 3 :]
    changes = [after - before for before, after in pairwise(late)]
    turns = sum(one * other < 0 for one, other in pairwise(changes)) / max(len(changes) - 1, 1)
    swing = median(map(abs, changes))
    if swing < SWING * level or turns < TURNS:
        return None
    return (
        f"oscillating: the validation loss goes up and down by {swing:.2g} from epoch to epoch: the learning rate "
        f"{course.rate:g} is too high; try {course.rate / 10:.2g}, a schedule that falls, or {FIND}"
    )


@illness("loss not decreasing")
def not_decreasing(course: Course) -> str | None:
    """The loss ends where a baseline is that needs no look at a row."""
    level, losses = course.level, course.losses
    if level is None or len(losses) < 4 or diverging(course) or oscillating(course) or too_slow(course):
        return None
    least = min(course.valid)
    if level - least > LITTLE * level:
        return None
    return (
        f"the loss does not decrease: in validation it is {least:.3g} at best, and {level:.3g} needs no look at a row; "
        f"check that the inputs tell the labels, and try another learning rate ({FIND}; this was {course.rate:g})"
    )


@illness("decreasing too slowly")
def too_slow(course: Course) -> str | None:
    """The validation loss falls in nearly every epoch, by little, and still does at the end."""
    level, valid = course.level, course.valid
    start = course.start if course.start is not None else level
    if level is None or start is None or len(valid) < 3 or course.best < len(valid) - 2:
        return None
    falls = sum(after < before for before, after in pairwise(valid)) / (len(valid) - 1)
    fall, late = valid[0] - valid[-1], valid[(len(valid) - 1) // 2] - valid[-1]
    if falls < STEADY or late < STILL * fall or max(fall, start - valid[-1]) > SLOW * start:
        return None
    return (
        f"decreasing too slowly: the validation loss fell steadily, but from {valid[0]:.4g} to {valid[-1]:.4g} only: "
        f"the learning rate {course.rate:g} is too low; try {course.rate * 10:.2g}, or {FIND}"
    )


def _quarter(losses: list[float]) -> float:
    """The mean of the last quarter of the losses."""
    return fmean(losses[-max(len(losses) // 4, 1) :])
