"""Responses to texts that are cut into rows, each of which goes on from the state after the row before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.blocks import expand
from chainrule.data import Examples, Ragged
from chainrule.data.layout import CARRIES
from chainrule.graph.spec import Array
from chainrule.graph.tensor import Tensor

if TYPE_CHECKING:
    from chainrule.models.model import Model


def carried_responses(model: Model, examples: Examples, engine: str, batch_size: int) -> Array:
    """What the outputs of the network mean, as for each text as one long row; so many texts go side by side.

    Example:
        >>> import chainrule
        >>> table = chainrule.Table.from_lists(["so it is, and so it was. " * 4])
        >>> task, training = chainrule.Continue(context=16, carry_state=True), chainrule.Training(epochs=1)
        >>> model = chainrule.fit(chainrule.GatedRecurrentNetwork(size=8), table, table, task=task).model
        >>> examples = model.codec.encode(table, targets=True)
        >>> examples.rows, carried_responses(model, examples, "native", 64).shape
        (7, (101, 2))
    """
    network: Any = model.network  # of sequences, as its learner gives what is carried
    names = tuple(name for name in examples.slice(0, 1).arrays() if name != CARRIES)

    def equations(goes_on: Tensor, *leaves: Tensor) -> list[Tensor]:
        arrays, states = dict(zip(names, leaves, strict=False)), leaves[len(names) :]
        held = [state * expand(goes_on, 1).astype(state.dtype) for state in states]
        outputs, after = network.carry(*[arrays[name] for name in model.reads.arrays], states=held)
        return [model.task.response(outputs, arrays), *after]

    respond = model.compiled("carried response", equations, engine)
    first = np.flatnonzero(examples.array(CARRIES) == 0)
    rows = np.diff(np.append(first, examples.rows))
    order = np.argsort(-rows, kind="stable")  # the longest texts first, so that those that are left are the first ones
    found: list[Array] = [np.zeros(0)] * examples.rows
    for start in range(0, len(order), batch_size):
        texts = order[start : start + batch_size]
        states = [np.asarray(x.numpy()) for x in network.start(len(texts))]
        for step in range(int(rows[texts[0]])):
            some = first[texts[rows[texts] > step]] + step
            batch = examples.take(some)
            arrays, goes_on = batch.arrays(), batch.array(CARRIES)
            given = [arrays[name] for name in names]
            responses, *after = respond(goes_on, *given, *(state[: len(some)] for state in states))
            states = [x.numpy() for x in after]
            for row, part in zip(some, np.split(responses.numpy(), arrays["offsets"][1:-1]), strict=True):
                found[row] = part
    return np.concatenate(found)


def is_carried(examples: Examples) -> bool:
    """Whether rows go on from those before them."""
    return CARRIES in examples.fields and isinstance(examples.fields.get("ids"), Ragged)
