"""Regularization of a training: penalties on chosen parameters, clipped gradients, and bounds on weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from chainrule.graph.autodiff import Gradient
from chainrule.graph.leaves import Mutable
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import assign
from chainrule.optim import clip_by_norm, clip_by_value
from chainrule.optim.groups import covers, require_known
from chainrule.optim.penalties import bounded, penalty, shrunk

if TYPE_CHECKING:
    from chainrule.graph.sparse import RowSparse
    from chainrule.train.training import Training


class Regularization:
    """What a training adds to its loss, and does to gradients before and to weights after a step.

    Attributes:
        chosen: the parameters that penalties and bounds are about, by name: all but biases, unless told otherwise.

    Raises:
        ConfigurationError: for a pattern that fits no parameter.
    """

    def __init__(self, training: Training, parameters: Mapping[str, Tensor]) -> None:
        self.training = training
        require_known("penalize", training.penalize, parameters)
        self.chosen = {
            name: x
            for name, x in parameters.items()
            if (any(covers(p, name) for p in training.penalize) if training.penalize else x.spec.rank > 1)
        }
        #: The learning rate of the step that comes, for the proximal step.
        self._rate = Mutable.of(np.zeros(()), name="learning rate")

    def before_step(self, rate: Callable[[int], float], step: int) -> None:
        """Take the learning rate of the step that comes, if it is needed."""
        if self.training.proximal:
            self._rate.assign(rate(step))

    def penalized(self, loss: Tensor) -> Tensor:
        """The loss with the penalties on weights."""
        l1 = 0.0 if self.training.proximal else self.training.l1
        if not self.chosen or not (l1 or self.training.l2):
            return loss
        return loss + penalty(list(self.chosen.values()), l1=l1, l2=self.training.l2)

    def clipped(self, gradients: Sequence[Gradient]) -> Sequence[Tensor | RowSparse]:
        """Gradients by value, and then all together by norm."""
        found = gradients
        if self.training.clip_value is not None:
            found = clip_by_value(found, self.training.clip_value)
        if self.training.clip is not None:
            found, _ = clip_by_norm(found, self.training.clip)
        return found

    def after_step(self, shares: Mapping[str, float], tables: Sequence[str]) -> None:
        """The proximal step, and the bound on norms.

        Args:
            shares: of the learning rate, by the names of the parameters that the step updated.
            tables: names of those whose rows stand for themselves, as rows of embedding tables do.
        """
        training = self.training
        for name, parameter in self.chosen.items():
            if name not in shares or not isinstance(parameter, Mutable):
                continue  # frozen
            if training.proximal:
                threshold = (self._rate * (shares[name] * training.l1)).astype(parameter.dtype)
                assign(parameter, shrunk(parameter, threshold))
            if training.max_norm is not None:
                assign(parameter, bounded(parameter, training.max_norm, axis=-1 if name in tables else 0))
