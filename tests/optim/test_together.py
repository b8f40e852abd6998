"""Small parameters are updated together in an eager step: the bits are those of each by itself."""

import numpy as np
import pytest

import chainrule
from chainrule.optim import OPTIMIZERS, SGD, Optimizer

SHAPES = [(3, 5), (7,), (), (2, 2, 3)]


def stepped(rule, groups):
    """The values after three steps of a rule, with the parameters in so many states, and what the first groups."""
    draws = np.random.default_rng(0)
    parameters = [chainrule.Parameter.of(draws.normal(size=shape), name=f"p{i}") for i, shape in enumerate(SHAPES)]
    states = [rule.start([parameters[i] for i in group]) for group in groups]
    for _ in range(3):
        gradients = [chainrule.tensor(draws.normal(size=shape)) for shape in SHAPES]
        for group, state in zip(groups, states, strict=True):
            rule.step([parameters[i] for i in group], [gradients[i] for i in group], state)
    return [parameter.value for parameter in parameters], states[0].together.groups


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if not OPTIMIZERS.make(name).searches])
def test_the_same_bits_as_each_by_itself(name):
    rule = OPTIMIZERS.make(name)
    together, found = stepped(rule, [range(len(SHAPES))])
    alone, none = stepped(rule, [[i] for i in range(len(SHAPES))])
    assert bool(found) == (name != "lamb")  # whose steps depend on the norms of whole parameters
    assert not none
    for x, y in zip(together, alone, strict=True):
        np.testing.assert_array_equal(x, y)
        assert x.shape == y.shape


class Varied(Optimizer):
    """A rule that tells parameters apart by their names and ranks, and has some of its own equations for rows."""

    def init(self, parameter):
        return {}

    def update(self, parameter, gradient, state, scalars):
        if parameter.name == "p0":
            gradient = gradient - gradient.mean(axis=-1, keepdims=True)
        if parameter.spec.rank > 2:
            gradient = gradient * 2
        return parameter - scalars["learning_rate"] * gradient, {}


def test_what_a_rule_treats_otherwise_goes_by_itself():
    together, found = stepped(Varied(0.5), [range(len(SHAPES))])
    assert found == [[1, 2]]
    alone, _ = stepped(Varied(0.5), [[i] for i in range(len(SHAPES))])
    for x, y in zip(together, alone, strict=True):
        np.testing.assert_array_equal(x, y)


def test_tables_read_by_rows_and_parameters_of_another_dtype_go_by_themselves():
    a, b = chainrule.Parameter.of([1.0, 2.0]), chainrule.Parameter.of([3.0, 4.0])
    table, double = chainrule.Parameter.of([[1.0], [2.0]]), chainrule.Parameter.of([5.0], dtype="float64")
    leaves, rule = [a, table, double, b], SGD(0.5)
    state = rule.start(leaves)
    loss = chainrule.gather(table, [1, 1]).sum() + (a * b).sum()
    gradients = chainrule.gradients(loss, [a, table, b])
    gradients.insert(2, chainrule.tensor([1.0], dtype="float64"))
    rule.step(leaves, gradients, state)
    assert state.together.groups == [[0, 3]]
    found = [x.value.tolist() for x in leaves]
    assert found == [[-0.5, 0.0], [[1.0], [1.0]], [4.5], [2.5, 3.0]]


def test_arrays_that_leaves_get_between_steps_count():
    rule = OPTIMIZERS.make("adam")
    found = []
    for groups in ([[0, 1]], [[0], [1]]):  # side by side, and each by itself
        leaves = [chainrule.Parameter.of([1.0, 2.0]), chainrule.Parameter.of([[3.0]])]
        states = [rule.start([leaves[i] for i in group]) for group in groups]
        for step in range(5):
            gradients = [chainrule.tensor(np.full(x.shape, 0.5 + step)) for x in leaves]
            for group, state in zip(groups, states, strict=True):
                rule.step([leaves[i] for i in group], [gradients[i] for i in group], state)
            if step == 1:
                leaves[0].assign([7.0, 8.0])
            if step == 2:
                leaves[1].value[...] = 9
        found.append([x.value.copy() for x in leaves])
    for x, y in zip(*found, strict=True):
        np.testing.assert_array_equal(x, y)


def test_the_equations_of_a_rule_are_looked_at_once():
    calls = []

    class Counted(Varied):
        def update(self, parameter, gradient, state, scalars):
            calls.append(parameter.shape)
            return parameter - scalars["learning_rate"] * gradient, {}

    leaves = [chainrule.Parameter.of([1.0, 2.0]), chainrule.Parameter.of([3.0])]
    rule = Counted(0.5)
    for some in (leaves, leaves[:1]):
        state = rule.start(some)
        for step in range(3):
            calls.clear()
            rule.step(some, [chainrule.tensor(np.ones(x.shape)) for x in some], state)
            assert len(calls) == (3 if step == 0 and len(some) == 2 else 1)
