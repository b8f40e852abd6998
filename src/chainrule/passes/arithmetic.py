"""Identities of elementwise blocks and reductions. Each rule says why it is exact; what is not exact is not here.

Left out, with the numbers that forbid it: x + 0.0 and Σ over no axis (-0.0 becomes 0.0), x 0 and x - x (NaN, ∞),
-(a - b) = b - a (0.0 where a = b), a / c = a (1 / c) (rounds twice), ln eˣ (overflows), √x for x^0.5 (-0.0, -∞),
(a + b) + c = a + (b + c) (rounding). Some that are exact would need a new constant or more nodes: x⁰ = 1, x³ = x x x,
0 x = 0 of integers, a / 2ᵏ = a 2⁻ᵏ.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from chainrule.blocks.arithmetic import (
    Absolute,
    Add,
    Divide,
    Identity,
    IntegerPower,
    Maximum,
    Minimum,
    Multiply,
    Negative,
    Power,
    Subtract,
)
from chainrule.blocks.casting import Cast, Renew, StopGradient
from chainrule.blocks.comparison import Where
from chainrule.blocks.movement import Broadcast, Reshape, Transpose
from chainrule.blocks.reduction import Max, Sum
from chainrule.graph.block import Block
from chainrule.graph.leaves import Constant
from chainrule.graph.spec import BOOL, FLOAT32, FLOAT64, INT64, UINT32
from chainrule.graph.tensor import Tensor
from chainrule.passes.rewrite import apply

#: `rule(block, node)`: what takes the place of a node of the block, or None when the rule does not apply.
Rule: TypeAlias = Callable[[Any, Tensor], Tensor | None]

INT32 = np.dtype(np.int32)
#: The dtypes that hold every number of a dtype (NumPy's own table has float64 hold int64, of which it rounds most).
WIDER = {
    BOOL: (INT32, INT64, UINT32, FLOAT32, FLOAT64),
    INT32: (INT64, FLOAT64),
    UINT32: (INT64, FLOAT64),
    FLOAT32: (FLOAT64,),
}


def number(x: Tensor) -> Any:
    """The one number that a tensor repeats, for a constant of one element in any shape; else None."""
    while type(x.block) in (Broadcast, Reshape, Transpose):
        (x,) = x.inputs
    if isinstance(x, Constant) and x.value is not None and x.spec.size == 1:
        return x.value.reshape(())[()]
    return None


def _repeated(x: Tensor, node: Tensor) -> Tensor | None:
    """The tensor in the place of a node, which repeats it where another of the node's inputs was larger."""
    if x.dtype != node.dtype:
        return None
    return x if x.shape == node.shape else apply(Broadcast(node.shape), (x,), node)


def _negated(x: Tensor) -> Tensor | None:
    """What x is the negative of."""
    return x.inputs[0] if type(x.block) is Negative else None


def _same(block: Block, node: Tensor) -> Tensor | None:  # noqa: ARG001
    """The value is the input: identity, and stop_gradient once gradients are taken."""
    return _repeated(node.inputs[0], node)


def _add(block: Add, node: Tensor) -> Tensor | None:  # noqa: ARG001
    """x + 0 = x for integers, x + (-0.0) = x for floats (0.0 + -0.0 is 0.0); a + (-b) = a - b defines subtraction."""
    for x, other in (node.inputs, node.inputs[::-1]):
        zero = number(other)
        if zero is not None and zero == 0 and (not node.spec.floating or np.signbit(zero)):
            return _repeated(x, node)
    a, b = node.inputs
    if (inner := _negated(b)) is not None:
        return apply(Subtract(), (a, inner), node)
    if (inner := _negated(a)) is not None:
        return apply(Subtract(), (b, inner), node)
    return None


def _subtract(block: Subtract, node: Tensor) -> Tensor | None:  # noqa: ARG001
    """x - 0 = x, and of floats x - 0.0 = x (-0.0 - 0.0 is -0.0) but not x - (-0.0); a - (-b) = a + b."""
    a, b = node.inputs
    zero = number(b)
    if zero is not None and zero == 0 and node.dtype.kind in "iuf" and not (node.spec.floating and np.signbit(zero)):
        return _repeated(a, node)
    if (inner := _negated(b)) is not None:
        return apply(Add(), (a, inner), node)
    return None


def _multiply(block: Multiply, node: Tensor) -> Tensor | None:  # noqa: ARG001
    """x 1 = x, and x (-1) = -x: a product with ±1 is exact, and its sign is that of the factors, zeros included."""
    for x, other in (node.inputs, node.inputs[::-1]):
        if (result := _by_one(x, number(other), node)) is not None:
            return result
    return None


def _divide(block: Divide, node: Tensor) -> Tensor | None:  # noqa: ARG001
    """x / 1 = x, and x / (-1) = -x, for the same reason."""
    x, other = node.inputs
    return _by_one(x, number(other), node) if node.spec.floating else None


def _by_one(x: Tensor, factor: Any, node: Tensor) -> Tensor | None:
    if factor is not None and factor == 1:
        return _repeated(x, node)
    if factor is not None and factor == -1 and x.spec == node.spec and node.dtype.kind in "if":
        return apply(Negative(), (x,), node)
    return None


def _negative(block: Negative, node: Tensor) -> Tensor | None:  # noqa: ARG001
    """-(-x) = x: changes a sign twice; an integer negated twice is itself, the smallest too. NumPy negates no bool."""
    inner = _negated(node.inputs[0])
    return inner if node.dtype.kind in "iuf" else None


def _absolute(block: Absolute, node: Tensor) -> Tensor | None:  # noqa: ARG001
    """| |x| | = |x|, and |-x| = |x|: only the sign differs (of unsigned numbers, -x is another number)."""
    (x,) = node.inputs
    if type(x.block) is Absolute:
        return x
    inner = _negated(x)
    return apply(Absolute(), (inner,), node) if inner is not None and node.dtype.kind in "if" else None


def _power(block: Power | IntegerPower, node: Tensor) -> Tensor | None:  # noqa: ARG001
    """x¹ = x, as C and NumPy define it for every x; x² = x x, the nearest number to the square.

    NumPy itself squares by x x for an exponent that is a single 2. Its general power, and that of other libraries, may
    be one unit in the last place off, which is the only difference a rule makes.
    """
    x, exponent = node.inputs
    power = number(exponent)
    if power is not None and power == 1:
        return _repeated(x, node)
    if power is not None and power == 2 and x.spec == node.spec:
        return apply(Multiply(), (x, x), node)
    return None


def _extreme(block: Maximum | Minimum, node: Tensor) -> Tensor | None:  # noqa: ARG001
    """max(x, x) = x = min(x, x): NaN and both zeros included."""
    a, b = node.inputs
    return a if a is b else None


def _where(block: Where, node: Tensor) -> Tensor | None:  # noqa: ARG001
    """A choice between x and x, or one that a constant makes, is what is chosen: elements are passed on unchanged."""
    condition, a, b = node.inputs
    if a is b:
        return _repeated(a, node)
    known = number(condition)
    return None if known is None else _repeated(a if known else b, node)


def _cast(block: Cast, node: Tensor) -> Tensor | None:
    """A cast to the dtype that is there; a cast over a wider dtype, which loses nothing, and so is left out.

    An integer that the last dtype does not hold is another matter where it becomes floating-point in between: that
    becomes the nearest integer of the dtype, and an integer itself keeps its low bits. So those casts stay.
    """
    (x,) = node.inputs
    if x.dtype == block.dtype:
        return x
    if type(x.block) is not Cast:
        return None
    (source,) = x.inputs
    if x.dtype not in WIDER.get(source.dtype, ()):
        return None
    if source.dtype == block.dtype:
        return source
    saturates = x.spec.floating and block.dtype.kind in "iu" and block.dtype not in WIDER[source.dtype]
    return None if saturates and not source.spec.floating else apply(block, (source,), node)


def _sum(block: Sum, node: Tensor) -> Tensor | None:
    """The sum over no axis is x as int64, for integers and booleans; of floats it makes 0.0 of -0.0."""
    (x,) = node.inputs
    if block.axis or x.spec.floating:
        return None
    return x if x.dtype == node.dtype else apply(Cast(node.dtype), (x,), node)


def _max(block: Max, node: Tensor) -> Tensor | None:
    """The maximum over no axis is x."""
    return None if block.axis else node.inputs[0]


RULES: dict[type, Rule] = {
    Absolute: _absolute,
    Add: _add,
    Cast: _cast,
    Divide: _divide,
    Identity: _same,
    IntegerPower: _power,
    Max: _max,
    Maximum: _extreme,
    Minimum: _extreme,
    Multiply: _multiply,
    Negative: _negative,
    Power: _power,
    StopGradient: _same,
    Renew: lambda _, node: node.inputs[1],
    Subtract: _subtract,
    Sum: _sum,
    Where: _where,
}
