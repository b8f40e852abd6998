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


def product(rule: Rule, a: Any, b: Any, precision: str) -> Any:
    """A product by a rule, such as `jnp.matmul`; of float32 numbers with all digits, unless fewer are asked for."""
    if a.dtype == jnp.float64 or precision == SINGLE:
        return rule(a, b, precision=jax.lax.Precision.HIGHEST)
    if precision == TENSOR:
        return rule(a, b, precision=jax.lax.Precision.DEFAULT)
    small = a.astype(jnp.bfloat16), b.astype(jnp.bfloat16)
    return jax.lax.platform_dependent(
        *small,
        cpu=lambda a, b: rule(a.astype(jnp.float32), b.astype(jnp.float32)),  # it has no such products for all shapes
        default=lambda a, b: rule(a, b, preferred_element_type=jnp.float32),
    )
