"""The linear learner is logistic and ridge regression: trained to the end, its weights are scikit-learn's."""

import numpy as np
import polars as pl
import pytest
from sklearn import datasets
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

import chainrule
from chainrule.data import Table


def as_table(X, y, target):
    names = [f"x{i}" for i in range(X.shape[1])]
    labels = pl.Series("y", y.tolist() if target == "number" else list(map(str, y)))
    frame = pl.DataFrame(X, schema=names).with_columns(labels)
    return Table.from_frame(frame, numbers=names, label="y", target=target)


def fit(table, task, l2):
    """All rows in each step, until nothing changes any more."""
    size = len(table)
    for rate, epochs in ((0.05, 1500),):
        training = chainrule.Training(batch_size=size, learning_rate=rate, epochs=epochs, patience=epochs, l2=l2)
        run = chainrule.fit(chainrule.LinearModel(), table, table, task=task, training=training)
    return run.model


@pytest.mark.parametrize("load", [datasets.load_breast_cancer, datasets.load_wine])
def test_logistic_regression(load):
    X, y = load(return_X_y=True)
    table = as_table(X, y, "label")
    two = len(np.unique(y)) == 2
    task = chainrule.Classify(output="sigmoid" if two else "softmax")
    model = fit(table, task, l2=1 / len(y))
    scaled = StandardScaler().fit_transform(X)
    peer = LogisticRegression(C=1, max_iter=5000, tol=1e-10).fit(scaled, y)
    found = model.predict_probabilities(X)
    np.testing.assert_allclose(found, peer.predict_proba(scaled), atol=2e-3)
    weights = model.network.numbers.weight.numpy().T
    np.testing.assert_allclose(weights, peer.coef_, atol=5e-3)


def test_ridge_regression():
    X, y = datasets.load_diabetes(return_X_y=True)
    table = as_table(X, y, "number")
    alpha = 1.0
    model = fit(table, chainrule.Regress(), l2=2 * alpha / len(y))
    scaled = StandardScaler().fit_transform(X)
    peer = Ridge(alpha=alpha).fit(scaled, y)
    expected = peer.predict(scaled)
    np.testing.assert_allclose(model.predict(X), expected, atol=2e-3 * expected.std())
    weights = model.network.numbers.weight.numpy()[:, 0] * y.std()
    np.testing.assert_allclose(weights, peer.coef_, atol=0.01 * np.abs(peer.coef_).max())
