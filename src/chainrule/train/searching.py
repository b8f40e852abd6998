"""Steps of an optimizer that searches, as L-BFGS does: several evaluations of the loss of all rows make one step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from chainrule.errors import ConfigurationError
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.optim import LBFGS
from chainrule.optim.rules.lbfgs import Problem, with_gradients
from chainrule.random import Key

if TYPE_CHECKING:
    from chainrule.train.trainer import Trainer


class Searching:
    """A step of a trainer, as the compiled ones of other optimizers are: from arrays to the loss and the task's sums.

    The key is always the same one, as the loss has to depend on the parameters alone. Where the optimizer finds no
    better place, training ends.

    Raises:
        ConfigurationError: for parameter groups with rules or rates of their own; in the first step, for a loss that
            depends on the key, as dropout makes it.
    """

    def __init__(self, trainer: Trainer) -> None:
        if len(trainer.groups) > 1 or not isinstance(trainer.groups[0].optimizer, LBFGS):
            raise ConfigurationError(
                "groups: lbfgs moves all parameters together; of groups it takes frozen ones alone"
            )
        self.optimizer: LBFGS = trainer.groups[0].optimizer
        self.trainer = trainer
        self._evaluate: Callable[..., list[Tensor]] = trainer.compiled(self._equations)
        self._problem = Problem(self._evaluated, trainer.members[0])
        self._arrays: Sequence[TensorLike] = ()
        self._seen: list[Tensor] = []
        self._checked = False

    def __call__(self, *leaves: TensorLike) -> list[Tensor]:
        """Take a step from where the parameters are; the loss and the sums are those there."""
        trainer = self.trainer
        *self._arrays, _ = leaves
        if not self._checked:
            values = [self._evaluate(*self._arrays, Key.of(trainer.seed, number).words)[0].item() for number in (0, 1)]
            if values[0] != values[1]:
                raise ConfigurationError(
                    f"{self.optimizer.name}: the loss has two values for the same weights; leave out what draws "
                    "numbers in training (--dropout 0, --word-dropout 0, no noise, no mixtures)"
                )
            self._checked = True
        self._problem.here()
        seen = self._seen
        state = trainer.state
        rate = trainer.rate(state.step + 1, trainer.groups[0].share)
        ended = self.optimizer.advance(self._problem, state, learning_rate=rate)
        if ended is not None:
            state.step += 1  # it was looked for
            trainer.stopped = ended
        return seen

    def _equations(self, *leaves: Tensor) -> list[Tensor]:
        """The loss, the task's sums, and what is minimised with its gradients."""
        loss, sums = self.trainer.loss_of(leaves)
        return [
            loss,
            *sums.values(),
            *with_gradients(self.trainer.regularization.penalized(loss), self.trainer.members[0]),
        ]

    def _evaluated(self) -> list[Tensor]:
        """What is minimised and its gradients, at the parameters as they are."""
        found = self._evaluate(*self._arrays, Key.of(self.trainer.seed, 0).words)
        count = 1 + len(self.trainer.sums)
        self._seen = found[:count]
        return found[count:]
