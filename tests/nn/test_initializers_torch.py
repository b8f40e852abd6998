"""PyTorch's torch.nn.init as the oracle of the initializers: the same distributions (draws differ)."""

import numpy as np
import pytest

from chainrule.nn import HeNormal, HeUniform, Normal, Orthogonal, Uniform, XavierNormal, XavierUniform
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
