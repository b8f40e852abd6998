"""A look into a network: one mini-batch block by block, with all values, gradients, and what the next step changes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.data import Examples
from chainrule.graph.autodiff import gradients
from chainrule.graph.conversion import tensor
from chainrule.graph.order import topological_order
from chainrule.graph.sparse import RowSparse
from chainrule.graph.spec import Array
from chainrule.graph.tensor import Tensor
from chainrule.models import Model
from chainrule.optim import Optimizer, State
from chainrule.optim.contract import coefficients_of
from chainrule.optim.updates import updates

#: What sigmoid and tanh give is at its limits where the slope is below such a part of the steepest one.
FLAT = 0.05


def look(model: Model, batch: Examples) -> tuple[dict[str, Any], dict[str, Tensor], Array]:
    """What a mini-batch shows of a network as it evaluates, without dropout; dense gradients; and the responses.

    Returns:
        "start" (the loss), "layers" (by the path of an activation, the share of dead or saturated units), "gradients"
        (by the path of a weight matrix, the root of the mean square) and "norm" (of all dense gradients together).
    """
    arrays = {name: tensor(array) for name, array in batch.arrays().items()}
    outputs = model.network(*[arrays[name] for name in model.reads.arrays])
    loss, _ = model.task.loss(outputs, arrays, model.codec)
    # A table has a row for each entry: few of these are read, and its gradient costs more than all others.
    table = (model.codec.sizes.entries,)
    parameters = {name: x for name, x in model.network.named_parameters().items() if x.shape[:1] != table}
    found = gradients(loss, list(parameters.values()))
    dense = {name: x for name, x in zip(parameters, found, strict=True) if not isinstance(x, RowSparse)}
    sizes = {name: root_mean_square(x.numpy()) for name, x in dense.items() if x.spec.rank > 1}
    norm = math.sqrt(sum(x.spec.size * root_mean_square(x.numpy()) ** 2 for x in dense.values()))
    seen = {"start": loss.item(), "layers": _activations(model, outputs), "gradients": sizes, "norm": norm}
    return seen, dense, model.task.response(outputs, arrays).numpy()


def changes(
    optimizer: Optimizer, parameters: Mapping[str, Tensor], found: Mapping[str, Tensor], state: State, rate: float
) -> dict[str, float]:
    """By how much of its size the next step would change each weight matrix; nothing is changed."""
    if optimizer.searches:  # how far it goes is not known before it looks at other places
        return {}
    chosen = [(i, name) for i, name in enumerate(parameters) if name in found and found[name].spec.rank > 1]
    if not chosen:
        return {}
    scalars = {name: tensor(x, np.float64) for name, x in coefficients_of(optimizer, state.step + 1, rate).items()}
    leaves = [parameters[name] for _, name in chosen]
    taken = updates(
        optimizer, leaves, [found[name] for _, name in chosen], [state.slots[i] for i, _ in chosen], scalars
    )
    after = {update.target: update.value.numpy() for update in taken}
    ratios = {}
    for (_, name), leaf in zip(chosen, leaves, strict=True):
        size = root_mean_square(leaf.numpy())
        if size:
            ratios[name] = root_mean_square(after[leaf] - leaf.numpy()) / size
    return ratios


def root_mean_square(x: Array) -> float:
    """√(mean x²), in float64."""
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64)))) if x.size else 0.0


def _activations(model: Model, outputs: Tensor) -> dict[str, dict[str, float]]:
    """By the path of each activation between layers, how many of its units are dead or saturated."""
    paths = {id(layer): path for path, layer in model.network.named_layers().items()}
    seen: dict[str, dict[str, float]] = {}
    for node in topological_order([outputs]):
        if node.block is None or node.spec.rank != 2 or node is outputs:
            continue
        value, kind = node.numpy(), node.block.name
        place = next((f"{paths[id(x)]} ({kind})" for x in node.layers if id(x) in paths), kind)
        if kind == "relu":
            seen[place] = {"dead": float((value <= 0).all(axis=0).mean())}
        elif kind in ("sigmoid", "tanh"):
            slope = value * (1 - value) * 4 if kind == "sigmoid" else 1 - np.square(value)
            seen[place] = {"saturated": float((slope < FLAT).mean())}
    return seen
