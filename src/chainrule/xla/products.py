"""Products: sums of float32 at least, of numbers as they are or rounded to bfloat16."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

#: A function of two arrays that takes JAX's settings of products.
Rule = Callable[..., Any]


def product(rule: Rule, a: Any, b: Any, *, reduced: bool) -> Any:
    """A product by a rule, such as `jnp.matmul`; of float32 numbers with all their digits, unless they are reduced."""
    if not (reduced and {a.dtype, b.dtype} <= {jnp.dtype(jnp.float32), jnp.dtype(jnp.bfloat16)}):
        return rule(a, b, precision=jax.lax.Precision.HIGHEST)
    small = a.astype(jnp.bfloat16), b.astype(jnp.bfloat16)
    return jax.lax.platform_dependent(
        *small,
        cpu=lambda a, b: rule(a.astype(jnp.float32), b.astype(jnp.float32)),  # it has no such products for all shapes
        default=lambda a, b: rule(a, b, preferred_element_type=jnp.float32),
    )
