"""All passes together: random graphs with their gradients, long chains, and a training step."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule
from chainrule import Constant, Graph, Key, Parameter, Spec, grad, gradients, negative, trace
from chainrule.errors import ChainruleError
from chainrule.graph.autodiff import adjoints
from chainrule.graph.spec import FLOAT32, FLOAT64, INT64, spec_of
from chainrule.graph.trace import Update
from chainrule.passes import optimise
from tests.passes.graphs import SPECIAL, assert_same_bits, record, special, text, values

NUMBERS = [*SPECIAL[:11], 3.0]
SHAPES = [(), (3,), (2, 3), (2, 1), (3, 2), (6,), (1, 2, 3), (4, 2, 3)]
ORDERS = [(0, 1, 2), (2, 0, 1), (1, 2, 0), (0, 2, 1)]
AXES = [(), (0,), (1,), (0, 1)]


class Choices:
    """Picks among things, the same ones for a seed."""

    def __init__(self, seed):
        self.draws = np.random.default_rng(seed)

    def of(self, things):
        return things[self.draws.integers(len(things))]


def constant(choices, dtype):
    """A number, an array, or a number that is repeated."""
    number = np.asarray(choices.of(NUMBERS), dtype)
    shape = choices.of([(), (), (), (1, 1), (3,), (2, 3)])
    value = np.full(shape, number)
    if choices.of([True, False]) and shape:
        value = np.linspace(-1, 1, value.size, dtype=dtype).reshape(shape)
    held = Constant(spec_of(value), value)
    return choices.of([lambda: held, lambda: chainrule.broadcast_to(held, (2, 3))])()


CONDITIONS = [chainrule.greater, chainrule.less_equal, chainrule.equal]
#: Steps over two floating-point tensors, a constant and a condition.
STEPS = [
    lambda a, b, c, t, n, choices: a + b,
    lambda a, b, c, t, n, choices: a - b,
    lambda a, b, c, t, n, choices: a * b,
    lambda a, b, c, t, n, choices: a / b,
    lambda a, b, c, t, n, choices: a + c,
    lambda a, b, c, t, n, choices: choices.of([a, -a]) + choices.of([0.0, -0.0, 1.0]),
    lambda a, b, c, t, n, choices: choices.of([a, -a]) - choices.of([0.0, -0.0, 1.0]),
    lambda a, b, c, t, n, choices: a * choices.of([0.0, -1.0, 1.0]),
    lambda a, b, c, t, n, choices: (a * choices.of([0.0, -1.0])).sum(axis=()),
    lambda a, b, c, t, n, choices: chainrule.concatenate([chainrule.minimum(a, 0.0), chainrule.minimum(0.0, a)]),
    lambda a, b, c, t, n, choices: c - a,
    lambda a, b, c, t, n, choices: a - c,
    lambda a, b, c, t, n, choices: a * c,
    lambda a, b, c, t, n, choices: c * a,
    lambda a, b, c, t, n, choices: a / c,
    lambda a, b, c, t, n, choices: -a,
    lambda a, b, c, t, n, choices: -a + b,
    lambda a, b, c, t, n, choices: a - (-b),
    lambda a, b, c, t, n, choices: abs(a),
    lambda a, b, c, t, n, choices: a ** choices.of([0, 1, 2, 3, -1, 0.5]),
    lambda a, b, c, t, n, choices: chainrule.maximum(a, choices.of([a, b, c])),
    lambda a, b, c, t, n, choices: chainrule.minimum(choices.of([a, b, c]), a),
    lambda a, b, c, t, n, choices: chainrule.where(t, a, choices.of([a, b, c])),
    lambda a, b, c, t, n, choices: chainrule.where(chainrule.equal(c, choices.of(NUMBERS)), a, b),
    lambda a, b, c, t, n, choices: chainrule.concatenate([chainrule.maximum(a, b), chainrule.maximum(b, a)]),
    lambda a, b, c, t, n, choices: chainrule.concatenate([a * b - 0.0 * a, b * a - -0.0 * a]),
    lambda a, b, c, t, n, choices: chainrule.exp(a),
    lambda a, b, c, t, n, choices: chainrule.log(choices.of([a, c])),
    lambda a, b, c, t, n, choices: chainrule.tanh(a),
    lambda a, b, c, t, n, choices: chainrule.sigmoid(a),
    lambda a, b, c, t, n, choices: chainrule.relu(a),
    lambda a, b, c, t, n, choices: chainrule.sqrt(a),
    lambda a, b, c, t, n, choices: chainrule.identity(choices.of([a, c])),
    lambda a, b, c, t, n, choices: chainrule.stop_gradient(a),
    lambda a, b, c, t, n, choices: a.reshape(*choices.of(SHAPES)),
    lambda a, b, c, t, n, choices: chainrule.broadcast_to(a, choices.of(SHAPES)),
    lambda a, b, c, t, n, choices: a.T,
    lambda a, b, c, t, n, choices: a.reshape(1, 2, 3).transpose(2, 0, 1).transpose(*choices.of(ORDERS)),
    lambda a, b, c, t, n, choices: a.transpose(*choices.of([(1, 0), (0, 1), (2, 0, 1), (1, 2, 0)])),
    lambda a, b, c, t, n, choices: a[choices.of([slice(None), slice(1, None), slice(None, None, -1), 0, None])],
    lambda a, b, c, t, n, choices: chainrule.concatenate([a, choices.of([a, b, c])]),
    lambda a, b, c, t, n, choices: a.sum(axis=choices.of(AXES), keepdims=choices.of([True, False])),
    lambda a, b, c, t, n, choices: a.max(axis=choices.of(AXES), keepdims=choices.of([True, False])),
    lambda a, b, c, t, n, choices: chainrule.mean(choices.of([a, c]), axis=choices.of(AXES)),
    lambda a, b, c, t, n, choices: chainrule.logsumexp(a),
    lambda a, b, c, t, n, choices: chainrule.softmax(a),
    lambda a, b, c, t, n, choices: a @ choices.of([b, b.T, c]),
    lambda a, b, c, t, n, choices: chainrule.gather(a, chainrule.minimum(n, len(a) - 1)),
    lambda a, b, c, t, n, choices: chainrule.dropout(a, 0.5, Key.of(choices.of([0, 1]))),
    lambda a, b, c, t, n, choices: a.astype(choices.of(["float32", "float64", "int64", "bool"])).astype(a.dtype),
    lambda a, b, c, t, n, choices: (n + choices.of([0, 1]) * n).sum().astype(a.dtype) * a,
]


def dense(gradient):
    return gradient if isinstance(gradient, chainrule.Tensor) else gradient.dense()


def grow(pool, n, dtype, step, choices):
    """Add what a step makes of some tensors of the pool; whether their shapes fitted."""
    a, b, c = choices.of(pool[-8:]), choices.of(pool), constant(choices, dtype)
    try:
        t = choices.of(CONDITIONS)(a, choices.of([b, c]))
        result = step(a, b, c, t, n, choices)
    except ChainruleError:
        return False
    if 0 < result.spec.size <= 200:  # an empty table has no row to gather
        pool.append(result)
    return True


def build(seed, dtype, steps):
    """A random function over a matrix, a vector, a scalar and integers: all that it computes, and gradients."""
    choices = Choices(seed)

    def function(x, y, z, n):
        pool = [x, y, z, Parameter.of(special((2, 3), dtype, seed=9), dtype=dtype)]
        for _ in range(steps):
            grow(pool, n, dtype, choices.of(STEPS), choices)
        total = pool[-1].sum() + choices.of(pool).sum()
        start = chainrule.Tensor(
            total.spec, block=chainrule.identity, inputs=(Constant(total.spec, np.ones((), dtype)),)
        )
        found = adjoints(total, start, [x, y, z])
        return [*pool, total, *(dense(found[leaf]) for leaf in (x, y, z) if leaf in found)]

    return trace(function, *specs(dtype), names=["x", "y", "z", "n"])


def specs(dtype):
    return [Spec((2, 3), dtype), Spec((3,), dtype), Spec((), dtype), Spec((2,), INT64)]


@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT64], ids=str)
@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 30))
def test_random_graphs_keep_their_bits(dtype, seed, steps):
    graph = build(seed, dtype, steps)
    optimised = optimise(graph)
    assert optimised.inputs == graph.inputs
    assert len(optimised.nodes()) <= len(graph.nodes())
    assert optimise(optimised) is optimised
    data = [*(special(x.shape, dtype, seed + i) for i, x in enumerate(graph.inputs[:3])), np.array([seed % 3, 0])]
    assert_same_bits(values(optimised, data), values(graph, data))


@pytest.mark.parametrize("step", STEPS)
def test_random_graphs_have_every_step(step):
    leaves = [chainrule.Tensor(spec) for spec in specs(FLOAT32)]
    assert any(grow(leaves[:3], leaves[3], FLOAT32, step, Choices(seed)) for seed in range(100))


def test_the_passes_wait_for_each_other_in_one_round():
    """Each choice is between two sides that are equal once the choices below them are made."""

    def nested(x, y):
        condition = x > y
        for _ in range(50):
            x = chainrule.where(condition, chainrule.exp(x), chainrule.exp(x + -0.0))
        return x

    graph = optimise(record(nested, "float32", "float32"))
    assert text(graph) == "exp(" * 50 + "x" + ")" * 50


def test_a_gradient_loses_what_is_known():
    graph = trace(lambda x: grad((3 * x**2).sum(), x), Spec((4,)), names=["x"])
    assert len(graph.nodes()) == 20
    assert text(optimise(graph)) == "multiply(broadcast(shape=(4,))(3), multiply(2, x))"


def test_sizes_are_not_written_into_the_graph():
    graphs = [optimise(trace(lambda x: grad((x * x).mean(), x), Spec((n,)), names=["x"])) for n in (2, 50, 500)]
    shown = {text(graph).replace(f"({graph.inputs[0].shape[0]},)", "(n,)") for graph in graphs}
    assert len(shown) == 1
    assert "size(axis=(0,))(multiply(x, x))" in shown.pop()


def step(x, y, words):
    """Loss and gradients of a network of two layers with dropout, and a decay of its weights."""
    draws = np.random.default_rng(0)
    first, second = (Parameter.of(draws.normal(size=shape)) for shape in [(8, 6), (6, 3)])
    hidden = chainrule.dropout(chainrule.relu(x @ first), 0.5, Key(words))
    scores = chainrule.log_softmax(hidden @ second)
    loss = -chainrule.mean(chainrule.take_along_axis(scores, chainrule.expand(y, 1))) + 0.01 * (first**2).sum()
    return loss, *grad(loss, [first, second])


def test_a_training_step_keeps_its_values():
    graph = trace(step, Spec((4, 8)), Spec((4,), INT64), Spec((2,), np.dtype("uint32")))
    optimised = optimise(graph)
    assert len(optimised.nodes()) <= len(graph.nodes()) - 20
    names = {node.block.name for node in optimised.nodes() if node.block is not None}
    assert names.isdisjoint({"stop_gradient", "identity", "power"})
    data = [np.linspace(-1, 1, 32, dtype=np.float32).reshape(4, 8), np.array([0, 2, 1, 1]), Key.of(1).words]
    assert_same_bits(values(optimised, data), values(graph, data))
    for found, expected in zip(optimised(*data), graph(*data), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("lazy", [False, True])
def test_a_step_of_an_optimizer_keeps_its_values(lazy):
    def run(change):
        table, weight = Parameter.of(np.arange(8.0).reshape(4, 2)), Parameter.of([[1.0], [-1.0]])
        rule = chainrule.Adam(learning_rate=0.1, lazy=lazy)
        state = rule.start([table, weight])

        def training_step(indices):
            loss = ((chainrule.gather(table, indices) @ weight) ** 2).mean()
            rule.step([table, weight], gradients(loss, [table, weight]), state)
            return loss, weight * 1

        graph = change(trace(training_step, Spec((3,), INT64)))
        losses = [graph(np.array(indices)) for indices in ([0, 1, 1], [2, 0, 3], [3, 3, 3])]
        held = [table.value, weight.value, *state.arrays().values()]
        return [*(value for result in losses for value in result), *held], len(graph.nodes())

    found, smaller = run(optimise)
    expected, larger = run(lambda graph: graph)
    assert_same_bits(found, expected)
    assert smaller < larger


def test_what_an_update_changes_is_returned_as_it_was_before():
    a, b = Parameter.of([1.0], name="a"), Parameter.of([2.0], name="b")
    x = chainrule.Tensor(Spec(()), name="x")
    graph = Graph((x,), (a * 1, x * 1, b), (Update(a, b * 1), Update(b, negative(negative(a)))))
    optimised = optimise(graph)
    assert optimised.outputs == (graph.outputs[0], x, b)
    kept = Graph((), tuple(update.value for update in optimised.updates))
    assert text(kept) == "multiply(b, 1); negative(negative(a))"
    assert optimise(optimised) is optimised
    assert [value.tolist() for value in optimised(5.0)] == [[1.0], 5.0, [2.0]]
    assert (a.value.tolist(), b.value.tolist()) == ([2.0], [1.0])


def test_second_gradients_keep_their_values():
    def function(x):
        first = grad((chainrule.tanh(x) ** 2 * x).sum(), x)
        return first, grad((first * first).sum(), x)

    graph = trace(function, Spec((2, 3), FLOAT64))
    data = [np.linspace(-2, 2, 6).reshape(2, 3)]
    assert_same_bits(values(optimise(graph), data), values(graph, data))


def test_the_gradient_of_a_long_chain():
    def chain(x):
        y = x
        for _ in range(10_000):
            y = -(y * 1) + 0.0 * x
        return y, grad(y.sum(), x)

    graph = record(chain, "float32")
    optimised = optimise(graph)
    assert len(optimised.nodes()) < 30_000 < len(graph.nodes())
    assert optimise(optimised) is optimised


def test_a_graph_with_nothing_to_do_is_returned_as_it_is():
    graph = record(lambda x, y: chainrule.tanh(x) @ y.T, "float32", "float32")
    assert optimise(graph) is graph


def test_outputs_may_become_inputs_constants_and_each_other():
    graph = record(lambda x: (x * 1, negative(negative(x)), chainrule.identity(2.0), x), "float32")
    optimised = optimise(graph)
    x = graph.inputs[0]
    assert (optimised.outputs[0], optimised.outputs[1], optimised.outputs[3]) == (x, x, x)
    assert isinstance(optimised.outputs[2], Constant)
    assert optimise(Graph((), ())).outputs == ()
