"""Every rule: compiled as eagerly, on tables as on dense gradients, and those that PyTorch lacks from their papers."""

import numpy as np
import pytest

import chainrule
from chainrule import Parameter, gather, gradients, tensor
from chainrule.errors import ConfigurationError, SettingError
from chainrule.optim import LAMB, OPTIMIZERS, SGD, Adagrad, Lion, Muon, RMSprop

#: Settings that differ from the defaults in what is computed.
OTHERS = [
    SGD(0.05, momentum=0.9, nesterov=True),
    RMSprop(0.01, momentum=0.5, centered=True),
    Lion(0.01, weight_decay=0.1),
    Muon(0.01, length="shape", plain=True),
    Adagrad(0.01, initial=0.5),
]
RULES = [*(kind(learning_rate=0.01) for kind in OPTIMIZERS.values() if not kind.searches), *OTHERS]


class Regression:
    """A table whose rows are looked up, a matrix and a bias; the loss is a squared difference."""

    def __init__(self, rule, dtype, *, compiled=False, dense=False):
        draws = np.random.default_rng(0)
        shapes = {"table": (40, 4), "matrix": (4, 6), "bias": (6,)}
        self.parameters = [Parameter.of(draws.normal(size=s), dtype=dtype, name=n) for n, s in shapes.items()]
        self.rule, self.dense, self.dtype = rule, dense, dtype
        self.state = rule.start(self.parameters)
        self.run = chainrule.compile(self.step) if compiled else self.step

    def step(self, ids, y):
        table, matrix, bias = self.parameters
        loss = ((gather(table, ids) @ matrix + bias - y) ** 2).mean()
        found = gradients(loss, self.parameters)
        if self.dense:
            found = [found[0].dense(), *found[1:]]
        self.rule.step(self.parameters, found, self.state)
        return loss

    def train(self, steps):
        draws = np.random.default_rng(1)
        for _ in range(steps):
            ids = draws.integers(0, 1 + draws.integers(40), size=5)
            self.run(tensor(ids), tensor(draws.normal(size=(5, 6)), self.dtype))
        return [x.numpy() for x in self.parameters]


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_compiled_and_row_sparse_steps_are_the_eager_dense_ones(rule):
    expected = Regression(rule, "float64", dense=True).train(100)
    for further in ({"compiled": True, "dense": True}, {"compiled": True}, {}):
        found = Regression(rule, "float64", **further).train(100)
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-8)
    starts = Regression(rule, "float64").parameters
    assert all(abs(x - start.numpy()).max() > 1e-4 for x, start in zip(expected, starts, strict=True))


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_float32_is_float64_rounded(rule):
    exact = Regression(rule, "float64", compiled=True).train(50)
    found = Regression(rule, "float32", compiled=True).train(50)
    for ours, theirs in zip(found, exact, strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-4 if isinstance(rule, Muon) else 2e-5)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_settings_make_the_same_rule(name):
    rule = OPTIMIZERS[name](learning_rate=0.02)
    assert OPTIMIZERS.make(rule.settings(), learning_rate=0.02) == rule


def lion(g, p, m, t, rate):
    c = 0.9 * m + 0.1 * g
    return p - rate * (np.sign(c) + 0.1 * p), 0.99 * m + 0.01 * g, None


def lamb(g, p, m, t, rate):
    m, v = (0.0, 0.0) if m is None else m
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
    r = (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-6) + 0.01 * p
    norm, length = np.linalg.norm(p), np.linalg.norm(r)
    return p - rate * (norm / length if norm and length else 1.0) * r, (m, v), None


@pytest.mark.parametrize(
    ("rule", "equations", "memory"),
    [(Lion(0.01, weight_decay=0.1), lion, 0.0), (LAMB(0.02), lamb, None)],
    ids=["lion", "lamb"],
)
def test_trajectories_of_the_papers(rule, equations, memory):
    """PyTorch has neither; the equations are those of the papers, written down once more."""
    draws = np.random.default_rng(2)
    for start in (draws.normal(size=(5, 3)), np.zeros(4)):
        weight, p, m = Parameter.of(start, dtype="float64"), start.copy(), memory
        state = rule.start([weight])
        for t in range(1, 101):
            gradient = draws.normal(size=start.shape) * (t != 7)
            rule.step([weight], [tensor(gradient, "float64")], state)
            p, m, _ = equations(gradient, p, m, t, rule.learning_rate)
        np.testing.assert_allclose(weight.numpy(), p, rtol=0, atol=1e-12)


def test_muon_makes_singular_values_alike():
    draws = np.random.default_rng(3)
    for shape in ((6, 6), (4, 9), (9, 4)):
        found = np.linalg.svd(Muon().orthogonal(tensor(draws.normal(size=shape))).numpy(), compute_uv=False)
        assert found.min() > 0.4
        assert found.max() < 1.3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LAMB(lazy=True), "lamb: lazy must be False: the length of a step depends on all rows"),
        (lambda: Muon(lazy=True), "muon: lazy must be False: the step of a matrix depends on all its rows"),
        (lambda: Muon(length="rows"), "muon: length must be one of rms, shape, got 'rows'"),
        (lambda: Muon(iterations=0), "muon: iterations must be a whole number of 1 or more, got 0"),
        (lambda: Adagrad(initial=-1), "adagrad: initial must be a number of 0 or more, got -1"),
        (lambda: RMSprop(decay=1), "rmsprop: decay must be a number of 0 or more and below 1, got 1"),
    ],
)
def test_messages(make, message):
    with pytest.raises(SettingError, match=message):
        make()


def test_a_decay_that_leaves_nothing_of_a_weight_is_refused():
    with pytest.raises(ConfigurationError, match=r"Lion: expected learning_rate × weight_decay below 1, got 0\.5 × 2"):
        Lion(0.5, weight_decay=2)
