"""`chainrule.batched`: the same results as one by one, what is computed together, and what it refuses."""

import numpy as np
import pytest

import chainrule
from chainrule.errors import ChainruleError, ConfigurationError
from chainrule.nn import Dropout, Embedding, Linear, TreeLSTM, cross_entropy
from tests.dynamic.graphs import Network, batched_with_gradients, check, draw

TREES = [((1, 2), 3), (1, (2, (3, 4))), (5, 6), ((1, 2), (3, (4, (5, 6))))]


class Trees:
    """A network over binary trees of words."""

    def __init__(self):
        generator = np.random.default_rng(0)
        self.words = Embedding(9, 3, generator=generator)
        self.tree = TreeLSTM(3, 4, generator=generator)
        self.output = Linear(4, 2, generator=generator)
        every = *self.words.parameters(), *self.tree.parameters(), *self.output.parameters()
        self.parameters = [x for x in every if x is not self.tree.forget_weight]

    def state(self, node):
        return self.tree(self.words(node)) if isinstance(node, int) else self.tree(None, *map(self.state, node))

    def __call__(self, node):
        return self.output(self.state(node)[0])


@pytest.mark.parametrize(("engine", "seed", "count"), [("native", 0, 15), ("eager", 1, 40), ("eager", 2, 1)])
def test_random_graphs(engine, seed, count):
    network, generator = Network(seed), np.random.default_rng(seed)
    check(network, [draw(generator) for _ in range(count)], batched_with_gradients(network, engine))


@pytest.mark.parametrize("engine", ["native", "eager"])
def test_recursion_learns_as_one_by_one(engine):
    answers = np.array([0, 1, 1, 0])

    def trained(network, logits_of, compiled):
        optimizer = chainrule.Adam(0.05)
        state = optimizer.start(network.parameters)

        def learn(logits):
            loss = cross_entropy(logits, answers)
            optimizer.step(network.parameters, chainrule.gradients(loss, network.parameters), state)
            return loss

        step = chainrule.batched(network, then=learn, engine=engine) if compiled else lambda x: learn(logits_of(x))
        return [step(TREES).item() for _ in range(4)]

    network = Trees()
    expected = trained(network, lambda x: chainrule.stack([network(tree) for tree in x]), compiled=False)
    np.testing.assert_allclose(trained(Trees(), None, compiled=True), expected, rtol=1e-5)
    assert expected[-1] < expected[0]


def test_eager_results_have_gradients():
    network = Trees()
    found = chainrule.batched(network, engine="eager")(TREES)
    alone = sum(network(tree).sum() for tree in TREES)
    for x, y in zip(*(chainrule.grad(loss, network.parameters) for loss in (found.sum(), alone)), strict=True):
        np.testing.assert_allclose(x.numpy(), y.numpy(), atol=1e-6)


def test_other_trees_compile_and_trace_nothing():
    def random_tree(size):
        left = int(generator.integers(1, size)) if size > 1 else 0
        return (random_tree(left), random_tree(size - left)) if left else int(generator.integers(9))

    generator, traces = np.random.default_rng(0), []
    batched = chainrule.batched(Trees(), then=lambda logits: traces.append(logits.shape) or logits)
    batched([random_tree(12) for _ in range(16)])
    first, compiled = len(traces), batched.stats()["kernels_compiled"]
    for _ in range(5):
        batched([random_tree(int(size)) for size in generator.integers(3, 20, 16)])
    assert (len(traces), batched.stats()["kernels_compiled"]) == (first, compiled)


def test_a_layer_is_batched_by_what_is_inside():
    class Network(chainrule.nn.Layer):
        def __init__(self):
            self.trees = Trees()

        def __call__(self, node):
            return self.trees(node)

    assert "in 4 groups" in chainrule.batched(Network()).explain(TREES)


def test_a_schedule_says_what_is_computed_together():
    text = chainrule.batched(Trees()).explain(TREES)
    assert text.splitlines()[:4] == [
        "6 × Embedding(9 × 3), of 15: others are the same",
        "6 × TreeLSTM(3 → 4, 2 children), of 15: others are the same",
        "in 4 groups, each from those before:",
        "  5 × TreeLSTM(3 → 4, 2 children)",
    ]
    assert text.splitlines()[-2:] == ["4 × Linear(4 → 2)", "4 × results"]


def test_operations_that_nothing_needs_have_no_part():
    weight = chainrule.Parameter.of([[1.0, 0.0], [0.0, 1.0]])

    def function(x):
        used = chainrule.tensor(x) @ weight
        chainrule.log(used - 100.0) @ weight  # NaN, whose gradient would be NaN
        return used.sum()

    def then(values):
        return [values, chainrule.grad(values.sum(), weight)]

    values, gradient = chainrule.batched(function, then=then)([(1.0, 2.0), (3.0, 4.0)])
    assert values.numpy().tolist() == [3, 7]
    assert gradient.numpy().tolist() == [[4, 4], [6, 6]]


@pytest.mark.parametrize("engine", ["native", "eager"])
def test_infinities_that_no_gradient_reaches_beside_those_that_one_does(engine):
    weight = chainrule.Parameter.of([0.5, 1.0], dtype="float64")

    @chainrule.cell
    def both(x):
        return chainrule.tanh(x * weight), chainrule.exp(x * weight * 100)

    @chainrule.cell
    def known(x):
        return chainrule.exp(x * weight)

    def state(node):
        if not isinstance(node, tuple):
            return chainrule.tensor([node, node / 4], dtype="float64") * weight
        left, right = map(state, node)
        first, second = both(left + right)
        if node[0] == 0.5:  # only here does a gradient reach what is infinite elsewhere
            return first + 1 / second
        return chainrule.where(second > 1, left, first)

    def function(node):
        x = state(node)
        large = known(x * 400)
        return (x + 1 / large).sum() if node[0] == 0.5 else chainrule.where(large > 2, x, 0 * x).sum()

    def then(values):
        return [values, chainrule.grad(values.sum(), weight)]

    examples = [(0.5, 0.25), ((0.5, -0.25), 90.0), (9.0, 20.0), (7.0, (0.5, 0.25)), (0.5, (0.75, 0.25))]
    values = [function(x) for x in examples]
    expected = [np.stack([x.numpy() for x in values]), chainrule.grad(sum(values), weight).numpy()]
    assert np.isfinite(expected[1]).all()
    for x, y in zip(chainrule.batched(function, then=then, engine=engine)(examples), expected, strict=True):
        np.testing.assert_allclose(x.numpy(), y, rtol=1e-6)


def test_each_example_has_its_own_data():
    def function(example):
        numbers, factor = example
        return {"sum": (chainrule.tensor(numbers) * factor).sum(), "twice": (2 * factor, np.array(numbers))}

    found = chainrule.batched(function)([([1.0, 2.0], 3), ([4.0, 5.0], 6)])
    assert found["sum"].numpy().tolist() == [9, 54]
    assert [x.numpy().tolist() for x in found["twice"]] == [[6, 12], [[1, 2], [4, 5]]]


def test_tables_of_examples_are_read_by_themselves():
    def function(example):
        table, place = example
        return chainrule.gather(chainrule.tensor(table) * 2, place)

    found = chainrule.batched(function)([([1.0, 2.0], 1), ([3.0, 4.0], 0)])
    assert found.numpy().tolist() == [4, 6]


def test_a_circle_may_hand_on_truth():
    def function(example):
        if isinstance(example, float):
            return chainrule.tensor(example) > 0
        return chainrule.logical_or(*map(function, example))

    batched = chainrule.batched(lambda x: chainrule.where(function(x), 1.0, -1.0))
    assert batched([((1.0, -1.0), -1.0), (-1.0, -2.0)]).numpy().tolist() == [1, -1]


def test_child_sum():
    tree = TreeLSTM(2, 3, children=None, generator=np.random.default_rng(0))

    def state(node):
        x, children = node
        return tree(chainrule.tensor(x), *map(state, children))

    leaf = ([1.0, 2.0], ())
    examples = [leaf, ([0.5, 1.0], (leaf, leaf, ([0.0, 1.0], (leaf,)))), ([1.0, 0.0], (leaf,))]
    found = chainrule.batched(lambda x: state(x)[0])(examples)
    np.testing.assert_allclose(found.numpy(), [state(x)[0].numpy() for x in examples], atol=1e-6)


def test_tree_lstm_follows_its_equations():
    layer = TreeLSTM(2, 3, generator=np.random.default_rng(0), dtype="float64")
    generator = np.random.default_rng(1)
    x, *numbers = (generator.normal(size=size) for size in (2, 3, 3, 3, 3))
    left, right = (tuple(chainrule.tensor(part, dtype="float64") for part in numbers[i : i + 2]) for i in (0, 2))
    h, c = layer(chainrule.tensor(x, dtype="float64"), left, right)

    def sigmoid(a):
        return 1 / (1 + np.exp(-a))

    w, v, u, b, d = (
        getattr(layer, name).numpy()
        for name in ("input_weight", "forget_weight", "state_weight", "bias", "forget_bias")
    )
    of_children = np.concatenate([numbers[0], numbers[2]]) @ u
    i, o, g = np.split(x @ w + of_children[:9] + b, 3)
    first, second = np.split(np.tile(x @ v + d, 2) + of_children[9:], 2)
    cell = sigmoid(i) * np.tanh(g) + sigmoid(first) * numbers[1] + sigmoid(second) * numbers[3]
    np.testing.assert_allclose(c.numpy(), cell)
    np.testing.assert_allclose(h.numpy(), sigmoid(o) * np.tanh(cell))


@pytest.mark.parametrize("engine", ["native", "eager"])
def test_each_example_draws_as_it_does_alone(engine):
    generator = np.random.default_rng(0)
    words, dropout = Embedding(9, 64, generator=generator), Dropout(0.5)
    layers = chainrule.nn.Sequential(Linear(64, 64, generator=generator), Dropout(0.2))

    def state(node, seed, number):
        key = chainrule.Key.of(seed, number)  # of this node alone
        if isinstance(node, int):
            return dropout(words(node), key)
        left, right = (state(child, seed, 2 * number + i) for i, child in enumerate(node))
        return chainrule.dropout(layers(left + right, key.at(1)), 0.1, key.at(2))

    def function(example):
        return state(*example, 1)

    examples = [(tree, seed) for seed, tree in enumerate(TREES)]
    found = chainrule.batched(function, engine=engine)(examples).numpy()
    np.testing.assert_allclose(found, [function(x).numpy() for x in examples], atol=1e-6)
    assert 0.2 < (found == 0).mean() < 0.4


def test_what_cannot_be_batched_is_refused():
    network = Trees()
    batched = chainrule.batched(network)
    with pytest.raises(ConfigurationError, match="at least one example"):
        batched([])
    with pytest.raises(ConfigurationError, match="cannot be called in a compiled function"):
        chainrule.compile(lambda x: batched(TREES) + x)(1.0)
    with pytest.raises(ConfigurationError, match="the same kind of result"):
        chainrule.batched(lambda n: network.words(n) if n else (network.words(n), network.words(n)))([0, 1])
    with pytest.raises(ConfigurationError, match="it is not known how block _unknown treats rows"):
        chainrule.batched(lambda n: _unknown(network.words(n)))([0, 1])
    with pytest.raises(ConfigurationError, match="expected tensors, numbers, arrays"):
        chainrule.batched(lambda n: network.output(network.words(n), {n}))([0, 1])
    with pytest.raises(ConfigurationError, match="does not follow from the example"):
        chainrule.batched(lambda n: "text")([0])
    with pytest.raises(ChainruleError, match="value"):
        chainrule.batched(lambda n: network.words(n).item())([0])


class _Unknown(chainrule.Block):
    """A block whose rows nobody knows of."""

    def infer(self, x):
        return x

    def forward(self, xp, x):
        return x

    def backward(self, gradient, output, x):
        return (gradient,)


_unknown = _Unknown()
