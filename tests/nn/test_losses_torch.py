"""PyTorch as the oracle of the losses: every option, values and gradients."""

import numpy as np
import pytest
from sklearn.metrics import hinge_loss

from chainrule import gradients, tensor
from chainrule.nn import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    hinge,
    mean_absolute_error,
    mean_squared_error,
    multi_margin,
    nll,
)
from tests.oracle import torch

F = torch.nn.functional
RNG = np.random.default_rng(0)
X = RNG.normal(size=(7, 4)) * 3
LABELS = RNG.integers(4, size=7)
WEIGHTS = np.array([0.3, 2.0, 1.0, 0.0])
UNIT = RNG.uniform(size=(7, 4))
REDUCTIONS = ["mean", "sum", "none"]


def check(ours, theirs, *arrays):
    """Values, and the gradients of a weighted sum of the values, with respect to every array."""
    leaves, leaves_torch = (
        [tensor(x, "float64") for x in arrays],
        [torch.tensor(x, requires_grad=True) for x in arrays],
    )
    found, expected = ours(*leaves), theirs(*leaves_torch)
    np.testing.assert_allclose(found.numpy(), expected.detach().numpy(), rtol=1e-11, atol=1e-13)
    vector = np.random.default_rng(1).normal(size=found.shape)
    (expected * torch.tensor(vector)).sum().backward()
    for gradient, leaf in zip(gradients(found, leaves, tensor(vector, "float64")), leaves_torch, strict=True):
        np.testing.assert_allclose(gradient.numpy(), leaf.grad.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_cross_entropy(reduction, weights, smoothing):
    labels, held = torch.tensor(LABELS), None if weights is None else torch.tensor(weights)
    check(
        lambda x: cross_entropy(x, LABELS, class_weights=weights, label_smoothing=smoothing, reduction=reduction),
        lambda x: F.cross_entropy(x, labels, held, label_smoothing=smoothing, reduction=reduction),
        X,
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_nll(reduction, weights):
    labels, held = torch.tensor(LABELS), None if weights is None else torch.tensor(weights)
    check(
        lambda x: nll(x, LABELS, class_weights=weights, reduction=reduction),
        lambda x: F.nll_loss(x, labels, held, reduction=reduction),
        X,
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("targets", [UNIT, (UNIT > 0.5).astype(float)])
def test_binary_cross_entropy(reduction, targets):
    held = torch.tensor(targets)
    p = RNG.uniform(0.01, 0.99, size=(7, 4))
    check(
        lambda x: binary_cross_entropy(x, targets, reduction=reduction),
        lambda x: F.binary_cross_entropy(x, held, reduction=reduction),
        p,
    )
    check(
        lambda x, z: binary_cross_entropy_with_logits(x, z, reduction=reduction),
        lambda x, z: F.binary_cross_entropy_with_logits(x, z, reduction=reduction),
        X * 20,
        targets,
    )


def test_binary_cross_entropy_is_cut_off_where_pytorch_cuts_it_off():
    p, z = np.array([0.0, 1.0, 0.0, 1.0, 1e-300]), np.array([1.0, 0.0, 0.0, 1.0, 1.0])
    found = binary_cross_entropy(tensor(p, "float64"), z, reduction="none").numpy()
    expected = F.binary_cross_entropy(torch.tensor(p), torch.tensor(z), reduction="none").numpy()
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_regression_losses(reduction):
    for ours, theirs in [(mean_squared_error, F.mse_loss), (mean_absolute_error, F.l1_loss)]:
        check(
            lambda x, z, ours=ours: ours(x, z, reduction=reduction),
            lambda x, z, theirs=theirs: theirs(x, z, reduction=reduction),
            X,
            UNIT,
        )
    equal = tensor([1.0])
    assert gradients(mean_absolute_error(equal, [1.0]), [equal])[0].item() == 0


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("margin", [1.0, 0.3])
def test_multi_margin(reduction, margin):
    check(
        lambda x: multi_margin(x, LABELS, margin=margin, reduction=reduction),
        lambda x: F.multi_margin_loss(x, torch.tensor(LABELS), margin=margin, reduction=reduction),
        X,
    )


def test_hinge():
    targets = np.where(UNIT[:, 0] > 0.5, 1, -1)
    held = torch.tensor(targets)
    check(lambda s: hinge(s, targets), lambda s: torch.relu(1 - held * s).mean(), X[:, 0].copy())
    expected = hinge_loss(targets, X[:, 0])
    assert hinge(tensor(X[:, 0], "float64"), targets).item() == pytest.approx(expected, rel=1e-12)
