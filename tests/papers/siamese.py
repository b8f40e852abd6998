"""The Siamese network in PyTorch."""

from examples.papers.siamese import data, start
from tests.oracle import torch


def network(parameters, x):
    w, b, v, c, u = parameters
    return torch.tanh(torch.tanh(x @ w + b) @ v + c) @ u


def train(steps=300):
    parameters = [torch.tensor(array, dtype=torch.float32, requires_grad=True) for array in start()]
    first, second, same = (torch.tensor(array, dtype=torch.float32) for array in data())
    optimizer = torch.optim.Adam(parameters, lr=0.01)
    losses, shares = [], []
    for _ in range(steps):
        between = network(parameters, first) - network(parameters, second)
        distance = ((between * between).sum(1) + 1e-12).sqrt()
        loss = (same * distance**2 + (1 - same) * (1 - distance).clamp(min=0) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        right = (distance < 0.5) == (same > 0.5)
        losses.append(loss.item())
        shares.append(right.float().mean().item())
    return {"losses": losses, "shares": shares, **{str(i): x for i, x in enumerate(parameters)}}
