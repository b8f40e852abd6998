"""Where a number that is none came from: the training is taken again up to the step, and that block by block.

The step that fails has changed the weights already, and a compiled step keeps no value on its way. As the same seed
gives the same bits, the steps before it can be taken again; the last ones run eagerly, every value there to look at.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from chainrule.blocks.inspection import ranged
from chainrule.data import Examples, Table
from chainrule.errors import ChainruleError
from chainrule.graph.autodiff import gradients
from chainrule.graph.conversion import tensor
from chainrule.graph.errstate import IGNORE, reset_errors, set_errors
from chainrule.graph.order import topological_order
from chainrule.graph.sparse import RowSparse
from chainrule.graph.tensor import Tensor
from chainrule.models import Model
from chainrule.models.ahead import HeadNetwork
from chainrule.random import Key, generator
from chainrule.train.memory import free_memory
from chainrule.train.trainer import Trainer

#: Steps that are taken again block by block, before the one that failed and after it, as rounding may shift it.
BEFORE, AFTER = 3, 3
#: More steps are not taken again: it would take as long as the training did.
MOST = 20_000
#: What is said where the number does not come again.
AGAIN = "it did not come again when the steps were taken again, so its block is not known"
#: So many times the memory of the parameters is taken by a training at most.
COPIES = 5
#: Rows of a mini-batch that are named.
SHOWN = 10


def explain(trainer: Trainer, table: Table) -> str:
    """The first block that made a number that is none, the ranges of its inputs, and the rows of the mini-batch."""
    try:
        return _explained(trainer, table)
    except (ChainruleError, MemoryError):  # what is not found is no reason to hide what was
        return AGAIN


def _explained(trainer: Trainer, table: Table) -> str:
    failed = (trainer.divergence and trainer.divergence.batch) or trainer.taken
    size = sum(leaf.spec.size * leaf.dtype.itemsize for leaf in trainer.parameters)
    if COPIES * size > (free_memory() or math.inf):
        return "too little memory is free to take the steps again and find the block"
    if failed > MOST:
        return f"{failed:,} steps are too many to take again and find the block; lower --epochs, or use --engine eager"
    again = _anew(trainer)
    numbers = np.arange(trainer.train.rows)
    rows = Examples({**trainer.train.fields, "row": numbers})
    step = 0
    for number in range(trainer.epochs):
        order = generator(trainer.seed, "shuffle", number + 1)
        for batch in trainer.shuffled(rows, order):
            step += 1
            if step > failed + AFTER:
                return AGAIN
            named = batch.array("row")
            batch.fields.pop("row")
            if step < failed - BEFORE:
                again.run_batch(batch)
                continue
            said = _examined(again, batch)
            if said is not None:
                listed = ", ".join(str(table.rows[x] + 1) for x in named[:SHOWN]) + (
                    ", ..." if len(named) > SHOWN else ""
                )
                return f"{said}; in step {step}, whose rows are {listed} of {table.name}"
    return AGAIN


def _anew(trainer: Trainer) -> Trainer:
    """The training before its first step."""
    model = trainer.model
    network = model.learner.network(model.codec.sizes, model.task.answers, generator(trainer.seed, "weights"))
    network.count(trainer.train)
    network.take_over(generator(trainer.seed, "taken over"))
    if isinstance(model.network, HeadNetwork):
        network = HeadNetwork(network, model.network.vectors.numpy())
    fresh = Model(model.task, model.codec, model.learner, network)
    return Trainer(fresh, trainer.training, trainer.train, trainer.valid, seed=trainer.seed, engine=trainer.engine)


def _examined(trainer: Trainer, batch: Examples) -> str | None:
    """One step block by block; what is said of the first number that is none."""
    words = Key.of(trainer.seed, trainer.taken).words
    arrays = {name: tensor(array) for name, array in batch.arrays().items()}
    named: dict[Tensor, str] = {leaf: name for name, leaf in trainer.named_parameters.items()}
    before = set_errors(IGNORE)
    try:
        loss, _ = trainer.loss(arrays, Key(tensor(words)))
        said = _first(topological_order([loss]), named, "forward")
        if said is None:
            found = gradients(loss, trainer.parameters)
            parts = [part for x in found for part in ((x.indices, x.rows) if isinstance(x, RowSparse) else (x,))]
            said = _first(topological_order(parts), named, "backward")
    finally:
        reset_errors(before)
    if said is not None:
        return said
    trainer.run_batch(batch)
    for name, leaf in trainer.named_parameters.items():
        if not np.isfinite(leaf.numpy()).all():
            return f"the update of {name} was the first that made one ({ranged(leaf.numpy())})"
    return None


def _first(nodes: Iterable[Tensor], named: dict[Tensor, str], way: str) -> str | None:
    for node in nodes:
        if not node.spec.floating or np.isfinite(node.numpy()).all():
            continue
        if node.block is None:
            return f"{named.get(node, node.label)} holds one already ({ranged(node.numpy())})"
        inputs = ", ".join(ranged(x.numpy()) for x in node.inputs if x.spec.floating)
        layer = f" of {node.layers[0]!r}" if node.layers else ""
        return f"the first block that made one, {way}, is {node.block.name}{layer}: its inputs were {inputs or 'none'}"
    return None
