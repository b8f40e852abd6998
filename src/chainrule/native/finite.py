"""A traced function that is run node by node, to say which number first is not finite."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.blocks.inspection import first_place, ranged
from chainrule.errors import NonFiniteError
from chainrule.graph.spec import Array
from chainrule.graph.tensor import Tensor


def require_finite(node: Tensor, value: Array, inputs: Sequence[Array]) -> None:
    """Refuse a node whose value is not finite, although those of its inputs are.

    Raises:
        NonFiniteError: with the node, where it was computed, the ranges of its inputs, and the first such place.
    """
    if node.block is None or value.dtype.kind != "f" or np.isfinite(value).all():
        return
    if not all(np.isfinite(x).all() for x in inputs if x.dtype.kind == "f"):
        return  # it was not finite before: a mask of infinities, or an argument
    layers = " of ".join(repr(layer) for layer in node.layers)
    where = f" (in {layers})" if layers else ""
    lines = [
        f"compile: {node.label}{where} is not finite: {ranged(value)}; {first_place(value)}",
        *(f"  input {x.label}: {ranged(given)}" for x, given in zip(node.inputs, inputs, strict=True)),
    ]
    raise NonFiniteError("\n".join(lines))
