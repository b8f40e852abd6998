"""What of a page stays while a network learns: the axes and the points, and the network's units and edges, as SVG."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np

from chainrule.drawing.axis import Axis
from chainrule.drawing.page import escaped
from chainrule.drawing.plot import draw_line, draw_text, new_picture
from chainrule.graph.spec import Array
from chainrule.playground.levels import CLASS_COLOURS, SIDE, level_of, signed_picture
from chainrule.playground.look import UNITS, grid
from chainrule.playground.points import Points
from chainrule.playground.run import Run
from chainrule.playground.setup import UNIT
from chainrule.playground.state import State, span
from chainrule.shown import one_line

#: The picture of the plane: its width and height, and the edges of what lies between the axes.
WIDTH, HEIGHT, LEFT, RIGHT, TOP, LOWER = 400.0, 392.0, 44.0, 390.0, 8.0, 354.0
#: The network: from column to column, from row to row, the side of a unit's picture, and what is above the first row.
COLUMN, ROW, TILE, HEAD = 122.0, 80.0, 44.0, 36.0
#: Edges whose numbers are all shown, at most.
FEW = 12
#: Letters of a name that are shown.
NAME = 24

Scene = dict[str, Any]


def scene_of(run: Run, state: State, unit: str = "") -> Scene:
    """What of a page stays from step to step.

    Args:
        run: the training.
        state: that the pictures begin with.
        unit: whose function is seen on the large picture; "" for the answers.

    Returns:
        "address", of the settings; "settings", by name as texts; "sources", the names of what each layer reads;
        "outputs", the names of the outputs; "answers", what the large picture is called, of all outputs and of each;
        "counts", how many points there are; "kinds", the names of classes as HTML; "plane" and "network", pictures.
    """
    setup, points = run.setup, run.points
    sources = [list(setup.inputs)]
    sources += [[f"{k}.{unit + 1}" for unit in range(size)] for k, size in enumerate(setup.hidden, start=1)]
    return {
        "address": setup.address(),
        "settings": {x.name: x.text(getattr(setup, x.name)) for x in setup.declared()},
        "sources": sources,
        "outputs": outputs(points),
        "answers": answers(points),
        "counts": _counts(points),
        "kinds": _legend(points),
        "plane": plane(run, shown(state, unit)),
        "network": network(run, state, unit),
    }


def outputs(points: Points) -> list[str]:
    """The names of the outputs: of two classes, the second has the only one."""
    names = points.classes[1:] if len(points.classes) == 2 else points.classes or (points.target,)
    return [one_line(name, NAME) for name in names]


def answers(points: Points) -> list[str]:
    """What the large picture is called: of all outputs together, and of each."""
    if not points.classes:
        return [f"The answers: {outputs(points)[0]}"] * 2
    if points.outputs == 1:
        return [f"How likely {outputs(points)[0]} is"] * 2
    each = [f"How likely {name} is, up to its full colour" for name in outputs(points)]
    return ["The likeliest class, darker where it is surer", *each]


def _counts(points: Points) -> str:
    tests = len(points.places) - points.train
    return (
        f"Dots are the {points.train:,} training points, rings the {tests:,} test points, of which nothing is learned."
    )


def _legend(points: Points) -> str:
    """The colours of classes."""
    return "".join(
        f'<li><i style="background:{CLASS_COLOURS[k]}"></i>{escaped(one_line(name, NAME))}</li>'
        for k, name in enumerate(points.classes)
    )


def shown(state: State, unit: str) -> str:
    """The picture of a unit, or of the answers."""
    layer, _, number = unit.partition(".")
    picture: str = state["units"][int(layer) - 1][int(number) - 1][0] if unit else state["answer"]
    return picture


def known_unit(run: Run, unit: str) -> str:
    """The unit, if the network has it, else ""."""
    sizes = [*run.setup.hidden, run.points.outputs]
    known = {f"{layer}.{k}" for layer, size in enumerate(sizes, start=1) for k in range(1, size + 1)}
    return unit if unit in known else ""


def plane(run: Run, picture: str) -> str:
    """The window on the plane: axes with numbers, a picture behind, and the points in front."""
    points = run.points
    name = f"{points.axes[0]} and {points.axes[1]}: the points, and what is computed at each place"
    root = new_picture(name, "")
    x_axis, y_axis = (Axis.over(list(ends), room=0) for ends in points.window)
    for number in y_axis.numbers:
        y = y_axis.place(number, LOWER, TOP)
        draw_line(root, [(LEFT - 4, y), (LEFT, y)], "axis")
        draw_text(root, y_axis.shown(number), LEFT - 7, y + 4, "number", "end")
    for number in x_axis.numbers:
        x = x_axis.place(number, LEFT, RIGHT)
        draw_line(root, [(x, LOWER), (x, LOWER + 4)], "axis")
        draw_text(root, x_axis.shown(number), x, LOWER + 17, "number", "middle")
    draw_text(root, one_line(points.axes[0], NAME), (LEFT + RIGHT) / 2, LOWER + 34, "number", "middle")
    label = draw_text(root, one_line(points.axes[1], NAME), 0, 0, "number", "middle")
    label.set("transform", f"translate(11 {(TOP + LOWER) / 2:g}) rotate(-90)")
    frame = {"x": f"{LEFT:g}", "y": f"{TOP:g}", "width": f"{RIGHT - LEFT:g}", "height": f"{LOWER - TOP:g}"}
    image = {"id": "answer", "href": picture, "preserveAspectRatio": "none"}
    ET.SubElement(root, "image", {**frame, **image})
    ET.SubElement(root, "rect", {**frame, "class": "frame"})
    places = np.array([(x_axis.place(x, LEFT, RIGHT), y_axis.place(y, LOWER, TOP)) for x, y in points.places.tolist()])
    kinds = _kinds(run)
    for part, test in ((slice(None, points.train), False), (slice(points.train, None), True)):
        for kind in np.unique(kinds[part]):
            _dots(root, places[part][kinds[part] == kind], str(kind), test=test)
    return _text(root, WIDTH, HEIGHT)


def network(run: Run, state: State, unit: str) -> str:
    """The units in columns, each with the function that it computes over the plane, and the weights between them."""
    setup = run.setup
    sizes = [len(setup.inputs), *setup.hidden, run.points.outputs]
    heads = ["reads", *(f"layer {k}" for k in range(1, len(setup.hidden) + 1)), "answers"]
    width, height = COLUMN * len(sizes) - 8, HEAD + ROW * max(sizes) + 4
    root = new_picture(f"a network of {' → '.join(map(str, sizes))} units", "")
    root.set("role", "group")  # and no image, as its units are links
    edges = sum(a * b for a, b in pairwise(sizes))
    if edges <= FEW:
        root.set("class", "few")
    between = ET.SubElement(root, "g", {"aria-hidden": "true", "text-anchor": "middle"})  # a table says the same
    for layer, rows in enumerate(state["weights"], start=1):
        for source, row in enumerate(rows):
            for target, weights in enumerate(row):
                ends = _corner(layer - 1, source, sizes), _corner(layer, target, sizes)
                _edge(between, ends, f"{layer}.{target + 1}", weights, chosen=unit)
    for column, (head, size) in enumerate(zip(heads, sizes, strict=True)):
        draw_text(root, head, _corner(column, 0, sizes)[0] + TILE / 2, 13, "number", "middle")
        for number in range(size):
            _unit(root, run, state, (column, number), sizes, chosen=unit)
    return _text(root, width, height)


def _corner(column: int, number: int, sizes: list[int]) -> tuple[float, float]:
    """The upper left corner of a unit's picture."""
    free = ROW * (max(sizes) - sizes[column]) / 2
    return 22 + COLUMN * column, HEAD + free + ROW * number


def _edge(
    root: ET.Element, ends: tuple[tuple[float, float], tuple[float, float]], unit: str, weights: list[float | None],
    *, chosen: str,
) -> None:  # fmt: skip
    """A weight as a line, thicker where it is larger, and its number."""
    (x, y), (right, below) = (ends[0][0] + TILE, ends[0][1] + TILE / 2), (ends[1][0], ends[1][1] + TILE / 2)
    group = ET.SubElement(root, "g", {"class": f"edge{' chosen' if unit == chosen else ''}", "data-to": unit})
    held = [weight or 0.0 for weight in weights]
    sign = "minus" if max(held) <= 0 else "plus" if min(held) >= 0 else "both"
    bend = (right - x) / 2
    d = f"M{x:g} {y:g}C{x + bend:g} {y:g} {right - bend:g} {below:g} {right:g} {below:g}"
    ET.SubElement(group, "path", {"class": sign, "d": d, "style": f"--w:{max(map(abs, held)):.3g}"})
    place = {"x": f"{x + 0.42 * (right - x):.1f}", "y": f"{y + 0.35 * (below - y) + 4:.1f}"}
    ET.SubElement(group, "text", place).text = " ".join(f"{w:.2f}" for w in held)


def _unit(
    root: ET.Element, run: Run, state: State, place: tuple[int, int], sizes: list[int], *, chosen: str
) -> None:  # fmt: skip
    """A unit: its picture, its name, and the lowest and highest number in the picture."""
    (column, number), (x, y) = place, _corner(*place, sizes)
    if not column:
        values = run.points.inputs(run.setup, grid(run, UNITS))[:, number].reshape(UNITS, UNITS)
        group, name = ET.SubElement(root, "g", {"class": "input"}), run.setup.inputs[number]
        picture, low, high = signed_picture(values, 0.0, float(abs(values).max())), values.min(), values.max()
    else:
        key = f"{column}.{number + 1}"
        picture, low, high, dead = state["units"][column - 1][number]
        last = column == len(sizes) - 1
        name = outputs(run.points)[number] if last else key
        kind = f"unit{' dead' if dead else ''}{' chosen' if key == chosen else ''}"
        address = f"?{run.setup.address(step=state['step'], **{UNIT: '' if key == chosen else key})}"
        told = f"{'output' if last else 'unit'} {name}"
        group = ET.SubElement(root, "a", {"class": kind, "href": address, "data-unit": key, "aria-label": told})
    box = {"x": f"{x:g}", "y": f"{y:g}", "width": f"{TILE:g}", "height": f"{TILE:g}"}
    ET.SubElement(group, "rect", {**box, "class": "back"})
    ET.SubElement(group, "image", {**box, "href": picture, "preserveAspectRatio": "none"})
    ET.SubElement(group, "rect", {**box, "class": "frame"})
    draw_text(group, "dead", x + TILE / 2, y + TILE / 2 + 4, "grave", "middle")
    draw_text(group, name if len(name) < 15 else f"{name[:14]}…", x, y - 4, "name")
    draw_text(group, told_range(low, high), x + TILE / 2, y + TILE + 13, "range", "middle")


def told_range(low: float | None, high: float | None) -> str:
    """From the lowest to the highest number, in three digits."""
    return "no number" if low is None or high is None else f"{low:.3g} to {high:.3g}"


def _kinds(run: Run) -> Array:
    """The colours of points: of their class, or of the level of their number."""
    points = run.points
    if points.classes:
        return np.array([f"class{k}" for k in points.targets])
    return np.array([f"level{k + SIDE}" for k in level_of(points.targets, *span(run))])


def _dots(root: ET.Element, places: Array, kind: str, *, test: bool) -> None:
    """Points of a colour: dots that are trained on, and rings that are tested."""
    d = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in places.tolist())
    for name in (f"dots rim{' test' if test else ''}", f"dots {kind}{' test' if test else ''}"):
        ET.SubElement(root, "path", {"class": name, "d": d})
    if test:
        ET.SubElement(root, "path", {"class": "dots hole", "d": d})


def _text(root: ET.Element, width: float, height: float) -> str:
    root.set("viewBox", f"0 0 {width:g} {height:g}")
    attributes: Mapping[str, str] = {"width": f"{width:g}", "height": f"{height:g}"}
    root.attrib.update(attributes)
    return ET.tostring(root, encoding="unicode")
