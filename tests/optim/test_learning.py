"""Learning with a known answer: layers, losses and optimizers together."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import chainrule
from chainrule import gradients, tensor
from chainrule.nn import (
    EmbeddingBag,
    Linear,
    Sequential,
    activation,
    binary_cross_entropy_with_logits,
    cross_entropy,
    mean_squared_error,
    multi_margin,
)
from chainrule.optim import SGD, Adam


def fit(loss, parameters, rule, steps):
    """Full-batch training; the last loss."""
    state = rule.start(parameters)
    for _ in range(steps):
        value = loss()
        rule.step(parameters, gradients(value, parameters), state)
    return value.item()


@pytest.mark.parametrize("rule", [SGD(0.5, 0.9), SGD(0.5, 0.9, nesterov=True), Adam(0.05)], ids=lambda rule: repr(rule))
@pytest.mark.parametrize("seed", range(3))
def test_xor_is_learned(rule, seed):
    generator = np.random.default_rng(seed)
    network = Sequential(Linear(2, 8, generator=generator), activation("tanh"), Linear(8, 2, generator=generator))
    x, labels = tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([0, 1, 1, 0])
    last = fit(lambda: cross_entropy(network(x), labels), network.parameters(), rule, 300)
    assert last < 0.05
    assert chainrule.argmax(network(x)).numpy().tolist() == labels.tolist()


@pytest.mark.parametrize("loss", [cross_entropy, multi_margin], ids=lambda loss: loss.__name__)
def test_a_linearly_separable_set_is_separated(loss):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(300, 5))
    scores = x @ generator.normal(size=(5, 3))
    best = np.sort(scores, axis=1)
    x, scores = (part[best[:, 2] - best[:, 1] > 0.5] for part in (x, scores))
    labels = scores.argmax(1)
    network = Linear(5, 3, generator=generator)
    data = tensor(x)
    fit(lambda: loss(network(data), labels), network.parameters(), SGD(0.5, 0.9), 500)
    assert (network(data).numpy().argmax(1) == labels).all()


def test_logistic_regression_finds_the_optimum_of_scikit_learn():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(200, 4))
    labels = (x @ [1.5, -2, 0.5, 0] + 0.3 + generator.normal(size=200) > 0).astype(np.int64)
    strength = 2.0
    expected = LogisticRegression(C=1 / strength, tol=1e-10, max_iter=10000).fit(x, labels)
    network = Linear(4, 1, generator=generator, dtype="float64")
    data, targets = tensor(x, "float64"), tensor(labels[:, None].astype(float), "float64")

    def loss():
        penalty = 0.5 * strength * (network.weight * network.weight).sum() / len(x)
        return binary_cross_entropy_with_logits(network(data), targets) + penalty

    fit(loss, network.parameters(), SGD(0.5, 0.9), 500)
    np.testing.assert_allclose(network.weight.numpy()[:, 0], expected.coef_[0], atol=1e-3)
    np.testing.assert_allclose(network.bias.numpy(), expected.intercept_, atol=1e-3)


def test_multinomial_regression_finds_the_optimum_of_scikit_learn():
    generator = np.random.default_rng(1)
    x = generator.normal(size=(300, 4))
    labels = (x @ generator.normal(size=(4, 3)) + generator.normal(size=(300, 3))).argmax(1)
    expected = LogisticRegression(C=1.0, tol=1e-10, max_iter=10000).fit(x, labels)
    network = Linear(4, 3, generator=generator, dtype="float64")
    data = tensor(x, "float64")

    def loss():
        penalty = 0.5 * (network.weight * network.weight).sum() / len(x)
        return cross_entropy(network(data), labels) + penalty

    fit(loss, network.parameters(), SGD(1.0, 0.9), 800)
    np.testing.assert_allclose(network.weight.numpy().T, expected.coef_, atol=1e-3)
    bias = network.bias.numpy()
    np.testing.assert_allclose(bias - bias.mean(), expected.intercept_ - expected.intercept_.mean(), atol=1e-3)


def test_least_squares_finds_the_solution_of_the_normal_equations():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(50, 3))
    y = x @ generator.normal(size=(3, 2)) + 0.1 * generator.normal(size=(50, 2))
    network = Linear(3, 2, with_bias=False, generator=generator, dtype="float64")
    data, targets = tensor(x, "float64"), tensor(y, "float64")
    fit(lambda: mean_squared_error(network(data), targets), network.parameters(), SGD(0.3, 0.5), 500)
    np.testing.assert_allclose(network.weight.numpy(), np.linalg.lstsq(x, y)[0], atol=1e-8)


@pytest.mark.parametrize("rule", [SGD(1.0), Adam(0.05), Adam(0.05, lazy=True)], ids=lambda rule: repr(rule))
def test_a_bag_of_words_learns_which_words_mean_what(rule):
    """Each text has one telling word among many that say nothing."""
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=100)
    texts = [np.append(rng.integers(10, 50, size=5), label * 5 + rng.integers(5)) for label in labels]
    ids, offsets = np.concatenate(texts), np.arange(101) * 6
    bag = EmbeddingBag(50, 4, generator=rng)
    network = Linear(4, 2, generator=rng)
    parameters = [*bag.parameters(), *network.parameters()]
    last = fit(lambda: cross_entropy(network(bag(ids, offsets)), labels), parameters, rule, 300)
    assert last < 0.3
    scores = network(bag(np.arange(10), np.arange(11))).numpy()
    assert scores.argmax(1).tolist() == [0] * 5 + [1] * 5
