"""The state of a training after a step, as JSON: pictures of the plane, weights, losses, and what is to be said."""

from __future__ import annotations

import math
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np

from chainrule.drawing.plot import Panel, Series, draw_line, draw_panel, finished, new_picture
from chainrule.graph.spec import Array
from chainrule.playground.advice import advice, baseline, thinned
from chainrule.playground.levels import class_picture, classes_picture, signed_picture
from chainrule.playground.look import ANSWERS, Unit, outputs_of, units_of
from chainrule.playground.run import Run

#: Points of the curves, at most.
MOST_LOSSES = 120

State = dict[str, Any]


def state_of(run: Run) -> State:
    """What a page shows of a training after the step it is at.

    Returns:
        "step", "passes"; "answer", a picture of the answers, and "ends", what the last colours stand for; "units", by
        layer and at last the outputs: the picture of each, the lowest and highest number in it, and whether it is dead;
        "weights", by layer the rows of a matrix, and "biases"; "train" and "test": the loss, and how many are answered
        rightly; "said", the same in a sentence; "dead", names of units; "advice", sentences.

    Example:
        >>> from chainrule.playground.setup import Setup
        >>> run = Run(Setup(data="xor", hidden=(3,), engine="eager"))
        >>> run.advance(10)
        >>> state = state_of(run)
        >>> state["step"], [len(layer) for layer in state["units"]], state["train"]["right"] == run.right()[0]
        (10, [3, 1], True)
    """
    hidden, outputs = units_of(run), outputs_of(run)
    dead = [
        f"{index}.{number}"
        for index, layer in enumerate(hidden, start=1)
        for number, unit in enumerate(layer, start=1)
        if unit.dead
    ]
    _, train, test = run.measured()
    right = run.right()
    sides = [
        {"loss": _finite(loss), "right": None if right is None else right[k]} for k, loss in enumerate((train, test))
    ]
    picture, ends = _answer(run)
    return {
        "step": run.step,
        "passes": run.passes,
        "answer": picture,
        "ends": ends,
        "units": [
            *([[*_hidden(unit), unit.dead] for unit in layer] for layer in hidden),
            [[*_output(run, outputs, index), False] for index in range(len(outputs))],
        ],
        "weights": [_rows(layer) for layer in [*hidden, outputs]],
        "biases": [[_numbers(unit.biases) for unit in layer] for layer in [*hidden, outputs]],
        "train": sides[0],
        "test": sides[1],
        "said": _said(run, train, test, right),
        "dead": dead,
        "advice": [*_of_dead(run, dead), *advice(run)],
    }


def curve(run: Run, *, marked: bool = False) -> str:
    """The losses of the training and the test points by step, as SVG, for a page that has the style of plots.

    Args:
        run: the training so far.
        marked: whether there is a line that a script moves to a step.
    """
    seen = thinned(run, MOST_LOSSES)
    if seen[-1][0] != run.step:
        seen = [*seen, run.measured()]
    steps = [step for step, _, _ in seen]
    lines = [
        Series(name, steps, [each[k] for each in seen]) for k, name in ((1, "training points"), (2, "test points"))
    ]
    level = baseline(run)
    guide = Series("no look at points", [0, max(steps[-1], 1)], [level, level])
    root = new_picture("The loss by step", "")
    field = draw_panel(root, Panel("Loss", lines, x_label="Step", whole=True, guides=[guide]), 0)
    if marked:
        start, end = (field.place(step, 0)[0] for step in (0, 1))
        told = {"class": "now", "data-from": f"{start:.2f}", "data-each": f"{end - start:.6g}"}
        group = ET.SubElement(root, "g", {**told, "transform": f"translate({start + (end - start) * run.step:.2f} 0)"})
        draw_line(group, [(0, field.lower), (0, field.upper)], "axis")
    return finished(root, field.bottom)


def _answer(run: Run) -> tuple[str, list[float]]:
    """The picture of the answers, and what its last colours stand for."""
    outputs = outputs_of(run, ANSWERS)
    if len(outputs) > 1:
        return classes_picture(np.stack([output.values for output in outputs], axis=-1)), [0.0, 1.0]
    if run.points.classes:
        return signed_picture(outputs[0].values, 0.5, 0.5), [0.0, 1.0]
    middle, reach = span(run)
    return signed_picture(outputs[0].values, middle, reach), [middle - reach, middle + reach]


def span(run: Run) -> tuple[float, float]:
    """The middle of the numbers that points have, and how far the farthest is from it."""
    targets = run.points.targets
    low, high = float(targets.min()), float(targets.max())
    return (low + high) / 2, (high - low) / 2 or 1.0


def _output(run: Run, outputs: list[Unit], index: int) -> list[Any]:
    """The picture of an output, and the lowest and highest number in it."""
    values = outputs[index].values
    if len(outputs) > 1:
        return [class_picture(values, index), *_ends(values)]
    middle, reach = (0.5, 0.5) if run.points.classes else span(run)
    return [signed_picture(values, middle, reach), *_ends(values)]


def _hidden(unit: Unit) -> list[Any]:
    """The picture of a hidden unit, and the lowest and highest number in it."""
    low, high = _ends(unit.values)
    return [signed_picture(unit.values, 0.0, max(abs(low or 0.0), abs(high or 0.0))), low, high]


def _ends(values: Array) -> tuple[float | None, float | None]:
    """The lowest and the highest finite number, in as many decimals as give the larger one three digits."""
    held = values[np.isfinite(values)].astype(np.float64)
    if not held.size:
        return None, None
    low, high = float(held.min()), float(held.max())
    size = max(abs(low), abs(high))
    decimals = 2 - math.floor(math.log10(size)) if size else 0
    return round(low, decimals) + 0.0, round(high, decimals) + 0.0


def _rows(layer: list[Unit]) -> list[list[list[float | None]]]:
    """The weights into a layer: by what they come from, by unit, the numbers; most have one."""
    sources = len(layer[0].weights)
    return [[_numbers(unit.weights[source]) for unit in layer] for source in range(sources)]


def _numbers(array: Array) -> list[float | None]:
    """Numbers of an array of float32 in as few digits as tell them from all others."""
    return [_finite(x) for x in np.atleast_1d(array)]


def _finite(number: Any) -> float | None:
    return float(str(np.float32(number))) if math.isfinite(number) else None


def _said(run: Run, train: float, test: float, right: tuple[int, int] | None) -> str:
    """The state in a sentence."""
    counts = run.points.train, len(run.points.places) - run.points.train
    parts = [
        f"{loss:.4g} on the {count:,} {name} points" + (f" ({right[k]:,} right)" if right is not None else "")
        for k, (loss, count, name) in enumerate(zip((train, test), counts, ("training", "test"), strict=True))
    ]
    stopped = f" Training has ended: {run.stopped}." if run.stopped else ""
    passes = f"{run.passes:,} {'pass' if run.passes == 1 else 'passes'}"
    return f"Step {run.step:,}, {passes}. Loss {' and '.join(parts)}.{stopped}"


def _of_dead(run: Run, dead: list[str]) -> list[str]:
    """What is to be said of dead units."""
    if not dead:
        return []
    one = len(dead) == 1
    of = f"unit {dead[0]} is" if one else f"units {', '.join(dead)} are"
    return [
        f"Dead: {of} flat ({run.setup.activation} has slope 0) for every one of the {run.points.train:,} training "
        f"points, so that no gradient reaches {'its' if one else 'their'} weights. A lower learning rate from the "
        "start, or a function that is nowhere flat, such as leaky_relu, avoids it."
    ]
