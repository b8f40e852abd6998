"""PyTorch as the oracle of the layers: the same weights give the same outputs and gradients."""

import itertools

import numpy as np
import pytest

import chainrule
from chainrule import gradients, tensor
from chainrule.nn import Embedding, EmbeddingBag, EmbeddingWindow, Linear, Sequential, activation
from tests.oracle import torch

IDS = np.array([0, 3, 3, 5, 1, 1, 2])
OFFSETS = np.array([0, 2, 2, 5, 7])


def generator():
    return np.random.default_rng(0)


def check(found, wrt, expected, expected_wrt):
    """Values, and the gradients of a weighted sum of the values."""
    np.testing.assert_allclose(found.numpy(), expected.detach().numpy(), rtol=1e-10, atol=1e-12)
    vector = np.random.default_rng(7).normal(size=found.shape)
    (expected * torch.tensor(vector)).sum().backward()
    for ours, theirs in zip(gradients(found, wrt, tensor(vector, "float64")), expected_wrt, strict=True):
        dense = ours if isinstance(ours, chainrule.Tensor) else ours.dense()
        gradient = theirs.grad.to_dense() if theirs.grad.is_sparse else theirs.grad
        np.testing.assert_allclose(dense.numpy(), gradient.numpy(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(4, 3), (2, 4, 3)])
def test_linear(bias, shape):
    ours = Linear(3, 5, with_bias=bias, generator=generator(), dtype="float64")
    theirs = torch.nn.Linear(3, 5, bias=bias, dtype=torch.float64)
    with torch.no_grad():
        theirs.weight.copy_(torch.tensor(ours.weight.numpy().T.copy()))
        if bias:
            ours.bias.assign(np.arange(5.0))
            theirs.bias.copy_(torch.arange(5.0))
    data = np.random.default_rng(1).normal(size=shape)
    x, x_torch = tensor(data, "float64"), torch.tensor(data, requires_grad=True)
    y, y_torch = ours(x), theirs(x_torch)
    theirs.weight.grad = None
    check(y, [x, ours.bias] if bias else [x], y_torch, [x_torch, theirs.bias] if bias else [x_torch])
    vector = np.random.default_rng(7).normal(size=y.shape)
    (weight,) = gradients(y, [ours.weight], tensor(vector, "float64"))
    np.testing.assert_allclose(weight.numpy(), theirs.weight.grad.numpy().T, rtol=1e-9, atol=1e-11)


def test_embedding():
    ours = Embedding(6, 4, generator=generator(), dtype="float64")
    theirs = torch.nn.Embedding.from_pretrained(torch.tensor(ours.table.numpy()), freeze=False, sparse=True)
    ids = IDS.reshape(1, 7)
    check(ours(ids), [ours.table], theirs(torch.tensor(ids)), [theirs.weight])


def test_embedding_window():
    ours = EmbeddingWindow(6, 4, 7, generator=generator(), dtype="float64")
    theirs = torch.nn.Embedding.from_pretrained(torch.tensor(ours.table.numpy()), freeze=False)
    check(ours(IDS[None]), [ours.table], theirs(torch.tensor(IDS[None])).flatten(1), [theirs.weight])


@pytest.mark.parametrize(("mode", "weighted"), [("mean", False), ("sum", False), ("sum", True)])
def test_embedding_bag(mode, weighted):
    ours = EmbeddingBag(6, 4, mode=mode, generator=generator(), dtype="float64")
    theirs = torch.nn.EmbeddingBag.from_pretrained(
        torch.tensor(ours.table.numpy()), freeze=False, mode=mode, include_last_offset=True
    )
    data = np.random.default_rng(1).uniform(size=7)
    weights = tensor(data, "float64") if weighted else None
    weights_torch = torch.tensor(data, requires_grad=True) if weighted else None
    y = ours(IDS, OFFSETS, weights)
    y_torch = theirs(torch.tensor(IDS), torch.tensor(OFFSETS), per_sample_weights=weights_torch)
    check(
        y,
        [ours.table, weights] if weighted else [ours.table],
        y_torch,
        [theirs.weight, weights_torch] if weighted else [theirs.weight],
    )


def test_the_weighted_mean_of_a_bag():
    ours = EmbeddingBag(6, 4, mode="mean", generator=generator(), dtype="float64")
    table = torch.tensor(ours.table.numpy(), requires_grad=True)
    data = np.random.default_rng(1).uniform(size=7)
    weights, weights_torch = tensor(data, "float64"), torch.tensor(data, requires_grad=True)
    bags = [slice(a, b) for a, b in itertools.pairwise(OFFSETS)]
    expected = torch.stack(
        [(weights_torch[b, None] * table[IDS[b]]).sum(0) / weights_torch[b].sum().clamp_min(1e-300) for b in bags]
    )
    check(ours(IDS, OFFSETS, weights), [ours.table, weights], expected, [table, weights_torch])


@pytest.mark.parametrize("name", ["identity", "relu", "sigmoid", "softplus", "tanh"])
def test_networks_with_every_activation(name):
    ours = Sequential(
        Linear(3, 6, generator=generator(), dtype="float64"),
        activation(name),
        Linear(6, 2, generator=generator(), dtype="float64"),
    )
    function = {"identity": lambda x: x, "softplus": torch.nn.functional.softplus}.get(name) or getattr(torch, name)
    leaves = [torch.tensor(p.numpy(), requires_grad=True) for p in ours.parameters()]
    x = np.random.default_rng(1).normal(size=(5, 3))
    expected = function(torch.tensor(x) @ leaves[0] + leaves[1]) @ leaves[2] + leaves[3]
    check(ours(x), ours.parameters(), expected, leaves)
