"""A look into the network of the playground: what each unit computes over the plane, and which are dead."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.graph.autodiff import grad
from chainrule.graph.conversion import tensor
from chainrule.graph.leaves import Parameter
from chainrule.graph.spec import FLOAT32, Array
from chainrule.nn import Dropout, Layer, Linear
from chainrule.playground.run import Run
from chainrule.random import generator

#: Points of the grid on each side: of the answers, and of each unit.
ANSWERS, UNITS = 48, 24


@dataclass(frozen=True, eq=False)
class Unit:
    """A hidden unit, or an output.

    Attributes:
        values: over the grid, shape (size, size), rows from the lowest y on; of an output, what it means.
        dead: whether no gradient passes through it, for any of the training points.
        weights: into it, shape (inputs, numbers that it reads); most read one.
        biases: as many as it reads.
    """

    values: Array
    dead: bool
    weights: Array
    biases: Array


def units_of(run: Run) -> list[list[Unit]]:
    """The hidden units of a network, layer by layer.

    A unit is dead when the slope of its activation is 0 for every training point, as that of a rectifier is below 0:
    then no gradient reaches the weights into it, and no step but a penalty's changes them.

    Example:
        >>> from chainrule.playground.setup import Setup
        >>> (layer,) = units_of(Run(Setup(hidden=(3,), activation="relu", engine="eager")))
        >>> [unit.dead for unit in layer], layer[0].values.shape
        ([False, False, False], (24, 24))
    """
    places = grid(run, UNITS)
    plane, seen = run.points.inputs(run.setup, places), run.inputs[: run.points.train]
    found: list[list[Unit]] = []
    for linear, activation in _pairs(run):
        before, after = linear(seen).numpy(), activation(linear(plane)).numpy()
        count = after.shape[1]
        columns, slopes = _columns(activation, before.shape[1], count), _slopes(activation, before)
        found.append([
            Unit(
                after[:, unit].reshape(UNITS, UNITS),
                not slopes[:, columns[unit]].any(),
                linear.weight.numpy()[:, columns[unit]],
                _biases(linear)[columns[unit]],
            )
            for unit in range(count)
        ])  # fmt: skip
        plane, seen = after, activation(tensor(before)).numpy()
    return found


def outputs_of(run: Run, size: int = UNITS) -> list[Unit]:
    """The outputs of a network: probabilities of classes (of the second of two), or numbers in the data's units."""
    answers = answered(run, grid(run, size)).reshape(size, size, -1)
    *_, last = (layer for layer in run.network.layers if isinstance(layer, Linear))
    weights, biases = last.weight.numpy(), _biases(last)
    return [
        Unit(answers[:, :, unit], False, weights[:, unit : unit + 1], biases[unit : unit + 1])
        for unit in range(answers.shape[2])
    ]


def answered(run: Run, places: Array) -> Array:
    """What a network answers at places, shape (n, outputs), float64, in the units of the data."""
    found = run.response(run.network(run.points.inputs(run.setup, places))).numpy().astype(np.float64)
    return found if run.points.classes else run.points.scales[2].back(found)


def grid(run: Run, size: int) -> Array:
    """The middles of so many by so many cells of the window, row by row from the lowest y on, shape (size², 2)."""
    along = [low + (high - low) * (np.arange(size) + 0.5) / size for low, high in run.points.window]
    x, y = np.meshgrid(*along)
    return np.stack([x.ravel(), y.ravel()], axis=1)


def saturated(run: Run) -> dict[str, dict[str, float]]:
    """What the diagnostics of trainings look at: by layer, the share of dead units, or of slopes near 0."""
    found: dict[str, dict[str, float]] = {}
    seen = run.inputs[: run.points.train]
    for index, (linear, activation) in enumerate(_pairs(run)):
        before = linear(seen).numpy()
        value = activation(tensor(before)).numpy()
        kind = run.setup.activation
        if kind == "relu":
            found[f"hidden layer {index + 1}"] = {"dead": float((value <= 0).all(axis=0).mean())}
        elif kind in ("sigmoid", "tanh"):
            slope = value * (1 - value) * 4 if kind == "sigmoid" else 1 - np.square(value)
            found[f"hidden layer {index + 1}"] = {"saturated": float((slope < 0.05).mean())}
        seen = value
    return found


def _pairs(run: Run) -> list[tuple[Linear, Layer]]:
    """The linear maps of the hidden layers, with what comes after each."""
    layers = [layer for layer in run.network.layers if not isinstance(layer, Dropout)]
    return [(one, after) for one, after in pairwise(layers) if isinstance(one, Linear)]


def _slopes(activation: Layer, before: Array) -> Array:
    """How what comes out changes with each number that goes in, weighted, so that no sum of slopes is 0 by rule."""
    read = Parameter.of(before)
    out = activation(read)
    weights = generator(0, "slopes").uniform(1, 2, out.shape).astype(FLOAT32)
    return grad((out * weights).sum(), read).numpy()


def _columns(activation: Layer, width: int, count: int) -> list[list[int]]:
    """Which numbers each unit reads; where there are as many as units, each its own."""
    if width == count:
        return [[unit] for unit in range(count)]
    read = Parameter.of(generator(0, "columns").standard_normal((16, width)).astype(FLOAT32))
    out = activation(read)
    found = []
    for unit in range(count):
        slopes = grad(out[:, unit].sum(), read).numpy()
        found.append(np.flatnonzero(slopes.any(axis=0)).tolist())
    return found


def _biases(linear: Linear) -> Array:
    bias = linear.bias
    return np.zeros(linear.weight.shape[1], FLOAT32) if bias is None else bias.numpy()
