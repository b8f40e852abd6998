"""Forms: how blocks are computed on XLA whose own `forward` is not enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any, TypeAlias

import jax.numpy as jnp

from chainrule.dataclasses import dataclass
from chainrule.graph.block import Block
from chainrule.graph.spec import Spec
from chainrule.xla.products import SINGLE
from chainrule.xla.values import Value


@dataclass(frozen=True)
class Call:
    """A node that is computed now.

    Attributes:
        block: its block.
        spec: of its output, in the sizes that are computed.
        limits: for each axis of the output how many places are real, as a scalar; None for all.
        precision: of products; see `chainrule.xla.products`.
        longest: for each input that is offsets, how many tokens the longest text has at most; None where nobody knows.
        rounded: whether the result is kept as bfloat16.
        kernel: of the device that computes it whole; see `chainrule.xla.forms.fused`.
        kept: what calls of one program keep for others.
    """

    block: Any
    spec: Spec
    limits: Sequence[Any]
    precision: str = SINGLE
    longest: Sequence[int | None] = ()
    kernel: str | None = None
    rounded: bool = False
    kept: dict[Any, Any] = field(default_factory=dict)

    def bounds(self, axes: Sequence[int] | None = None) -> Any:
        """Which places of the output are real by the limits of some axes, or all; None where all places are."""
        found, rank = None, len(self.spec.shape)
        for axis, limit in enumerate(self.limits):
            if limit is None or (axes is not None and axis not in axes):
                continue
            inside = (jnp.arange(self.spec.shape[axis]) < limit).reshape([-1 if i == axis else 1 for i in range(rank)])
            found = inside if found is None else found & inside
        return found


Form: TypeAlias = Callable[..., Value]

#: By class of block; a subclass without a form of its own has that of its base.
FORMS: dict[type[Block], Form] = {}


def form_of(*blocks: type[Block]) -> Callable[[Form], Form]:
    """Declare the form of some blocks: a function of the call and the values of the inputs."""

    def declare(form: Form) -> Form:
        FORMS.update(dict.fromkeys(blocks, form))
        return form

    return declare


def find_form(block: Block) -> Form | None:
    """The form of a block, or None where its `forward` serves."""
    return next((FORMS[kind] for kind in type(block).__mro__ if kind in FORMS), None)
