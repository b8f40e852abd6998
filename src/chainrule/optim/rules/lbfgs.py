"""L-BFGS: the minimum of a loss of few parameters and all data, in few and long steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chainrule.blocks import zeros
from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, DivergenceError
from chainrule.graph.autodiff import gradients
from chainrule.graph.leaves import Mutable
from chainrule.graph.sparse import RowSparse
from chainrule.graph.tensor import Tensor
from chainrule.optim.contract import require_leaves
from chainrule.optim.optimizer import OPTIMIZERS, LearningRate, Optimizer
from chainrule.optim.state import State
from chainrule.settings import SettingError, setting

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


@OPTIMIZERS.register
@dataclass(frozen=True)
class LBFGS(Optimizer):
    """Steps along an estimate of Newton's direction, from the last changes of parameters and gradients.

        s = θₜ₊₁ - θₜ,    y = gₜ₊₁ - gₜ,    d = -H g,    θ ← θ + α d

    H is what the last m pairs (s, y) say of the inverse of the second derivative, and α fulfils the strong Wolfe
    conditions. It needs a loss that depends on the parameters alone, so it takes no mini-batches and no dropout: it
    evaluates the loss several times a step, all parameters together. In place of `step` there are `minimize` and
    `advance`. Its own numbers are float64; with parameters in float32 the loss is as exact as these are.

    Attributes:
        learning_rate: η, the part of d that is tried first as α.
        history: m.
        tolerance: of the gradient: it ends when no partial derivative is larger.
        lazy: must be False.

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

    Source: Liu and Nocedal, On the Limited Memory BFGS Method (1989); Byrd, Nocedal and Schnabel, Representations of
    Quasi-Newton Matrices (1994), theorem 2.2; Nocedal and Wright, Numerical Optimization (2006), algorithms 3.5 and
    3.6.
    """

    name: ClassVar[str] = "lbfgs"

    learning_rate: float = 1.0
    history: int = setting(10, "pairs of changes that are remembered", least=1)
    tolerance: float = setting(1e-7, "largest partial derivative at which it ends", above=0)

    rowwise: ClassVar[bool] = False
    searches: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lazy:
            raise SettingError(self.name, "lazy", "must be False: a step depends on all parameters")

    def init(self, parameter: Tensor) -> dict[str, Tensor]:  # noqa: ARG002
        """Nothing of one parameter alone; see `start`."""
        return {}

    def start(self, parameters: Sequence[Tensor]) -> State:
        """The state before the first step, of all parameters together.

        It is the pairs (s, y) in the order of their steps, and the place, as parameters in float32 hold it rounded.
        """
        super().start(parameters)
        size = sum(parameter.spec.size for parameter in parameters)
        held = {name: zeros((self.history, size), dtype="float64") for name in ("changes", "turned")}
        held["place"] = zeros((size,), dtype="float64")
        return State(0, [held, *({} for _ in parameters[1:])], parameters)

    def update(
        self,
        parameter: Tensor,  # noqa: ARG002
        gradient: Tensor,  # noqa: ARG002
        state: Mapping[str, Tensor],  # noqa: ARG002
        scalars: Mapping[str, Tensor],  # noqa: ARG002
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """There is no update from one gradient.

        Raises:
            ConfigurationError: always.
        """
        raise ConfigurationError("LBFGS: needs the loss at several places a step: minimize(loss, parameters) asks it")

    def step(
        self,
        parameters: Sequence[Tensor],
        gradients: Sequence[Tensor | RowSparse],  # noqa: ARG002
        state: State,
        *,
        learning_rate: LearningRate | None = None,  # noqa: ARG002
    ) -> None:
        """There is no step from one gradient.

        Raises:
            ConfigurationError: always.
        """
        self.update(parameters[0], parameters[0], state.slots[0], {})

    def minimize(
        self, loss: Callable[[], Tensor] | Problem, parameters: Sequence[Tensor], *, steps: int = 1000
    ) -> Minimum:
        """Change the parameters in place to where the loss is smallest, as far as steps downhill lead.

        Args:
            loss: a function of no arguments that gives a scalar; it is compiled. To minimize one several times, give
                `Problem.of(loss, parameters)`, which keeps what was compiled.
            parameters: that it depends on.
            steps: at most.

        Raises:
            ConfigurationError: for anything but parameters, or a loss that gives two values for the same parameters.
            DivergenceError: when the loss is no finite number at the start.
        """
        require_leaves("LBFGS.minimize", parameters)
        if not parameters or not all(isinstance(x, Mutable) for x in parameters):
            raise ConfigurationError("LBFGS.minimize: expected at least one parameter, and no other leaves")
        problem = loss if isinstance(loss, Problem) else Problem.of(loss, parameters)
        before, (_, value, _) = problem.evaluations, problem.here()
        if not math.isfinite(value):
            raise DivergenceError(f"LBFGS.minimize: the loss is {value} at the start")
        if not problem.steady():
            raise ConfigurationError(
                "LBFGS.minimize: the loss has two values for the same parameters; give it all rows, not mini-batches, "
                "and no dropout"
            )
        state, reason = self.start(parameters), None
        while reason is None and state.step < steps:
            reason = self.advance(problem, state)
        _, value, gradient = problem.here()
        ended = reason or "all steps done"
        return Minimum(value, state.step, problem.evaluations - before, float(np.abs(gradient).max()), ended)

    def advance(self, problem: Problem, state: State, *, learning_rate: float | None = None) -> str | None:
        """One step to a place where the loss is smaller: None; or the reason why there is none.

        Args:
            problem: the loss, by the parameters of the state.
            state: from `start`.
            learning_rate: η of this step.
        """
        changes, turned, kept = (state.slots[0][name].writable() for name in ("changes", "turned", "place"))
        here, value, gradient = problem.here()
        place = problem.unrounded(kept, here)
        if np.abs(gradient).max() <= self.tolerance:
            return "no partial derivative is larger than the tolerance"
        products = changes @ turned.T
        pairs = int(np.count_nonzero(products.diagonal()))  # the last ones; sᵢ · yᵢ is above 0
        known = slice(self.history - pairs, None)
        direction = -_newton(gradient, changes[known], turned[known], products[known, known]) if pairs else -gradient
        if direction @ gradient >= 0:  # rounding has spoilt the estimate
            pairs, direction = 0, -gradient
        first = self.learning_rate if learning_rate is None else learning_rate
        first = first if pairs else min(first, 1 / float(np.linalg.norm(gradient)))
        try:
            found = _search(problem, place, direction, _Point(0.0, value, float(direction @ gradient), gradient), first)
        except BaseException:
            problem.put(place)
            raise
        if found is None:
            problem.put(place)
            if not pairs:
                return "no step along the gradient makes the loss smaller"
            changes[...] = turned[...] = 0
            return self.advance(problem, state, learning_rate=learning_rate)
        kept[...] = place + found.distance * direction
        change, turn = kept - place, found.gradient - gradient
        if change @ turn > 1e-10 * (turn @ turn):
            for pair, new in ((changes, change), (turned, turn)):
                pair[:-1] = pair[1:]
                pair[-1] = new
        state.step += 1
        return None


def with_gradients(loss: Tensor, parameters: Sequence[Tensor]) -> list[Tensor]:
    """A loss and its dense gradients, as a `Problem` asks for them."""
    return [loss, *(x.dense() if isinstance(x, RowSparse) else x for x in gradients(loss, parameters))]


class Problem:
    """A loss as a function of one vector, that of all parameters.

    Args:
        evaluate: gives the loss and its gradients at the parameters as they are.
        parameters: in the order of the gradients.

    Attributes:
        evaluations: so far.
    """

    def __init__(self, evaluate: Callable[[], Sequence[Tensor]], parameters: Sequence[Tensor]) -> None:
        self._evaluate = evaluate
        self._parameters = [x for x in parameters if isinstance(x, Mutable)]
        ends = np.cumsum([x.spec.size for x in self._parameters]).tolist()
        self._parts = [slice(start, end) for start, end in pairwise([0, *ends])]
        self._last: tuple[Vector, float, Vector] | None = None
        self._steady = False
        self.evaluations = 0

    @classmethod
    def of(cls, loss: Callable[[], Tensor], parameters: Sequence[Tensor], *, threads: int | None = None) -> Problem:
        """That of a function of no arguments, which is compiled with its gradients; see `chainrule.compile`."""
        from chainrule.native.compile import compile  # loads LLVM: only where something is compiled

        return cls(compile(lambda: with_gradients(loss(), parameters), threads=threads), parameters)

    def place(self) -> Vector:
        """The parameters as they are."""
        return np.concatenate([x.numpy().ravel() for x in self._parameters], dtype=np.float64)

    def unrounded(self, place: Vector, here: Vector) -> Vector:
        """A copy of a place where the parameters are, but for rounding; else just where they are, which is here."""
        if not _same(place, here):  # as never in float64, but before the first step
            self.put(place)
            if _same(self.place(), here):
                return place.copy()
            self.put(here)
        return here

    def put(self, place: Vector) -> None:
        """Give the parameters these values."""
        for parameter, part in zip(self._parameters, self._parts, strict=True):
            np.copyto(parameter.writable().reshape(-1), place[part], casting="same_kind")

    def steady(self) -> bool:
        """Whether the loss is the same where it is evaluated once more; what was found to be so is not asked again."""
        if not self._steady:
            value, self._last = self.here()[1], None
            self._steady = self.here()[1] == value
        return self._steady

    def here(self) -> tuple[Vector, float, Vector]:
        """Where the parameters are, and the loss and its gradient there; known where they were evaluated last."""
        place = self.place()
        if self._last is None or not _same(place, self._last[0]):
            value, *found = self._evaluate()
            self.evaluations += 1
            gradient = np.concatenate([x.numpy().ravel() for x in found], dtype=np.float64)
            self._last = place, float(value.item()), gradient
        return self._last


def _same(a: Vector, b: Vector) -> bool:
    """Whether two places are the same. To compare their bytes takes a tenth of the time of short arrays of numbers."""
    return a.tobytes() == b.tobytes()


def _newton(gradient: Vector, changes: Vector, turned: Vector, products: Vector) -> Vector:
    """H g = γ (g - Yᵀ a) + Sᵀ b for the rows S and Y of pairs, whose products are S Yᵀ.

    The upper triangle of the products is R and their diagonal D. R a = S g, Rᵀ b = D a - γ Y (g - Yᵀ a), and γ is
    s · y / y · y of the last pair. (This is the two-loop recursion with its inner products taken together.)
    """
    inverse = np.linalg.inv(products * _upper_triangle(len(products)))
    shares = inverse @ (changes @ gradient)
    found = products[-1, -1] / (turned[-1] @ turned[-1]) * (gradient - shares @ turned)
    found += (products.diagonal() * shares - turned @ found) @ inverse @ changes
    return found  # type: ignore[no-any-return]


@cache
def _upper_triangle(size: int) -> Vector:
    """A matrix with 1 in its upper triangle."""
    return np.triu(np.ones((size, size)))


def _search(problem: Problem, place: Vector, direction: Vector, start: _Point, first: float) -> _Point | None:
    """A point along a direction that fulfils the strong Wolfe conditions, or is lower at least; None without one.

    The parameters are there afterwards.
    """

    def at(distance: float) -> _Point:
        problem.put(place + distance * direction)
        _, loss, gradient = problem.here()
        slope = float(direction @ gradient)
        finite = math.isfinite(loss) and math.isfinite(slope)
        return _Point(distance, loss if finite else math.inf, slope if finite else 0.0, gradient)

    def too_high(point: _Point) -> bool:
        return point.loss > start.loss + DECREASE * point.distance * start.slope

    low, high, distance = start, None, first
    for _ in range(MOST_POINTS):
        before, point = low, at(distance)
        if too_high(point) or (point.loss >= low.loss and low is not start):
            high = point
        elif abs(point.slope) <= -CURVATURE * start.slope:
            return point
        else:
            if point.slope * ((high.distance if high else math.inf) - low.distance) >= 0:
                high = low
            low = point
        distance = _beyond(before, point) if high is None else _between(low, high)
        if distance in (low.distance, high and high.distance):  # nothing lies between them
            break
    if low.loss >= start.loss:
        return None
    problem.put(place + low.distance * direction)
    return low


def _beyond(low: _Point, point: _Point) -> float:
    """Where the line through the slopes at two points is 0, kept from 2 to 10 times as far as the second."""
    bend = point.slope - low.slope
    far = point.distance - point.slope * (point.distance - low.distance) / bend if bend > 0 else math.inf
    return min(max(far, 2 * point.distance), 10 * point.distance)


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
