"""Gradients made by the recipe of a structure are those that the blocks give, bit for bit."""

import numpy as np
import pytest

import chainrule
from chainrule.graph import recipes
from chainrule.nn import cross_entropy
from chainrule.optim import SGD

DRAWS = np.random.default_rng(0)


def parameter(*shape):
    return chainrule.Parameter.of(DRAWS.normal(size=shape))


def perceptron(x, w, v, table):
    return cross_entropy(chainrule.relu(x @ w) @ v, [1, 0, 2]) + (table * x).sum()


def look_ups(x, w, v, table):
    return (chainrule.gather(w, [1, 1, 3]) * chainrule.softmax(x @ w) * w[:3]).sum() * v.max()


def powers(x, w, v, table):
    return ((x.T / (2 + w[:3, :3].exp().sum())) ** 2 - v.max() * table.mean(axis=0, keepdims=True).T).mean()


def taken(function, leaves):
    """The first gradients as the arrays that they are made of, and some second ones."""
    loss = function(*leaves)
    found = chainrule.gradients(loss, leaves, unused="zeros")
    second = chainrule.grad(sum((chainrule.grad(loss, x, unused="zeros") ** 2).sum() for x in leaves), leaves[0])
    parts = [part for x in found for part in ([x] if isinstance(x, chainrule.Tensor) else [x.indices, x.rows])]
    return [*[part.numpy() for part in parts], second.numpy()]


@pytest.fixture
def structures():
    recipes._structure.cache_clear()
    yield recipes._structure
    recipes._structure.cache_clear()


@pytest.mark.parametrize("function", [perceptron, look_ups, powers])
def test_the_same_bits_as_by_the_blocks(function, structures, monkeypatch):
    many = [[parameter(3, 5), parameter(5, 5), parameter(5, 3), parameter(3, 5)] for _ in range(4)]
    monkeypatch.setattr(recipes, "MOST_NODES", 0)
    expected = [taken(function, leaves) for leaves in many]
    assert not structures.cache_info().currsize
    monkeypatch.undo()
    for leaves, arrays in zip(many, expected, strict=True):
        for x, y in zip(taken(function, leaves), arrays, strict=True):
            np.testing.assert_array_equal(x, y)
            assert x.dtype == y.dtype
    assert structures.cache_info().hits


def test_backward_gives_all_nodes_theirs(structures):
    for number in range(4):
        x, w = parameter(2, 3), parameter(3)
        middle = x * w
        chainrule.backward((middle * middle).sum())
        np.testing.assert_array_equal(middle.gradient.value, 2 * middle.value)
        np.testing.assert_allclose(w.gradient.value, (2 * middle.value * x.value).sum(0), rtol=1e-6)
        assert structures.cache_info().misses == 1, number


def test_what_was_read_counts_where_a_leaf_has_changed(structures):
    x = parameter(3)
    for _ in range(4):
        loss, before = (x * x).sum(), x.value.copy()
        x.assign(np.zeros(3))
        np.testing.assert_array_equal(chainrule.grad(loss, x).value, 2 * before)
        x.assign(before + 1)
        np.testing.assert_array_equal(chainrule.grad((x * x).sum(), x).value, 2 * x.value)


def test_other_constants_and_other_shapes_are_told_apart(structures):
    for factor in (2, 3, 2.5, 2, 3):
        for size in (2, 3):
            x = parameter(size)
            assert chainrule.grad((x * factor).sum(), x).value.tolist() == [factor] * size


def test_the_backward_of_a_user_is_asked_each_time(structures):
    asked = []

    class Watched(chainrule.Elementwise):
        def forward(self, xp, x):
            return x * 2

        def backward(self, gradient, output, x):
            asked.append(gradient.shape)
            return (gradient * len(asked),)

    block, x = Watched(), parameter(2)
    assert [chainrule.grad(block(x).sum(), x).value[0] for _ in range(4)] == [1, 2, 3, 4]


def test_recipes_keep_no_arrays(structures):
    import weakref

    for _ in range(3):
        x = parameter(4)
        gradient = chainrule.grad((x.exp() * x).sum(), x)
        alive = weakref.ref(x), weakref.ref(gradient)
        del x, gradient
        assert [reference() for reference in alive] == [None, None]


def test_training_comes_to_the_same_weights(structures, monkeypatch):
    def trained():
        draws = np.random.default_rng(1)
        leaves = [chainrule.Parameter.of(draws.normal(size=shape)) for shape in [(3, 5), (5, 5), (5, 3), (3, 5)]]
        rule = SGD(0.1, momentum=0.9)
        state = rule.start(leaves)
        for _ in range(5):
            rule.step(leaves, chainrule.gradients(perceptron(*leaves), leaves), state)
        return [leaf.value for leaf in leaves]

    found = trained()
    monkeypatch.setattr(recipes, "MOST_NODES", 0)
    for x, y in zip(found, trained(), strict=True):
        np.testing.assert_array_equal(x, y)
