"""The points of the plane that are trained on and tested: drawn from a seed, or those of a table."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.errors import DataError
from chainrule.graph.spec import FLOAT32, Array
from chainrule.playground.setup import Setup
from chainrule.random import generator

#: How far from the middle the window reaches, for data that is drawn, unless noise moves a point farther.
REACH = 1.6
#: What is left free around the points of a table, as a share.
AROUND = 0.08
#: Classes that a table may have, as there are colours that can be told apart.
MOST_CLASSES = 6
#: Rows of a table that are shown and trained on; of more, that many are drawn.
MOST_ROWS = 2_000


@dataclass(frozen=True, eq=False)
class Scale:
    """What makes numbers of a size that networks learn from: (x - mean) / deviation."""

    mean: float = 0.0
    deviation: float = 1.0

    @classmethod
    def over(cls, numbers: Array) -> Scale:
        """That of some numbers; those that are all the same are only moved to 0."""
        return cls(float(numbers.mean()), float(numbers.std()) or 1.0)

    def to(self, numbers: Array) -> Array:
        """What the network reads or is to answer."""
        return (numbers - self.mean) / self.deviation

    def back(self, numbers: Array) -> Array:
        """What it answers, in the units of the data."""
        return numbers * self.deviation + self.mean


@dataclass(frozen=True, eq=False)
class Points:
    """Points with a class or a number each; the first ones are trained on.

    Attributes:
        places: shape (n, 2), float64.
        targets: class ids, or numbers.
        train: how many are trained on.
        classes: their names; none where targets are numbers.
        axes: the names of x and y.
        target: what the targets are called.
        window: the lowest and highest x, and y, that is shown.
        scales: of x, y and the target.
    """

    places: Array
    targets: Array
    train: int
    classes: tuple[str, ...]
    axes: tuple[str, str]
    target: str
    window: tuple[tuple[float, float], tuple[float, float]]
    scales: tuple[Scale, Scale, Scale]

    def inputs(self, setup: Setup, places: Array) -> Array:
        """What a network reads of places, shape (n, inputs)."""
        x, y = (scale.to(places[:, axis]) for axis, scale in enumerate(self.scales[:2]))
        read: dict[str, Callable[[], Array]] = {
            "x": lambda: x, "y": lambda: y, "x²": lambda: x * x, "y²": lambda: y * y, "xy": lambda: x * y,
            "sin x": lambda: np.sin(np.pi * x), "sin y": lambda: np.sin(np.pi * y),
        }  # fmt: skip
        return np.stack([read[name]() for name in setup.inputs], axis=1).astype(FLOAT32)

    @property
    def answers(self) -> Array:
        """What a network is to answer: class ids, 0 or 1 of two classes, or scaled numbers."""
        if len(self.classes) > 2:
            return self.targets
        return (self.targets if self.classes else self.scales[2].to(self.targets)).astype(FLOAT32)

    @property
    def outputs(self) -> int:
        """The outputs of a network: one for each class of more than two, else one."""
        return len(self.classes) if len(self.classes) > 2 else 1


def drawn(setup: Setup) -> Points:
    """The points that a setup draws; with the same seed the same ones, whatever network there is.

    Example:
        >>> points = drawn(Setup(data="xor", points=20))
        >>> points.places.shape, points.train, points.classes
        ((20, 2), 10, ('blue', 'orange'))
    """
    draw = generator(setup.seed, "playground", setup.data)
    count = setup.points
    ids = np.arange(count) % (3 if setup.data == "blobs" else 2)
    places = SHAPES[setup.data](draw, ids)
    plain = (Scale(), Scale(), Scale())
    order = draw.permutation(count)
    train = _train(count, setup)
    if setup.data == "waves":
        heights = np.sin(np.pi * places[:, 0]) * np.cos(np.pi / 2 * places[:, 1])
        heights = heights + setup.noise * draw.standard_normal(count)
        return Points(places[order], heights[order], train, (), ("x", "y"), "height", _around(places), plain)
    places = places + setup.noise * draw.standard_normal((count, 2))
    names = ("blue", "orange", "green")[: ids.max() + 1]
    return Points(places[order], ids[order], train, names, ("x", "y"), "colour", _around(places), plain)


def of_columns(
    setup: Setup, places: Array, targets: Array, classes: tuple[str, ...], axes: tuple[str, str], target: str
) -> Points:
    """The points of a table, at most 2,000, in an order drawn from the seed; the training points tell the scales.

    Args:
        setup: its points and noise are not asked.
        places: shape (n, 2).
        targets: class ids, or numbers where there are no classes.
        classes: the names of classes.
        axes: the names of the columns.
        target: and of what is told of each.

    Raises:
        DataError: for fewer than four points, or a number of classes that cannot be shown.
    """
    if len(places) < 4:
        raise DataError(f"playground: expected 4 points or more, got {len(places)}")
    if classes and not 2 <= len(classes) <= MOST_CLASSES:
        raise DataError(
            f"playground: column {target!r} has {len(classes)} labels; expected 2 to {MOST_CLASSES}. Name another with "
            "--label NAME, or take it as numbers with --target number"
        )
    order = generator(setup.seed, "playground", "own").permutation(len(places))[:MOST_ROWS]
    places, targets, train = places[order], targets[order], _train(len(order), setup)
    scales = [Scale.over(places[:train, axis]) for axis in (0, 1)]
    low, high = places.min(axis=0), places.max(axis=0)
    room = np.where(high > low, high - low, 1.0) * AROUND
    (a, b), (c, d) = zip((low - room).tolist(), (high + room).tolist(), strict=True)
    last = Scale() if classes else Scale.over(targets[:train])
    return Points(places, targets, train, classes, axes, target, ((a, b), (c, d)), (scales[0], scales[1], last))


def _around(places: Array) -> tuple[tuple[float, float], tuple[float, float]]:
    """A square window with all points in it."""
    reach = max(REACH, 1.05 * float(np.abs(places).max()))
    return (-reach, reach), (-reach, reach)


def _train(count: int, setup: Setup) -> int:
    """How many points are trained on: at least one, and at least one is left to test."""
    return min(max(round(count * setup.train_share), 1), count - 1)


def _round(angle: Array) -> Array:
    """Where angles are on the unit circle."""
    places: Array = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return places


def _moons(draw: np.random.Generator, ids: Array) -> Array:
    angle, side = draw.uniform(0, np.pi, len(ids)), 1 - 2 * ids
    return np.stack([side * (np.cos(angle) - 0.5), side * (np.sin(angle) - 0.25)], axis=1)


def _circles(draw: np.random.Generator, ids: Array) -> Array:
    angle, share = draw.uniform(0, 2 * np.pi, len(ids)), draw.uniform(0, 1, len(ids))
    radius = np.where(ids == 0, 0.55 * np.sqrt(share), 0.85 + 0.3 * share)
    return radius[:, None] * _round(angle)


def _spirals(draw: np.random.Generator, ids: Array) -> Array:
    along = np.sqrt(draw.uniform(0.01, 1, len(ids)))
    angle = 3.5 * np.pi * along + np.pi * ids
    return 1.35 * along[:, None] * _round(angle)


def _xor(draw: np.random.Generator, ids: Array) -> Array:
    x, y = draw.uniform(0.08, 1.2, (2, len(ids)))
    right = draw.integers(0, 2, len(ids)) * 2 - 1
    return np.stack([right * x, right * (1 - 2 * ids) * y], axis=1)


def _blobs(draw: np.random.Generator, ids: Array) -> Array:
    angle = np.pi / 2 + 2 * np.pi / 3 * ids
    return 0.85 * _round(angle) + 0.2 * draw.standard_normal((len(ids), 2))


def _square(draw: np.random.Generator, ids: Array) -> Array:
    return draw.uniform(-1.5, 1.5, (len(ids), 2))


SHAPES: dict[str, Callable[[np.random.Generator, Array], Array]] = {
    "moons": _moons, "circles": _circles, "spirals": _spirals, "xor": _xor, "blobs": _blobs, "waves": _square,
}  # fmt: skip
