"""PyTorch: eager; `torch.optim.Adam` as most write it, fused, and with a sparse gradient of the table."""

import torch
from torch import nn

from peers.tasks import BETA1, BETA2, EPSILON, LEARNING_RATE

ADAM = {"lr": LEARNING_RATE, "betas": (BETA1, BETA2), "eps": EPSILON}


class Network(nn.Module):
    """The task's network."""

    def __init__(self, task, sparse):
        super().__init__()
        self.bag = None
        if task.vocabulary:
            self.bag = nn.EmbeddingBag(task.vocabulary, task.sizes[0], mode="mean", sparse=sparse)
        layers = []
        for inputs, outputs in zip(task.sizes, task.sizes[1:], strict=False):
            if layers:
                layers += [nn.ReLU(), nn.Dropout(task.rate)] if task.rate else [nn.ReLU()]
            layers.append(nn.Linear(inputs, outputs))
        self.layers = nn.Sequential(*layers)

    def forward(self, x):  # noqa: D102
        return self.layers(x if self.bag is None else self.bag(x))

    @torch.no_grad()
    def assign(self, weights):
        """The weights of the task; a linear layer of PyTorch holds them transposed."""
        weights = [torch.from_numpy(x) for x in weights]
        if self.bag is not None:
            self.bag.weight.copy_(weights.pop(0))
        for parameter, value in zip(self.layers.parameters(), weights, strict=True):
            parameter.copy_(value.T if value.ndim == 2 else value)


def make(task, variant):
    torch.set_num_threads(task.threads)
    torch.manual_seed(0)
    network = Network(task, sparse=variant == "lazy")
    network.assign(task.weights())
    if variant == "lazy":
        optimizers = [
            torch.optim.SparseAdam(network.bag.parameters(), **ADAM),
            torch.optim.Adam(network.layers.parameters(), fused=True, **ADAM),
        ]
    else:
        optimizers = [torch.optim.Adam(network.parameters(), fused=variant == "fused" or None, **ADAM)]
    inputs, classes = (torch.from_numpy(x) for x in task.data())
    batches = list(zip(inputs, classes, strict=True))
    position = 0

    def run(count):
        nonlocal position
        for _ in range(count):
            x, y = batches[position]
            position = (position + 1) % len(batches)
            for optimizer in optimizers:
                optimizer.zero_grad()
            loss = nn.functional.cross_entropy(network(x), y)
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
        return loss.item()

    return run
