"""PyTorch's torch.nn.init as the oracle of the initializers: the same distributions (draws differ)."""

import numpy as np
import pytest

from chainrule.nn import (
    ACTIVATIONS,
    HeNormal,
    HeUniform,
    IdentityMatrix,
    LeCunNormal,
    LeCunUniform,
    Normal,
    Orthogonal,
    Sparse,
    TruncatedNormal,
    Uniform,
    XavierNormal,
    XavierUniform,
)
from tests.oracle import torch

init = torch.nn.init

#: ours, PyTorch's (whose weights are transposed: fan-in is its second axis).
CASES = [
    (Uniform(-0.1, 0.3), lambda w: init.uniform_(w, -0.1, 0.3)),
    (Normal(0.1, 0.2), lambda w: init.normal_(w, 0.1, 0.2)),
    (XavierUniform(gain=1.5), lambda w: init.xavier_uniform_(w, gain=1.5)),
    (XavierNormal(), init.xavier_normal_),
    (HeUniform(), lambda w: init.kaiming_uniform_(w, nonlinearity="relu")),
    (HeNormal(), lambda w: init.kaiming_normal_(w, nonlinearity="relu")),
    (HeUniform(gain=1), lambda w: init.kaiming_uniform_(w, nonlinearity="linear")),
    (LeCunUniform(), lambda w: init.kaiming_uniform_(w, nonlinearity="linear")),
    (LeCunNormal(), lambda w: init.kaiming_normal_(w, nonlinearity="linear")),
    (TruncatedNormal(), init.trunc_normal_),
    (TruncatedNormal(0.1, 0.2, cut=1), lambda w: init.trunc_normal_(w, 0.1, 0.2, -0.1, 0.3)),
    (Orthogonal(gain=2), lambda w: init.orthogonal_(w, gain=2)),
]


@pytest.mark.parametrize(("ours", "theirs"), CASES, ids=lambda case: repr(case) if not callable(case) else "")
@pytest.mark.parametrize("shape", [(200, 600), (600, 200)])
def test_the_distribution_is_the_same(ours, theirs, shape):
    torch.manual_seed(0)
    expected = theirs(torch.empty(shape[::-1], dtype=torch.float64)).numpy().T
    found = ours(shape, np.random.default_rng(0), "float64")
    deviation = expected.std()
    assert found.mean() == pytest.approx(expected.mean(), abs=6 * deviation / np.sqrt(found.size))
    assert found.std() == pytest.approx(deviation, rel=0.02)
    probabilities = np.linspace(0.01, 0.99, 15)
    np.testing.assert_allclose(
        np.quantile(found, probabilities), np.quantile(expected, probabilities), atol=0.03 * deviation
    )
    if isinstance(ours, Orthogonal):
        for w in (found, expected):
            square = w.T @ w if shape[0] > shape[1] else w @ w.T
            np.testing.assert_allclose(square, 4 * np.eye(200), atol=1e-10)


@pytest.mark.parametrize("shape", [(200, 600), (600, 200)])
def test_sparse_weights_are_the_same(shape):
    """PyTorch says which share of a unit's inputs is 0."""
    torch.manual_seed(0)
    expected = init.sparse_(torch.empty(shape, dtype=torch.float64), 1 - 20 / shape[0], 0.3).numpy()
    found = Sparse(20, 0.3)(shape, np.random.default_rng(0), "float64")
    for w in (found, expected):
        assert ((w != 0).sum(0) == 20).all()
        assert w.std() == pytest.approx(0.3 * np.sqrt(20 / shape[0]), rel=0.05)


@pytest.mark.parametrize("shape", [(3, 3), (2, 5), (5, 2)])
def test_the_identity_is_the_same(shape):
    expected = init.eye_(torch.empty(shape)).numpy()
    np.testing.assert_array_equal(IdentityMatrix()(shape, np.random.default_rng(0), "float32"), expected)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("identity", ("linear",)), ("sigmoid", ("sigmoid",)), ("tanh", ("tanh",)), ("relu", ("relu",)),
        ("leaky_relu:slope=0.2", ("leaky_relu", 0.2)), ("prelu", ("leaky_relu", 0.25)),
    ],
)  # fmt: skip
def test_gains_of_activations_are_the_same(name, theirs):
    assert ACTIVATIONS.make(name).gain == pytest.approx(init.calculate_gain(*theirs))
