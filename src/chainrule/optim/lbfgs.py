"""L-BFGS: the minimum of a loss of few parameters and all data, in few and long steps."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ConfigurationError, DivergenceError
from chainrule.graph.autodiff import gradients
from chainrule.graph.leaves import Mutable
from chainrule.graph.sparse import RowSparse
from chainrule.graph.tensor import Tensor
from chainrule.optim.contract import require_leaves
from chainrule.settings import Settings, setting

Vector = NDArray[np.float64]
#: Armijo's and Wolfe's constants (Nocedal and Wright, section 3.1), and the most points that a search looks at.
DECREASE, CURVATURE, MOST_POINTS = 1e-4, 0.9, 30


class Minimum(NamedTuple):
    """Where a minimization ended.

    Attributes:
        loss: there.
        steps: that were taken.
        evaluations: of the loss and its gradient.
        gradient: the largest of all partial derivatives, without its sign.
        reason: why it ended.
    """

    loss: float
    steps: int
    evaluations: int
    gradient: float
    reason: str


class _Point(NamedTuple):
    """A point along a direction: how far, the loss, its slope along the direction, and its gradient."""

    distance: float
    loss: float
    slope: float
    gradient: Vector


@dataclass(frozen=True, kw_only=True)
class LBFGS(Settings):
    """Steps along an estimate of Newton's direction, from the last changes of parameters and gradients.

        s = θₜ₊₁ - θₜ,    y = gₜ₊₁ - gₜ,    d = -H g,    θ ← θ + α d

    H is what the last m pairs (s, y) say of the inverse of the second derivative (two-loop recursion), and α fulfils
    the strong Wolfe conditions. It needs a loss that depends on the parameters alone, so it takes no mini-batches and
    no dropout, and is no `Optimizer`: it evaluates the loss several times a step. All numbers are kept in float64; with
    parameters in float32 the loss is as exact as these are.

    Attributes:
        history: m.
        steps: at most.
        tolerance: of the gradient: it ends when no partial derivative is larger.

    Raises:
        SettingError: for settings outside their ranges.

    Example (the banana function of Rosenbrock, which gradient descent takes thousands of steps for):
        >>> import chainrule
        >>> point = chainrule.Parameter.of([-1.2, 1.0], dtype="float64")
        >>> def banana():
        ...     return (1 - point[0]) ** 2 + 100 * (point[1] - point[0] ** 2) ** 2
        >>> found = LBFGS().minimize(banana, [point])
        >>> point.value.round(6), found.steps < 50
        (array([1., 1.]), True)

    Source: Liu and Nocedal, On the Limited Memory BFGS Method (1989); Nocedal and Wright, Numerical Optimization
    (2006), algorithms 3.5, 3.6 and 7.4.
    """

    name: ClassVar[str] = "lbfgs"

    history: int = setting(10, "pairs of changes that are remembered", least=1)
    steps: int = setting(1000, "steps, at most", least=1)
    tolerance: float = setting(1e-7, "largest partial derivative at which it ends", above=0)

    def minimize(self, loss: Callable[[], Tensor], parameters: Sequence[Tensor]) -> Minimum:
        """Change the parameters in place to where the loss is smallest, as far as steps downhill lead.

        Args:
            loss: a function of no arguments that gives a scalar; it is compiled.
            parameters: that it depends on.

        Raises:
            ConfigurationError: for anything but parameters, or a loss that gives two values for the same parameters.
            DivergenceError: when the loss is no finite number at the start.
        """
        require_leaves("LBFGS.minimize", parameters)
        if not parameters or not all(isinstance(x, Mutable) for x in parameters):
            raise ConfigurationError("LBFGS.minimize: expected at least one parameter, and no other leaves")
        problem = _Problem(loss, parameters)
        here = problem.at(problem.start)
        if not math.isfinite(here[0]):
            raise DivergenceError(f"LBFGS.minimize: the loss is {here[0]} at the start")
        if problem.at(problem.start)[0] != here[0]:
            raise ConfigurationError(
                "LBFGS.minimize: the loss has two values for the same parameters; give it all rows, not mini-batches, "
                "and no dropout"
            )
        with problem.left_at_best():
            steps, reason = self._descend(problem, *here)
        value, gradient = problem.best[1:]
        return Minimum(value, steps, problem.evaluations, float(np.abs(gradient).max()), reason)

    def _descend(self, problem: _Problem, value: float, gradient: Vector) -> tuple[int, str]:
        """The steps, and why they end."""
        place, pairs = problem.start, deque[tuple[Vector, Vector]](maxlen=self.history)
        for step in range(self.steps):
            if np.abs(gradient).max() <= self.tolerance:
                return step, "no partial derivative is larger than the tolerance"
            direction = -_newton(gradient, pairs)
            if direction @ gradient >= 0:  # rounding has spoilt the estimate
                pairs.clear()
                direction = -gradient
            first = 1.0 if pairs else min(1.0, 1 / float(np.abs(gradient).sum()))
            found = _search(problem, place, direction, _Point(0.0, value, float(direction @ gradient), gradient), first)
            if found is None:
                if not pairs:
                    return step, "no step along the gradient makes the loss smaller"
                pairs.clear()
                continue
            change = found.distance * direction
            turned = found.gradient - gradient
            if change @ turned > 1e-10 * (turned @ turned):
                pairs.append((change, turned))
            place, value, gradient = place + change, found.loss, found.gradient
        return self.steps, "all steps done"


class _Problem:
    """A loss as a function of one vector.

    Attributes:
        start: the parameters at the beginning.
        best: the vector with the smallest loss so far, that loss, and its gradient.
        evaluations: so far.
    """

    def __init__(self, loss: Callable[[], Tensor], parameters: Sequence[Tensor]) -> None:
        from chainrule.native.compile import compile  # loads LLVM: only where something is compiled

        self._parameters = [x for x in parameters if isinstance(x, Mutable)]

        def both() -> list[Tensor]:
            value = loss()
            found = gradients(value, self._parameters)
            return [value, *[x.dense() if isinstance(x, RowSparse) else x for x in found]]

        self._both = compile(both)
        self.start: Vector = np.concatenate([x.numpy().ravel().astype(np.float64) for x in self._parameters])
        self.best = self.start, math.inf, self.start
        self.evaluations = 0

    def at(self, place: Vector) -> tuple[float, Vector]:
        """The loss and its gradient."""
        self._write(place)
        value, *found = self._both()
        self.evaluations += 1
        loss = float(value.item())
        gradient = np.concatenate([x.numpy().ravel().astype(np.float64) for x in found])
        if loss < self.best[1] and np.isfinite(gradient).all():
            self.best = place, loss, gradient
        return loss, gradient

    @contextmanager
    def left_at_best(self) -> Iterator[None]:
        """At the end, whatever ends it, the parameters are the best that were found."""
        try:
            yield
        finally:
            self._write(self.best[0])

    def _write(self, place: Vector) -> None:
        start = 0
        for parameter in self._parameters:
            end = start + parameter.spec.size
            np.copyto(parameter.writable(), place[start:end].reshape(parameter.shape), casting="same_kind")
            start = end


def _newton(gradient: Vector, pairs: deque[tuple[Vector, Vector]]) -> Vector:
    """H g, by the two-loop recursion."""
    direction, shares = gradient.copy(), []
    for change, turned in reversed(pairs):
        shares.append(float(change @ direction) / float(change @ turned))
        direction -= shares[-1] * turned
    if pairs:
        change, turned = pairs[-1]
        direction *= float(change @ turned) / float(turned @ turned)
    for (change, turned), share in zip(pairs, reversed(shares), strict=True):
        direction += (share - float(turned @ direction) / float(change @ turned)) * change
    return direction


def _search(problem: _Problem, place: Vector, direction: Vector, start: _Point, first: float) -> _Point | None:
    """A point along a direction that fulfils the strong Wolfe conditions, or is lower at least; None without one."""

    def at(distance: float) -> _Point:
        loss, gradient = problem.at(place + distance * direction)
        finite = math.isfinite(loss) and bool(np.isfinite(gradient).all())
        return _Point(distance, loss if finite else math.inf, float(direction @ gradient) if finite else 0.0, gradient)

    def too_high(point: _Point) -> bool:
        return point.loss > start.loss + DECREASE * point.distance * start.slope

    low, high, distance = start, None, first
    for _ in range(MOST_POINTS):
        point = at(distance)
        if too_high(point) or (point.loss >= low.loss and low is not start):
            high = point
        elif abs(point.slope) <= -CURVATURE * start.slope:
            return point
        else:
            if point.slope * ((high.distance if high else math.inf) - low.distance) >= 0:
                high = low
            low = point
        distance = 2 * distance if high is None else _between(low, high)
        if distance in (low.distance, high and high.distance):  # nothing lies between them
            break
    return low if low.loss < start.loss else None


def _between(low: _Point, high: _Point) -> float:
    """The minimum of the cubic through two points and slopes, kept from the ends."""
    width = high.distance - low.distance
    middle = low.distance + width / 2
    if not math.isfinite(high.loss):
        return low.distance + width / 10
    bend = low.slope + high.slope - 3 * (high.loss - low.loss) / width
    inside = bend * bend - low.slope * high.slope
    if inside < 0:
        return middle
    root = math.copysign(math.sqrt(inside), width)
    divisor = high.slope - low.slope + 2 * root
    if not divisor:
        return middle
    share = 1 - (high.slope + root - bend) / divisor
    return low.distance + width * min(max(share, 0.1), 0.9)
