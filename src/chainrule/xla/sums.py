"""Sums of rows by number, in the same order each time.

A GPU adds rows at one place in whatever order they come, unless told otherwise, and bits differ from run to run. Here
rows are sorted by their place first, and those of one place are summed in a tree that depends on positions alone.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp


def sums_by_place(x: Any, places: Any, size: int, *, ordered: bool = False) -> Any:
    """y[p] = Σ x[i] over the rows with places[i] = p, for p below the size; other places are left out.

    Args:
        x: shape (n, ...).
        places: integers of shape (n,).
        size: rows of the result.
        ordered: whether the places rise.
    """
    if x.shape[0] == 0 or size == 0:
        return jnp.zeros((size, *x.shape[1:]), x.dtype)
    return jax.lax.platform_dependent(
        x,
        places,
        cpu=lambda x, places: _one_by_one(x, places, size),
        default=lambda x, places: _in_a_tree(x, places, size, ordered=ordered),
    )


def _one_by_one(x: Any, places: Any, size: int) -> Any:
    places = jnp.where((places >= 0) & (places < size), places, size)
    return jnp.zeros((size, *x.shape[1:]), x.dtype).at[places].add(x, mode="drop")


def _in_a_tree(x: Any, places: Any, size: int, *, ordered: bool) -> Any:
    places = jnp.where((places >= 0) & (places < size), places, size)
    if not ordered:
        order = jnp.argsort(places, stable=True)
        x, places = x[order], places[order]
    begins = jnp.concatenate([jnp.ones(1, bool), places[1:] != places[:-1]])
    flags = begins.reshape(-1, *[1] * (x.ndim - 1))

    def combine(left: Any, right: Any) -> Any:
        (first, total), (again, more) = left, right
        return first | again, jnp.where(again, more, total + more)

    _, running = jax.lax.associative_scan(combine, (flags, x))
    last = jnp.concatenate([places[1:] != places[:-1], jnp.ones(1, bool)])
    # Of each place the last row, which has the sum of all; the others go nowhere, each to a place of its own.
    there = jnp.where(last & (places < size), places, size + jnp.arange(len(places)))
    return jnp.zeros((size, *x.shape[1:]), x.dtype).at[there].set(running, mode="drop", unique_indices=True)
