"""Vanishing and exploding gradients, from their sizes by layer; updates that are too large for their weights."""

from __future__ import annotations

from chainrule.train.diagnostics.contract import Course, illness

#: The gradient of the first weights over that of the last ones; and the norm of all of them.
VANISHED, EXPLODED = 1e-3, 1e3
#: An update that changes weights by such a part of their size, each step.
TOO_LARGE = 0.05


@illness("vanishing gradients")
def vanishing(course: Course) -> str | None:
    """The gradient gets smaller from layer to layer on its way back, so that the first layers hardly learn."""
    found = _ratio(course)
    if found is None or found[0] > VANISHED:
        return None
    ratio, first, last = found
    return (
        f"vanishing gradients: those of {first} are {ratio:.0e} times those of {last}, so that the first layers hardly "
        "learn; take relu, fewer hidden layers, or larger initial weights"
    )


@illness("exploding gradients")
def exploding(course: Course) -> str | None:
    """The gradient is far larger than losses, whose scale does not depend on the table, make it."""
    line, norm = max(course.observed("norm"), key=lambda seen: seen[1], default=({}, 0.0))
    if norm < EXPLODED:
        return None
    return (
        f"exploding gradients: they had a norm of {norm:.2g} by epoch {line['epoch']:g}; limit it (--clip 1), lower "
        f"the learning rate ({course.rate:g}), or take smaller initial weights"
    )


@illness("updates too large")
def too_large(course: Course) -> str | None:
    """Each step changes most of the weights of a layer by a large part of their size."""
    ratios = course.last("updates")
    place = max(ratios, key=ratios.__getitem__, default=None)
    if place is None or ratios[place] < TOO_LARGE:
        return None
    return (
        f"updates too large: a step changes {place} by {ratios[place]:.0%} of its size, where 0.1 % is usual; lower "
        f"the learning rate ({course.rate:g})"
    )


def _ratio(course: Course) -> tuple[float, str, str] | None:
    """How the gradient of the first weights compares with that of the last ones, when both were looked at first.

    Later the gradients of a model that has learned its rows are small everywhere, and say nothing of the network.
    """
    seen = [
        {name: size for name, size in sizes.items() if size is not None} for _, sizes in course.observed("gradients")
    ]
    sizes = seen[0] if seen else {}
    if len(sizes) < 3:
        return None
    first, *_, last = sizes
    if sizes[last] == 0:
        return None
    return sizes[first] / sizes[last], first, last
