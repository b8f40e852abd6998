"""Decision regions: what a network answers at each point of the plane while it trains, and the loss by step."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Self
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import ArrayLike

from chainrule.animate.picture import clipped, draw_dot, draw_regions
from chainrule.blocks import sigmoid, softmax
from chainrule.data import Examples, Table
from chainrule.dataclasses import dataclass
from chainrule.drawing.axis import Axis
from chainrule.drawing.contours import regions
from chainrule.drawing.film import Film
from chainrule.drawing.plot import (
    COLOURS,
    Field,
    Panel,
    Series,
    draw_field,
    draw_panel,
    draw_title,
)
from chainrule.errors import ConfigurationError, ShapeError, shortened
from chainrule.graph.conversion import tensor
from chainrule.graph.spec import FLOAT32, Array
from chainrule.graph.tensor import Tensor
from chainrule.train.trainer import Observer, Trainer

#: Points of the grid on each side, the height of its picture, and what is left free around the points, as a share.
GRID, HEIGHT, AROUND = 49, 300.0, 0.08
#: How much likelier than all others a class is, from which on its colour becomes darker.
CERTAIN = (0.0, 0.5, 0.9)
#: Points that are drawn, and steps whose losses are drawn, at most: of more losses, the means of as many in a row.
MOST_POINTS, MOST_LOSSES = 500, 200

Network = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class _Look:
    """What a network answered after a step: probabilities of the classes at the points of the grid."""

    step: int
    probabilities: Array


class Regions(Observer):
    """Looks at a network of two inputs while it trains, and makes a film of its decision regions and its loss.

    The colour of a place is that of the likeliest class there, darker where it is surer. Of a training of any length
    it keeps looks that are equally far apart.

    Args:
        points: of the training rows, shape (rows, 2).
        labels: their classes, whole numbers from 0 on; by `of_table`, any labels.
        frames: looks that are kept at most; at least half as many are, where there are as many steps.
        title: above the picture.

    Raises:
        ConfigurationError: for what are no points of the plane with classes.

    Example (a loop of one's own):
        >>> import chainrule
        >>> points, labels = np.array([[0, 0], [1, 1], [0, 1], [1, 0.0]]), [0, 0, 1, 1]
        >>> layer = chainrule.nn.Linear(2, 2, generator=np.random.default_rng(0))
        >>> seen, adam = chainrule.animate.Regions(points, labels), chainrule.Adam(0.1)
        >>> state = adam.start(layer.parameters())
        >>> for step in range(20):
        ...     loss = chainrule.nn.cross_entropy(layer(np.float32(points)), labels)
        ...     adam.step(layer.parameters(), chainrule.gradients(loss, layer.parameters()), state)
        ...     seen.add(layer, loss.item())
        >>> seen.film()
        Film('Decision regions', 20 frames)
    """

    turn: ClassVar[int] = Observer.SHOWS

    def __init__(
        self, points: ArrayLike, labels: ArrayLike, *, frames: int = 40, title: str = "Decision regions"
    ) -> None:
        self.points, self.labels = _points(points), np.asarray(labels)
        if self.labels.shape != (len(self.points),):
            raise ConfigurationError(
                f"Regions: expected a label for each of the {len(self.points)} points, got shape {self.labels.shape}"
            )
        if not isinstance(frames, int) or isinstance(frames, bool) or frames < 2:
            raise ConfigurationError(f"Regions: expected at least 2 frames, got {shortened(frames)}")
        self.frames, self.title = frames, title
        self.names: tuple[Any, ...] = ()
        low, high = self.points.min(axis=0), self.points.max(axis=0)
        size = np.where(high > low, high - low, 1.0) * AROUND
        self._x, self._y = (np.linspace(a, b, GRID) for a, b in zip(low - size, high + size, strict=True))
        across, up = np.meshgrid(self._x, self._y)
        self._grid = np.stack([across.ravel(), up.ravel()], axis=1).astype(FLOAT32)
        self._losses: list[float] = []
        self._looks: list[_Look] = []
        self._apart = 1
        self._last: Callable[[], Array] | None = None

    @classmethod
    def of_table(cls, table: Table, *, frames: int = 40, title: str = "Decision regions") -> Self:
        """What looks at `chainrule.fit` over a table with two columns of numbers, given as one of its `observers`.

        Raises:
            ConfigurationError: for a table with other columns, or without labels.

        Example:
            >>> import chainrule
            >>> import polars as pl
            >>> frame = pl.DataFrame({"x": [0, 1, 0, 1] * 5, "y": [0, 1, 1, 0] * 5, "label": list("aabb") * 5})
            >>> table = chainrule.Table.from_frame(frame, numbers=["x", "y"], label="label")
            >>> seen = chainrule.animate.Regions.of_table(table)
            >>> training = chainrule.Training(epochs=3, batch_size=4)
            >>> run = chainrule.fit(chainrule.LinearModel(), table, table, training=training, observers=[seen])
            >>> seen.film()
            Film('Decision regions', 15 frames)
        """
        columns = table.columns
        numeric = [name for name in columns.columns if columns[name].dtype.is_numeric()]
        if table.textual or len(columns.columns) != 2 or len(numeric) != 2 or table.labels is None:
            raise ConfigurationError(
                f"Regions: expected a labelled table with two columns of numbers, and {table.name} has the columns "
                f"{shortened(', '.join(columns.columns))}; choose two, as in --numbers x,y"
            )
        return cls(columns.to_numpy(), table.labels.to_numpy(), frames=frames, title=title)

    def add(self, network: Network, loss: float) -> None:
        """Look at a network after a step.

        Args:
            network: from points, float32 of shape (n, 2), to logits: of each class, shape (n, classes), or of the
                second of two, shape (n,) or (n, 1).
            loss: of the step.

        Raises:
            ShapeError: for outputs of another shape.
        """
        self._add(lambda: self._asked(network), loss)

    def batch_ended(self, trainer: Trainer, batch: Examples, sums: Mapping[str, float]) -> None:  # noqa: ARG002
        """Look at the model in training."""
        model = trainer.model
        self.names = model.labels
        self._add(lambda: model.predict_probabilities(self._grid, engine=trainer.engine), sums["loss"] / sums["weight"])

    def training_ended(self, trainer: Trainer) -> None:  # noqa: ARG002
        """Look at the weights of the last step, before the best ones take their place."""
        self._look()

    def film(self) -> Film:
        """The film so far.

        Raises:
            ConfigurationError: when it has seen no step.
        """
        self._look()
        if not self._looks:
            raise ConfigurationError("Regions: no step has been seen; call add(network, loss) after each")
        classes = self._looks[-1].probabilities.shape[1]
        names = self.names or tuple(range(classes))
        ground = ET.Element("g")
        top = draw_title(ground, self.title)
        axes = [Axis.over([z[0], z[-1]], room=0) for z in (self._x, self._y)]
        field = draw_field(ground, "Likeliest class", [str(name) for name in names], top, *axes, height=HEIGHT)
        curve = self._curve()
        lower = draw_panel(ground, curve, field.bottom)
        front = ET.Element("g")
        self._draw_points(clipped(front, field), field, names)
        frames = [self._frame(look, field, lower, curve.series[0]) for look in self._looks]
        return Film(self.title, ground, frames, front, [f"step {look.step}" for look in self._looks], lower.bottom)

    def _asked(self, network: Network) -> Array:
        """The probabilities that a network gives at the points of the grid."""
        logits = network(tensor(self._grid))
        shape, count = logits.shape, len(self._grid)
        if shape in ((count,), (count, 1)):
            second = sigmoid(logits).numpy().reshape(count, 1)
            return np.concatenate([1 - second, second], axis=1)
        if len(shape) != 2 or shape[0] != count:
            raise ShapeError(
                f"Regions: of {count} points, expected logits of shape ({count}, classes), ({count}, 1) or ({count},), "
                f"got {shape}"
            )
        return softmax(logits, axis=1).numpy().copy()

    def _add(self, probabilities: Callable[[], Array], loss: float) -> None:
        """Note a step, and look where one is due."""
        self._losses.append(float(loss))
        self._last = probabilities
        if (len(self._losses) - 1) % self._apart == 0:
            self._look()
        if len(self._looks) > self.frames:  # keep every second look, and look half as often from now on
            del self._looks[1::2]
            self._apart *= 2

    def _look(self) -> None:
        """Look at the network as it is now, unless that has been done."""
        last, self._last = self._last, None
        if last is not None:
            self._looks.append(_Look(len(self._losses), last()))

    def _curve(self) -> Panel:
        """The loss by step."""
        each = math.ceil(len(self._losses) / MOST_LOSSES)
        parts = [self._losses[start : start + each] for start in range(0, len(self._losses), each)]
        ends = [min(start + each, len(self._losses)) for start in range(0, len(self._losses), each)]
        series = Series(
            "loss of a mini-batch" if each == 1 else f"mean loss of {each} steps", ends, list(map(_mean, parts))
        )
        return Panel("Loss", [series], x_label="Step", whole=True)

    def _frame(self, look: _Look, field: Field, lower: Field, curve: Series) -> ET.Element:
        """The regions after a step, and where on the curve that is."""
        frame = ET.Element("g")
        inside = clipped(frame, field)
        grid = look.probabilities.astype(np.float64).reshape(GRID, GRID, -1)
        for index in range(grid.shape[2]):
            ahead = grid[:, :, index] - np.delete(grid, index, axis=2).max(axis=2)
            for level in CERTAIN:
                draw_regions(inside, field, regions(self._x, self._y, ahead, level), f"area{index % len(COLOURS)}")
        step, loss = next((x, y) for x, y in zip(curve.x, curve.y, strict=True) if x >= look.step)
        if loss is not None and math.isfinite(loss):
            draw_dot(frame, lower, step, loss, 0)
        return frame

    def _draw_points(self, root: ET.Element, field: Field, names: Sequence[Any]) -> None:
        """Draw the points in the colours of their classes; of many, some that are equally far apart."""
        places = {name: index for index, name in enumerate(names)}
        every = math.ceil(len(self.points) / MOST_POINTS)
        for (x, y), label in zip(self.points[::every].tolist(), self.labels[::every].tolist(), strict=True):
            if label in places:
                draw_dot(root, field, x, y, places[label], size=2.5)


def _points(points: ArrayLike) -> Array:
    """Points of the plane.

    Raises:
        ConfigurationError: for anything else.
    """
    try:
        found = np.asarray(points, np.float64)
    except (TypeError, ValueError):
        found = np.zeros(0)
    if found.ndim != 2 or found.shape[1] != 2 or not len(found) or not np.isfinite(found).all():
        raise ConfigurationError(
            f"Regions: expected finite points of shape (rows, 2), one or more, got shape {np.shape(points)}"
        )
    return found


def _mean(losses: Sequence[float]) -> float:
    return math.fsum(losses) / len(losses)
