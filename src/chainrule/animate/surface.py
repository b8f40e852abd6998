"""Descent on a surface: the ways that optimizers take, and the loss by step."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from xml.etree import ElementTree as ET

import numpy as np

from chainrule.animate.picture import FARTHEST, clipped, draw_dot, draw_regions
from chainrule.dataclasses import dataclass
from chainrule.drawing.axis import Axis
from chainrule.drawing.contours import regions
from chainrule.drawing.film import Film
from chainrule.drawing.plot import (
    UNSEEN,
    WIDTH,
    Field,
    Panel,
    Series,
    draw_field,
    draw_line,
    draw_panel,
    draw_text,
    draw_title,
    kind_of,
)
from chainrule.drawing.thinning import thinned
from chainrule.errors import ConfigurationError, shortened
from chainrule.graph.autodiff import gradients
from chainrule.graph.conversion import tensor
from chainrule.graph.leaves import Parameter
from chainrule.graph.spec import FLOAT32, Array
from chainrule.graph.tensor import Tensor
from chainrule.optim import Optimizer

#: Points of the grid on each side, levels of the surface, and the height of its picture.
GRID, LEVELS, HEIGHT = 49, 12, 300.0
#: Of so many levels one has its number, which is so far from edges and other numbers.
NAMED, ROOM = 2, 24.0
#: Frames and steps, at most.
FRAMES, MOST_STEPS = 60, 10_000
#: What is left free around the ways, as a share of the room they take.
AROUND = 0.15

Function = Callable[[Tensor, Tensor], Tensor]
Window = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Way:
    """Where an optimizer has been, as long as that is a finite number.

    Attributes:
        points: shape (steps + 1, 2).
        losses: there, shape (steps + 1,).
    """

    points: Array
    losses: Array


def descent(
    function: Function,
    optimizers: Mapping[str, Optimizer] | Sequence[Optimizer] | Optimizer,
    *,
    start: tuple[float, float],
    steps: int = 50,
    window: Window | None = None,
    title: str = "Descent",
) -> Film:
    """A film of optimizers on the surface z = f(x, y), which they go down from the same point, and of z by step.

    Each step is one of the optimizer's own on the gradient by autodiff; the same arguments give the same
    film. Ground is shaded more the higher it is, and levels have their numbers.

    Args:
        function: f, of two scalar tensors to one.
        optimizers: by the names that they get in the picture, or without: then they are called by their settings.
        start: x and y at first.
        steps: how many each takes; a way ends where it is no longer finite.
        window: the ends of x and of y that are shown; None for what holds the points that are not above the start.
        title: above the picture.

    Returns:
        The film, of 60 frames at most.

    Raises:
        ConfigurationError: for what is no function of two numbers, no optimizer, or a start where f is not finite.

    Example:
        >>> import chainrule
        >>> rates = {"too low": 0.002, "right": 0.03, "too high": 0.0405}
        >>> valley = lambda x, y: x**2 + 25 * y**2
        >>> ways = {name: chainrule.SGD(rate) for name, rate in rates.items()}
        >>> chainrule.animate.descent(valley, ways, start=(-2.0, 0.8), steps=40)
        Film('Descent', 41 frames)
    """
    named = _named(optimizers)
    if not isinstance(steps, int) or isinstance(steps, bool) or not 1 <= steps <= MOST_STEPS:
        raise ConfigurationError(f"descent: expected 1 to {MOST_STEPS:,} steps, got {shortened(steps)}")
    if not (isinstance(start, Sequence) and len(start) == 2 and all(map(_finite, start))):
        raise ConfigurationError(f"descent: expected a start of two finite numbers, got {shortened(start)}")
    if not math.isfinite(_value(function, *start).item()):
        raise ConfigurationError(
            f"descent: the function is not finite at the start, {shortened(start)}; choose another"
        )
    ways = {name: _way(function, optimizer, start, steps) for name, optimizer in named.items()}
    (x_low, x_high), (y_low, y_high) = _window(list(ways.values())) if window is None else _checked(window)
    ground = ET.Element("g")
    top = draw_title(ground, title)
    axes = [Axis.over([low, high], room=0) for low, high in ((x_low, x_high), (y_low, y_high))]
    field = draw_field(ground, "f(x, y), higher where shaded more", list(ways), top, *axes, height=HEIGHT)
    inside = clipped(ground, field)
    highest = _draw_surface(inside, field, function)
    losses = _losses(ways, max(highest, next(iter(ways.values())).losses[0]))
    lower = draw_panel(ground, losses, field.bottom)
    taken = sorted({round(k * steps / min(steps, FRAMES - 1)) for k in range(min(steps, FRAMES - 1) + 1)})
    frames = [_frame(field, lower, ways, losses, step) for step in taken]
    return Film(title, ground, frames, ET.Element("g"), [f"step {step}" for step in taken], lower.bottom)


def _named(optimizers: object) -> dict[str, Optimizer]:
    """Optimizers by name.

    Raises:
        ConfigurationError: for anything else, and for none.
    """
    given = [optimizers] if isinstance(optimizers, Optimizer) else optimizers
    if isinstance(given, Mapping):
        named = {str(name): optimizer for name, optimizer in given.items()}
    elif isinstance(given, Sequence) and all(isinstance(x, Optimizer) for x in given):
        named = {_shown(x): x for x in given}
    else:
        named = {}
    if not named or not all(isinstance(x, Optimizer) for x in named.values()):
        raise ConfigurationError(
            f"descent: expected optimizers, such as [SGD(0.1), Adam(0.1)], or a dictionary of them by name, got "
            f"{shortened(optimizers)}"
        )
    return named


def _shown(optimizer: Optimizer) -> str:
    """An optimizer in a few words: its name, its learning rate, and what is not at its default."""
    usual = {x.name: x.default for x in optimizer.declared()}
    others = [f"{name} {value}" for name, value in optimizer.settings().items() if usual.get(name, value) != value]
    name = optimizer.settings()["name"]
    return ", ".join([f"{name} {optimizer.learning_rate:g}", *(x.removesuffix(" True") for x in others)])


def _finite(x: object) -> bool:
    return isinstance(x, int | float | np.number) and not isinstance(x, bool) and math.isfinite(x)


def _value(function: Function, x: float | Tensor, y: float | Tensor) -> Tensor:
    """The function at a point.

    Raises:
        ConfigurationError: when it is no scalar tensor.
    """
    given = [z if isinstance(z, Tensor) else tensor(z, FLOAT32) for z in (x, y)]
    found = function(*given) if callable(function) else None
    found = tensor(found, FLOAT32) if _finite(found) else found
    if not isinstance(found, Tensor) or found.shape != ():
        got = f"one of shape {found.shape}" if isinstance(found, Tensor) else shortened(found)
        raise ConfigurationError(
            f"descent: expected a function of two scalar tensors that gives a scalar tensor, such as "
            f"lambda x, y: x**2 + 25 * y**2, and got {got}"
        )
    return found


def _way(function: Function, optimizer: Optimizer, start: tuple[float, float], steps: int) -> Way:
    """The points that an optimizer comes to."""
    point = Parameter.of(list(start), name="point", dtype="float32")
    state = optimizer.start([point])
    points, losses = [], []
    for step in range(steps + 1):
        loss = _value(function, point[0], point[1])
        place, value = point.numpy().copy(), loss.item()
        if not (math.isfinite(value) and abs(place).max() < FARTHEST):
            break
        points.append(place)
        losses.append(value)
        if step < steps:
            optimizer.step([point], gradients(loss, [point]), state)
    return Way(np.array(points), np.array(losses))


def _window(ways: Sequence[Way]) -> Window:
    """The room of all points that are not above the start, and some more."""
    shown = np.concatenate([way.points[way.losses <= way.losses[0]] for way in ways])
    low, high = shown.min(axis=0), shown.max(axis=0)
    size = float((high - low).max()) or 2 * float(abs(shown).max()) or 2.0
    middle, half = (low + high) / 2, np.maximum(high - low, size / 2) * (0.5 + AROUND)
    (a, c), (b, d) = (middle - half).tolist(), (middle + half).tolist()
    return (a, b), (c, d)


def _checked(window: object) -> Window:
    """The window that was given.

    Raises:
        ConfigurationError: when it has no size.
    """
    try:
        (a, b), (c, d) = window  # type: ignore[misc]
    except (TypeError, ValueError):
        a = b = c = d = None
    if not all(map(_finite, (a, b, c, d))) or not (a < b and c < d):  # type: ignore[operator]
        raise ConfigurationError(
            f"descent: expected a window such as ((-1, 1), (-2, 2)), x and y from low to high, got {shortened(window)}"
        )
    return (float(a), float(b)), (float(c), float(d))  # type: ignore[arg-type]


def _draw_surface(root: ET.Element, field: Field, function: Function) -> float:
    """Draw levels of the surface, each for as many points of the grid; its highest point there."""
    x, y = (np.linspace(axis.low, axis.high, GRID) for axis in (field.x_axis, field.y_axis))
    values = np.array([[_value(function, a, b).item() for a in x] for b in y])
    finite = values[np.isfinite(values)]
    if not finite.size:
        return math.nan
    levels = np.unique(np.quantile(finite, np.linspace(0, 1, LEVELS + 2)[1:-1])).tolist()
    borders = [regions(x, y, values, level) for level in levels]
    for loops in borders:
        draw_regions(root, field, loops, "slope")
    taken = [((field.left + field.right) / 2, (field.upper + field.lower) / 2)]
    for level, loops in list(zip(levels, borders, strict=True))[::NAMED]:
        _name_level(root, field, loops, level, taken)
    return float(finite.max())


def _name_level(
    root: ET.Element, field: Field, loops: Sequence[Array], level: float, taken: list[tuple[float, float]]
) -> None:
    """Write a level on its border, as far as there is from what stands there already; nowhere if it has no room."""
    free = [
        (x, y) for x, y in (field.place(*point) for loop in loops for point in loop)
        if field.left + ROOM < x < field.right - ROOM and field.upper + ROOM < y < field.lower - ROOM
    ]  # fmt: skip
    if free:
        x, y = max(free, key=lambda point: min(math.dist(point, other) for other in taken))
        if min(math.dist((x, y), other) for other in taken) > ROOM:
            taken.append((x, y))
            draw_text(root, f"{level:.3g}", x, y + 4, "number level", "middle")


def _losses(ways: Mapping[str, Way], highest: float) -> Panel:
    """The panel of losses by step; those above all that the surface shows are left out."""
    series = [
        Series(name, range(len(way.losses)), [loss if loss <= highest else None for loss in way.losses.tolist()])
        for name, way in ways.items()
    ]
    held = [y for each in series for y in each.y if y is not None]
    logarithmic = min(held) > 0 and max(held) > 50 * min(held)
    return Panel("f by step", series, x_label="Step", whole=True, logarithmic=logarithmic)


def _frame(field: Field, lower: Field, ways: Mapping[str, Way], losses: Panel, step: int) -> ET.Element:
    """The ways up to a step, and where on their curves that is."""
    frame = ET.Element("g")
    inside = clipped(frame, field)
    far = 4 * WIDTH
    for index, way in enumerate(ways.values()):
        placed = [field.place(x, y) for x, y in way.points[: step + 1].tolist()]
        near = [(min(max(x, -far), far), min(max(y, -far), far)) for x, y in placed]
        draw_line(inside, thinned(near, UNSEEN), kind_of(index), index)
    for index, way in enumerate(ways.values()):
        if step < len(way.points):
            x, y = way.points[step].tolist()
            draw_dot(inside, field, x, y, index)
            loss = losses.series[index].y[step]
            if loss is not None:
                draw_dot(frame, lower, step, loss, index)
    return frame
