"""Graphs as text, and their values in a fixed order of memory."""

import numpy as np

from chainrule import Constant, Spec, trace

SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, -0.0, 1.0, -1.0, 2.0, 0.5, -3.7, 1e-20, 3e38]


def special(shape, dtype, seed=0):
    """Numbers of a dtype, every hard case among them."""
    draws = np.random.default_rng(seed)
    if dtype == np.bool_:
        return draws.random(shape) < 0.5
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return draws.choice(np.array([limits.min, limits.max, 0, 1, 2, 7], dtype), shape)
    smallest = np.finfo(dtype).smallest_subnormal
    return draws.choice(np.array([*SPECIAL, smallest, -7 * smallest, *draws.normal(size=8)]).astype(dtype), shape)


def text(graph):
    """The outputs as nested calls: `add(x, negative(y))`."""
    written = {}
    for node in graph.nodes():
        if node.block is not None:
            written[node] = f"{node.block!r}({', '.join(written[x] for x in node.inputs)})"
        elif isinstance(node, Constant):
            written[node] = f"{node.value.item():g}" if node.value.size == 1 else str(node.value.tolist())
        else:
            written[node] = node.name
    return "; ".join(written[output] for output in graph.outputs)


def record(function, *specs):
    """Trace a function over x, y and z."""
    return trace(
        function,
        *[spec if isinstance(spec, Spec) else Spec((2, 3), np.dtype(spec)) for spec in specs],
        names="xyz"[: len(specs)],
    )


def values(graph, data):
    """The values of the outputs, with every array in row order, so that sums add up in one order."""
    found = dict(zip(graph.inputs, data, strict=True))
    for node in graph.nodes():
        if node in found:
            continue
        if node.block is None:
            found[node] = node.numpy()
        else:
            found[node] = np.array(node.block.run([found[x] for x in node.inputs]), order="C")
    return [found[output] for output in graph.outputs]


def assert_same_bits(found, expected):
    """The same dtype, shape and bits; a NaN for a NaN."""
    for a, b in zip(found, expected, strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        np.testing.assert_array_equal(a, b)
        if a.dtype.kind == "f":
            known = ~np.isnan(a)
            np.testing.assert_array_equal(np.signbit(a)[known], np.signbit(b)[known])


def assert_same_values(after, before):
    """Two graphs over the same inputs give the same bits for hard numbers."""
    assert after.inputs == before.inputs
    for seed in range(5):
        data = [special(x.shape, x.dtype, seed) for x in before.inputs]
        assert_same_bits(values(after, data), values(before, data))
