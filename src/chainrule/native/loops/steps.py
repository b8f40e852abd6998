"""Steps: what a program consists of, each the run of a kernel, a matrix product or a block's NumPy forward."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from chainrule.errors import ChainruleError, ShapeError
from chainrule.graph.spec import Spec
from chainrule.graph.tensor import Tensor
from chainrule.native.loops.kernel import Kernel


@dataclass(eq=False)
class Loop:
    """A step of a program that runs a kernel.

    Attributes:
        kernel: the loops.
        arguments: the nodes its buffers stand for; None for scratch memory, and a spec where only sizes are read.
        output: the node that it computes; None where it only writes leaves, or refuses values.
        writes: the leaves that it writes.
        refusal: the error for a value that the kernel refuses.
    """

    kernel: Kernel
    arguments: tuple[Tensor | Spec | None, ...]
    output: Tensor | None = None
    writes: tuple[Tensor, ...] = ()
    refusal: Callable[[int], ChainruleError] = field(default=lambda value: ShapeError(f"value {value} was refused"))


@dataclass(eq=False)
class Product:
    """A step that calls BLAS: output = left right, each perhaps turned (transposed in its last two axes)."""

    output: Tensor
    left: Tensor
    right: Tensor
    left_turned: bool
    right_turned: bool


@dataclass(eq=False)
class Call:
    """A step that runs the NumPy forward of a block that has no loop body."""

    output: Tensor


Step: TypeAlias = Loop | Product | Call
