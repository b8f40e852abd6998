"""Steps: what a program consists of. A step runs a kernel, a matrix product or a block's NumPy forward."""

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
        arguments: what the kernel's buffers stand for, in order. Each is a node, None for scratch memory, or a spec for
            a buffer of which only sizes are read.
        output: the node that it computes; None for a kernel that only writes leaves, or only refuses values.
        writes: the leaves that it writes.
        refusal: makes the error for a value that the kernel refuses.
    """

    kernel: Kernel
    arguments: tuple[Tensor | Spec | None, ...]
    output: Tensor | None = None
    writes: tuple[Tensor, ...] = ()
    refusal: Callable[[int], ChainruleError] = field(default=lambda value: ShapeError(f"value {value} was refused"))


@dataclass(eq=False)
class Product:
    """A step that calls BLAS: output = left right, where either may be transposed in its last two axes first."""

    output: Tensor
    left: Tensor
    right: Tensor
    left_transposed: bool
    right_transposed: bool


@dataclass(eq=False)
class Call:
    """A step that runs the NumPy forward of a block that has no loop body."""

    output: Tensor


Step: TypeAlias = Loop | Product | Call
