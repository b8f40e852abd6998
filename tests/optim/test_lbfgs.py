"""L-BFGS: known minima, scikit-learn's optimum, and what is refused."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import chainrule
from chainrule import Parameter, gather, tensor
from chainrule.errors import ConfigurationError, DivergenceError, SettingError
from chainrule.nn import cross_entropy
from chainrule.optim import LBFGS


def classes_of(x, draws, count):
    return (x @ draws.normal(size=(x.shape[1], count)) + draws.gumbel(size=(len(x), count)) * 2).argmax(axis=1)


@pytest.mark.parametrize(("dtype", "exact"), [("float64", 1e-9), ("float32", 1e-6)])
@pytest.mark.parametrize("count", [2, 5])
def test_logistic_regression_reaches_the_optimum_of_scikit_learn(dtype, exact, count):
    draws = np.random.default_rng(0)
    x = draws.normal(size=(600, 12)) * np.linspace(0.2, 5, 12)
    labels, strength = classes_of(x, draws, count), 0.7
    # Of two vectors w and -w, which stand for one of twice the size, the squares are half of those of that one.
    theirs = LogisticRegression(C=(1 if count > 2 else 2) / strength, tol=1e-10, max_iter=10_000).fit(x, labels)
    weight, bias = Parameter.of(np.zeros((12, count)), dtype=dtype), Parameter.of(np.zeros(count), dtype=dtype)
    data = tensor(x, dtype)

    def loss():
        return cross_entropy(data @ weight + bias, labels) + (strength / 2 / len(x)) * (weight * weight).sum()

    found = LBFGS().minimize(loss, [weight, bias])
    shift = theirs.decision_function(x)
    scores = shift if count > 2 else np.stack([-shift / 2, shift / 2], axis=1)
    expected = np.mean(np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(len(x)), labels])
    expected += strength / 2 / len(x) * (theirs.coef_**2).sum() / (1 if count > 2 else 2)
    assert found.loss == pytest.approx(loss().item(), rel=1e-12 if dtype == "float64" else 1e-6)
    assert found.loss <= expected * (1 + exact)
    assert found.gradient < (1e-6 if dtype == "float64" else 1e-3)


def test_a_quadratic_function_of_many_scales():
    draws = np.random.default_rng(1)
    scales, goal = tensor(10.0 ** np.linspace(-1, 1, 30), "float64"), draws.normal(size=30)
    point = Parameter.of(np.zeros(30), dtype="float64")
    found = LBFGS().minimize(lambda: (scales * (point - tensor(goal, "float64")) ** 2).sum(), [point])
    np.testing.assert_allclose(point.numpy(), goal, atol=1e-5)
    assert found.reason == "no partial derivative is larger than the tolerance"
    assert found.evaluations < 2 * found.steps + 10 < 400


def test_rows_of_a_table():
    """The gradient is row-sparse; rows that are not read stay as they are."""
    table = Parameter.of(np.ones((5, 2)), dtype="float64")
    LBFGS().minimize(lambda: ((gather(table, np.array([1, 3])) - 4.0) ** 2).sum(), [table])
    np.testing.assert_allclose(table.numpy()[:, 0], [1, 4, 1, 4, 1], atol=1e-6)


def test_a_loss_that_is_infinite_nearby_is_avoided():
    point = Parameter.of([1.0], dtype="float64")
    found = LBFGS().minimize(lambda: (point - 1e-3 * chainrule.log(point) * 1e6).sum(), [point])
    assert found.loss == pytest.approx(1000 - 1000 * np.log(1000), rel=1e-9)


def test_steps_end():
    point = Parameter.of([-1.2, 1.0], dtype="float64")
    found = LBFGS().minimize(lambda: (1 - point[0]) ** 2 + 100 * (point[1] - point[0] ** 2) ** 2, [point], steps=3)
    assert (found.steps, found.reason) == (3, "all steps done")


def test_what_is_refused():
    point, batch = Parameter.of([1.0], dtype="float64"), chainrule.Mutable.of([1.0], dtype="float64")

    def changing():
        chainrule.assign(batch, batch * 2)
        return (point * point * batch).sum()

    with pytest.raises(ConfigurationError, match="two values for the same parameters; give it all rows, not mini-b"):
        LBFGS().minimize(changing, [point])
    with pytest.raises(DivergenceError, match="the loss is nan at the start"):
        LBFGS().minimize(lambda: (point * np.nan).sum(), [point])
    with pytest.raises(ConfigurationError, match="expected at least one parameter"):
        LBFGS().minimize(lambda: point.sum(), [])
    with pytest.raises(SettingError, match="lbfgs: history must be a whole number of 1 or more, got 0"):
        LBFGS(history=0)
