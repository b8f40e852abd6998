"""Dead and saturated units, from what the activations gave when they were looked at."""

from __future__ import annotations

from chainrule.train.diagnostics.contract import Course, illness

#: Such a share of the units of a layer is too many.
DEAD, SATURATED = 0.6, 0.6


@illness("dead units")
def dead(course: Course) -> str | None:
    """Units of ReLU that are 0 for all rows get no gradient, and learn nothing any more."""
    shares = {place: seen["dead"] for place, seen in course.last("layers").items() if "dead" in seen}
    place = max(shares, key=shares.__getitem__, default=None)
    if place is None or shares[place] < DEAD:
        return None
    return (
        f"dead units: {shares[place]:.0%} of the ReLU units of {place} are 0 for every row looked at, and no longer "
        f"learn; lower the learning rate ({course.rate:g}), or take tanh"
    )


@illness("saturated units")
def saturated(course: Course) -> str | None:
    """Units of sigmoid or tanh that are near their limits for most rows get next to no gradient."""
    shares = {place: seen["saturated"] for place, seen in course.last("layers").items() if "saturated" in seen}
    place = max(shares, key=shares.__getitem__, default=None)
    if place is None or shares[place] < SATURATED:
        return None
    return (
        f"saturated units: {shares[place]:.0%} of what the units of {place} give is at its limits, where there is "
        f"next to no gradient; scale the inputs, lower the learning rate ({course.rate:g}), or take relu"
    )
