"""Weights to PyTorch and back: both compute the same."""

import numpy as np

import chainrule
from chainrule.nn import Embedding, Layer, Linear, Sequential, from_torch, to_torch
from tests.oracle import torch


class Ours(Layer):
    def __init__(self):
        generator = np.random.default_rng(0)
        self.table = Embedding(5, 4, generator=generator)
        self.head = Sequential(
            Linear(4, 3, generator=generator), chainrule.tanh, Linear(3, 2, with_bias=False, generator=generator)
        )

    def __call__(self, ids):
        return self.head(self.table(ids))


class Theirs(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.table = torch.nn.Embedding(5, 4)
        self.head = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh(), torch.nn.Linear(3, 2, bias=False))

    def forward(self, ids):
        return self.head(self.table(ids))


def test_there_and_back():
    ours, theirs, ids = Ours(), Theirs(), np.array([0, 4, 2])
    before = ours(ids).value
    theirs.load_state_dict({name: torch.from_numpy(array) for name, array in to_torch(ours).items()})
    np.testing.assert_allclose(theirs(torch.from_numpy(ids)).detach().numpy(), before, rtol=1e-5)
    torch.manual_seed(0)
    other = Theirs()
    ours.assign(from_torch(ours, {name: x.numpy() for name, x in other.state_dict().items()}))
    np.testing.assert_allclose(ours(ids).value, other(torch.from_numpy(ids)).detach().numpy(), rtol=1e-5)
