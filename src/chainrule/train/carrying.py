"""Carrying: states that a network goes on from in the next mini-batch, where its rows go on from those of this one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chainrule.blocks import concatenate, expand, stop_gradient
from chainrule.data import Examples
from chainrule.data.layout import CARRIES
from chainrule.errors import ConfigurationError
from chainrule.graph.leaves import Mutable
from chainrule.graph.spec import Array
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import assign
from chainrule.random import Key


class Carried:
    """The states of the rows of a mini-batch after their last tokens; gradients do not go back through them.

    Truncated back-propagation through time: each row is learned from by itself, from where the one before it ended.

    Args:
        network: that reads the rows, of sequences (`SequenceNetwork.carry`).
        rows: of a mini-batch, at most.

    Source: Williams and Peng, An Efficient Gradient-Based Algorithm for On-Line Training of Recurrent Network
    Trajectories (1990); Mikolov et al., Recurrent Neural Network Based Language Model (2010).
    """

    def __init__(self, network: Any, rows: int) -> None:
        self.network = network
        self.states = [Mutable.of(x.numpy(), name=f"state {i}") for i, x in enumerate(network.start(rows))]

    def outputs(self, batch: Mapping[str, Tensor], reads: tuple[str, ...], key: Key) -> Tensor:
        """The outputs of the network for a mini-batch in training; the states become those after it."""
        goes_on = batch[CARRIES]
        rows = goes_on.shape[0]
        held = [state[:rows] * expand(goes_on, 1).astype(state.dtype) for state in self.states]
        outputs: Tensor
        outputs, after = self.network.carry(*[batch[name] for name in reads], states=held, key=key)
        for state, last in zip(self.states, after, strict=True):
            assign(state, concatenate([stop_gradient(last), state[rows:]], 0))
        return outputs

    def arrays(self) -> dict[str, Array]:
        """The states as they are in memory, for a checkpoint."""
        return {f"carried.{i}": state.array for i, state in enumerate(self.states) if state.array is not None}


def carried_by(network: Any, train: Examples, rows: int, *, searches: bool) -> Carried | None:
    """The states that a training carries; None where each row begins anew.

    Args:
        network: that is trained.
        train: the training examples.
        rows: of a mini-batch, at most.
        searches: whether the optimizer looks for the best of several steps on the same rows, from which no state comes.

    Raises:
        ConfigurationError: where it does, and states are carried.
    """
    if CARRIES not in train.fields:
        return None
    if searches:
        raise ConfigurationError(
            "carry_state: the optimizer reads all rows at the same time, and a state is carried from one mini-batch to "
            "the next; take another optimizer, such as adam"
        )
    return Carried(network, rows)


def outputs_of(
    network: Any, batch: Mapping[str, Tensor], reads: tuple[str, ...], key: Key, carried: Carried | None
) -> Tensor:
    """The outputs of a network for a mini-batch in training."""
    if carried is not None:
        return carried.outputs(batch, reads, key)
    outputs: Tensor = network(*[batch[name] for name in reads], key=key)
    return outputs
