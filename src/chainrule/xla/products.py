"""Products: sums of float32 at least, of numbers as they are or rounded to bfloat16."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

#: Numbers that products are made of; see `chainrule.engines`.
SINGLE, TENSOR, MIXED = "float32", "tensorfloat32", "bfloat16"
#: A function of two arrays that takes JAX's settings of products.
Rule = Callable[..., Any]


def product(rule: Rule, a: Any, b: Any, precision: str, *, rounded: bool = False) -> Any:
    """A product by a rule, such as `jnp.matmul`; of float32 numbers with all digits, unless fewer are asked for.

    Sums that will be kept as bfloat16 are rounded to it as they are written: half of what a device would write, and
    read again.
    """
    if a.dtype == jnp.float64 or precision == SINGLE:
        return rule(a, b, precision=jax.lax.Precision.HIGHEST)
    if precision == TENSOR:
        return rule(a, b, precision=jax.lax.Precision.DEFAULT)
    dtype = jnp.bfloat16 if rounded else jnp.float32
    small = a.astype(jnp.bfloat16), b.astype(jnp.bfloat16)
    return jax.lax.platform_dependent(
        *small,
        cpu=lambda a, b: rule(a.astype(jnp.float32), b.astype(jnp.float32)).astype(dtype),  # it lacks some of those
        default=lambda a, b: rule(a, b, preferred_element_type=dtype),
    )
