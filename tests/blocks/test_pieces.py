"""Gradients of many slices of one tensor: the right sum, in one array, in both engines."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import grad
from chainrule.errors import ShapeError
from chainrule.graph.order import topological_order

SHAPE = (3, 12, 2)
X = np.cos(np.arange(72.0)).reshape(SHAPE).astype(np.float32)
#: What is read of it.
READS = {
    "every step of an axis": [(slice(None), t) for t in range(12)],
    "the steps backwards": [(slice(None), t) for t in reversed(range(12))],
    "every second step": [(slice(None), t) for t in range(1, 12, 2)],
    "steps twice": [(slice(None), t) for t in (3, 4, 4, 3, 9)],
    "halves": [(slice(None), slice(0, 5)), (slice(None), slice(5, None))],
    "windows": [(slice(None), slice(t, t + 3)) for t in range(10)],
    "cells": [(i, t) for i in range(3) for t in range(12)],
    "a few cells": [(0, 0), (2, 11), (1, 3), (0, 0)],
    "rows and columns": [(i,) for i in range(3)] + [(slice(None), t) for t in range(12)],
    "every other one": [(slice(None), slice(k, None, 2)) for k in range(2)],
    "all of it, and a part": [(slice(None),), (0,)],
}


def factor(k):
    return 1.5 + k


def slopes(reads):
    """c of the gradient c x: what flows back through each slice alone, added up."""
    total = np.zeros(SHAPE, np.float32)
    for k, read in enumerate(reads):
        total[read] += 2 * factor(k)
    return total


def loss(x, reads):
    return sum(factor(k) * (x[read] * x[read]).sum() for k, read in enumerate(reads))


@pytest.mark.parametrize("engine", [lambda f: f, cr.compile], ids=["eager", "compiled"])
@pytest.mark.parametrize("reads", READS.values(), ids=READS)
def test_gradient_is_the_sum_over_all_slices(reads, engine):
    found = engine(lambda x: grad(loss(x, reads), x))(cr.tensor(X))
    np.testing.assert_allclose(found.value, slopes(reads) * X, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("engine", [lambda f: f, cr.compile], ids=["eager", "compiled"])
@pytest.mark.parametrize("reads", READS.values(), ids=READS)
def test_second_derivative(reads, engine):
    """Of Σ (c x)² / 2 it is c² x."""
    found = engine(lambda x: grad((grad(loss(x, reads), x) ** 2).sum() / 2, x))(cr.tensor(X))
    np.testing.assert_allclose(found.value, slopes(reads) ** 2 * X, rtol=1e-5, atol=1e-5)


def blocks_of(output):
    return [node.block.name for node in topological_order([output]) if node.block is not None]


@pytest.mark.parametrize(
    ("name", "arrays"), [("every step of an axis", 1), ("cells", 4), ("windows", 3), ("steps twice", 1), ("halves", 1)]
)
def test_pieces_are_put_together(name, arrays):
    leaf = cr.tensor(X)
    blocks = blocks_of(grad(loss(leaf, READS[name]), leaf))
    assert blocks.count("concatenate") == arrays
    assert blocks.count("unslice") <= (2 if name == "windows" else 1)  # a few windows begin or end inside


def test_one_kernel_serves_all_steps():
    """A slice's place, and that of an input in a concatenation, is an argument of the kernel."""
    cost = {}
    for steps in (20, 40):
        x = np.ones((4, steps, 3), np.float32)

        def function(x, steps=steps):
            states = [cr.zeros((4, 3))]
            for t in range(steps):
                states.append(cr.tanh(x[:, t] + states[-1]))
            return grad(cr.stack(states, 1).sum(), x)

        compiled = cr.compile(function)
        compiled(x)
        cost[steps] = len({step.kernel.key for step in compiled._last.steps})
    assert cost[20] == cost[40] <= 16


def test_long_concatenation_is_written_in_parts():
    parts = [np.full((2, 1 + k % 3), k, np.float32) for k in range(20)]
    parts.insert(3, np.zeros((2, 0), np.float32))
    compiled = cr.compile(lambda *parts: cr.concatenate([2 * x for x in parts], 1))
    np.testing.assert_array_equal(compiled(*parts).value, 2 * np.concatenate(parts, 1))
    assert compiled.listing().count("kernel part") == 20
    empty = cr.compile(lambda *parts: cr.concatenate(parts, 1))
    assert empty(*[np.zeros((0, 2), np.float32)] * 10).shape == (0, 20)


def test_unstack():
    x = cr.tensor(np.arange(24.0).reshape(2, 3, 4))
    for axis in (0, 1, 2, -1):
        parts = cr.unstack(x, axis)
        assert isinstance(parts, tuple)
        np.testing.assert_array_equal(cr.stack(parts, axis).value, x.value)
        gradient = grad(sum(k * (part**2).sum() for k, part in enumerate(parts)), x)
        assert blocks_of(gradient).count("concatenate") == 1
        assert "unslice" not in blocks_of(gradient)
        of_each = np.moveaxis(np.zeros(np.moveaxis(x.value, axis, -1).shape) + np.arange(len(parts)), -1, axis)
        np.testing.assert_array_equal(gradient.value, 2 * of_each * x.value)
    assert cr.unstack(np.zeros((0, 2))) == ()
    assert [part.shape for part in x.unstack(1)] == [(2, 4)] * 3
    with pytest.raises(ShapeError, match="unstack: there is no axis 3"):
        cr.unstack(x, 3)
    with pytest.raises(ShapeError, match="unstack: there is no axis 0"):
        cr.unstack(1.0)
