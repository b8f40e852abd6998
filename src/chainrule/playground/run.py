"""A training of the playground, step by step: the library's own layers, losses, optimizers and engines."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from chainrule.blocks import reshape, sigmoid, softmax
from chainrule.engines import engine_named
from chainrule.graph.autodiff import grad, gradients
from chainrule.graph.conversion import tensor
from chainrule.graph.spec import Array
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.models import MultilayerPerceptron
from chainrule.nn import Linear, Sequential, binary_cross_entropy_with_logits, cross_entropy, mean_squared_error
from chainrule.optim.penalties import penalty
from chainrule.playground.points import Points, drawn
from chainrule.playground.setup import MOST_STEPS, Setup
from chainrule.random import generator
from chainrule.train.diagnostics.look import root_mean_square


class Run:
    """A training that goes on when it is told to.

    Whatever steps it is stopped at, the same setup has the same weights after as many steps.

    Args:
        setup: what is trained on what.
        points: those of a table; None for those that the setup draws.

    Attributes:
        network: hidden layers and the output, as `chainrule train --learner mlp` has them, without dropout.
        step: steps that were taken.
        losses: after each pass over the training points, the step, and the losses of the training and test points.
        first_gradients: before the first step, by the path of a weight matrix, the root of the mean square of its
            gradient.
        stopped: why no further step is taken, or None.

    Example:
        >>> run = Run(Setup(data="xor", engine="eager"))
        >>> run.advance(100)
        >>> run.step, run.losses[0][1] > run.losses[-1][1]
        (100, True)
    """

    def __init__(self, setup: Setup, points: Points | None = None) -> None:
        self.setup = setup
        self.points = drawn(setup) if points is None else points
        self.inputs = self.points.inputs(setup, self.points.places)
        self.answers = self.points.answers
        learner = MultilayerPerceptron(
            hidden=setup.hidden, activation=setup.activation, initializer=setup.initializer, dropout=0.0
        )
        self.network: Sequential = learner.layers(
            len(setup.inputs), self.points.outputs, generator(setup.seed, "playground", "weights")
        )
        self.parameters = self.network.parameters()
        self.weights = [x.weight for x in self.network.layers if isinstance(x, Linear)]
        self.state = setup.rule.start(self.parameters)
        self._step: Callable[..., Any] = engine_named(setup.engine).compile(self._equations)
        self.step = 0
        self.stopped: str | None = None
        self.losses: list[tuple[int, float, float]] = []
        self._batches: Iterator[Array] = iter(())
        self.losses.append(self.measured())
        self.first_gradients = self._gradient_sizes()

    @property
    def passes(self) -> int:
        """Passes over the training points that have ended."""
        return self.step // self.steps_of_pass

    @property
    def size(self) -> int:
        """Points of a step."""
        return min(self.setup.batch_size or self.points.train, self.points.train)

    @property
    def steps_of_pass(self) -> int:
        """Steps of a pass over the training points."""
        return math.ceil(self.points.train / self.size)

    def loss(self, outputs: TensorLike, answers: TensorLike) -> Tensor:
        """The loss of outputs, shape (n, outputs): cross-entropy of classes, the mean square of numbers."""
        if self.points.outputs > 1:
            return cross_entropy(outputs, answers)
        loss: Callable[..., Tensor] = binary_cross_entropy_with_logits if self.points.classes else mean_squared_error
        return loss(reshape(outputs, (-1,)), answers)

    def response(self, outputs: Tensor) -> Tensor:
        """What outputs mean: probabilities of classes (of the second of two), or scaled numbers."""
        if self.points.outputs > 1:
            return softmax(outputs, axis=1)
        return sigmoid(outputs) if self.points.classes else outputs

    def measured(self) -> tuple[int, float, float]:
        """The step, and the losses of the training and the test points as they are now, without penalties."""
        outputs, train = self.network(self.inputs).numpy(), self.points.train
        parts = (slice(None, train), slice(train, None))
        one, other = (self.loss(tensor(outputs[part]), tensor(self.answers[part])).item() for part in parts)
        return self.step, one, other

    def right(self) -> tuple[int, int] | None:
        """How many of the training and the test points are answered rightly; None where answers are numbers."""
        if not self.points.classes:
            return None
        outputs, train = self.network(self.inputs).numpy(), self.points.train
        found = outputs.argmax(axis=1) if self.points.outputs > 1 else (outputs[:, 0] > 0).astype(int)
        right = found == self.points.targets
        return int(right[:train].sum()), int(right[train:].sum())

    def advance(self, step: int) -> None:
        """Take steps up to this one, at most `MOST_STEPS`; a training that has no finite loss any more stays there."""
        while self.step < min(step, MOST_STEPS) and self.stopped is None:
            rows = next(self._batches, None)
            if rows is None:
                order = generator(self.setup.seed, "playground", "order", self.passes).permutation(self.points.train)
                self._batches = iter(np.split(order, range(self.size, self.points.train, self.size)))
                continue
            loss = self._step(self.inputs[rows], self.answers[rows]).item()
            self.step += 1
            if not math.isfinite(loss):
                self.stopped = f"the loss became {loss} at step {self.step}"
            if self.step % self.steps_of_pass == 0 or self.stopped:
                self.losses.append(self.measured())

    def _gradient_sizes(self) -> dict[str, float]:
        train = self.points.train
        loss = self.loss(self.network(self.inputs[:train]), tensor(self.answers[:train]))
        held = {path: x.weight for path, x in self.network.named_layers().items() if isinstance(x, Linear)}
        found = grad(loss, list(held.values()))
        return {path: root_mean_square(x.numpy()) for path, x in zip(held, found, strict=True)}

    def _equations(self, inputs: Tensor, answers: Tensor) -> Tensor:
        """A step: the loss before it; the parameters are updated."""
        loss = self.loss(self.network(inputs), answers)
        setup = self.setup
        total = loss + penalty(self.weights, l1=setup.l1, l2=setup.l2) if setup.l1 or setup.l2 else loss
        setup.rule.step(self.parameters, gradients(total, self.parameters), self.state)
        return loss
