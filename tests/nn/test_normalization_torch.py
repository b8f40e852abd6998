"""PyTorch as the oracle of normalisation: forward, backward and running statistics, in float64."""

import numpy as np
import pytest

from chainrule import Key, gradients, tensor
from chainrule.nn import BatchNorm, GroupNorm, LayerNorm, Linear, RMSNorm, WeightNorm, from_torch
from tests.oracle import torch

RNG = np.random.default_rng(0)
X = RNG.normal(size=(7, 6)) * 3 + 2
DEEP = RNG.normal(size=(5, 3, 6)) * 3 + 2
KEY = Key.of(seed=0)


def state(module):
    for parameter in module.parameters():
        parameter.data = torch.tensor(RNG.normal(size=tuple(parameter.shape)) + 1)
    return {name: x.detach().numpy() for name, x in module.state_dict().items() if "tracked" not in name}


def check(ours, theirs, parameters, references, data):
    x, leaf = tensor(data, "float64"), torch.tensor(data, requires_grad=True)
    found, expected = ours(x), theirs(leaf)
    np.testing.assert_allclose(found.numpy(), expected.detach().numpy(), rtol=1e-10, atol=1e-12)
    vector = np.cos(np.arange(found.spec.size)).reshape(found.shape)
    wanted = torch.autograd.grad(expected, [leaf, *references], torch.tensor(vector))
    for a, b in zip(gradients(found, [x, *parameters], tensor(vector, "float64")), wanted, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("momentum", [0.1, 0.5, 1.0])
def test_batch_norm(momentum):
    theirs = torch.nn.BatchNorm1d(6, momentum=momentum, eps=1e-4).double()
    ours = BatchNorm(6, momentum=momentum, epsilon=1e-4, dtype="float64")
    ours.assign(from_torch(ours, state(theirs)))
    for scale in (1.0, 2.0, -3.0):
        check(lambda x: ours(x, KEY), theirs, ours.parameters(), list(theirs.parameters()), X * scale)
        np.testing.assert_allclose(ours.mean.numpy(), theirs.running_mean.numpy(), rtol=1e-11)
        np.testing.assert_allclose(ours.variance.numpy(), theirs.running_var.numpy(), rtol=1e-11)
    theirs.eval()
    check(ours, theirs, ours.parameters(), list(theirs.parameters()), X)


def test_batch_norm_over_further_axes():
    """Features are the last axis here, and axis 1 in PyTorch."""
    theirs = torch.nn.BatchNorm1d(6).double()
    ours = BatchNorm(6, dtype="float64")
    ours.assign(from_torch(ours, state(theirs)))
    parameters = ours.parameters(), list(theirs.parameters())
    check(lambda x: ours(x, KEY), lambda x: theirs(x.transpose(1, 2)).transpose(1, 2), *parameters, DEEP)
    np.testing.assert_allclose(ours.variance.numpy(), theirs.running_var.numpy(), rtol=1e-11)


@pytest.mark.parametrize("data", [X, DEEP])
def test_layer_and_rms_norm(data):
    for ours, theirs in (
        (LayerNorm(6, epsilon=1e-4, dtype="float64"), torch.nn.LayerNorm(6, eps=1e-4).double()),
        (RMSNorm(6, epsilon=1e-4, dtype="float64"), torch.nn.RMSNorm(6, eps=1e-4).double()),
    ):
        ours.assign(from_torch(ours, state(theirs)))
        check(ours, theirs, ours.parameters(), list(theirs.parameters()), data)


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_group_norm(groups):
    theirs = torch.nn.GroupNorm(groups, 6, eps=1e-4).double()
    ours = GroupNorm(groups, 6, epsilon=1e-4, dtype="float64")
    ours.assign(from_torch(ours, state(theirs)))
    check(ours, theirs, ours.parameters(), list(theirs.parameters()), X)
    check(ours, theirs, ours.parameters(), list(theirs.parameters()), DEEP.transpose(0, 2, 1).copy())


def test_weight_norm():
    linear = torch.nn.Linear(6, 4).double()
    state(linear)
    ours = Linear(6, 4, generator=RNG, dtype="float64")
    ours.assign({"weight": linear.weight.detach().numpy().T, "bias": linear.bias.detach().numpy()})
    theirs, ours = torch.nn.utils.parametrizations.weight_norm(linear), WeightNorm(ours)
    check(ours, theirs, [ours.bias], [linear.bias], X)
    x, leaf = tensor(X, "float64"), torch.tensor(X)
    vector = RNG.normal(size=(7, 4))
    held = theirs.parametrizations.weight
    length, direction = torch.autograd.grad(theirs(leaf), [held.original0, held.original1], torch.tensor(vector))
    found = gradients(ours(x), [ours.length, ours.direction], tensor(vector, "float64"))
    np.testing.assert_allclose(found[0].numpy(), length.numpy()[:, 0], rtol=1e-9)
    np.testing.assert_allclose(found[1].numpy(), direction.numpy().T, rtol=1e-9, atol=1e-12)
