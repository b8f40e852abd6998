"""The namespace that blocks get for their `xp` on XLA: `jax.numpy`, with this project's conversions."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np


class Namespace:
    """`jax.numpy` as `forward` gets it; conversions are those of `chainrule.graph.array.converted`."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(jnp, name)
        setattr(self, name, found)  # so that it is found at once from now on
        return found

    @staticmethod
    def astype(x: Any, dtype: Any) -> Any:
        """Numbers in another dtype: beyond an integer dtype its largest or smallest number, and 0 for NaN."""
        x, dtype = jnp.asarray(x), np.dtype(dtype)
        if not jnp.issubdtype(x.dtype, jnp.floating) or dtype.kind not in "iu":
            return x.astype(dtype)
        limits = np.iinfo(dtype)
        above, below = x >= float(limits.max) + 1, x <= limits.min
        whole = jnp.where(above | below | jnp.isnan(x), 0, x).astype(dtype)
        return jnp.where(above, limits.max, jnp.where(below, limits.min, whole))


XP = Namespace()
