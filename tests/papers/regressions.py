"""Linear and logistic regression in PyTorch; its autodiff stands for both."""

from examples.papers.regressions import data
from tests.oracle import torch

F = torch.nn.functional


def linear(z, y):
    return F.mse_loss(z, y), 2 * (z - y) / len(z)


def logistic(z, y):
    return F.binary_cross_entropy_with_logits(z, y), (torch.sigmoid(z) - y) / len(z)


def train(steps=200, equations=linear, rate=0.2):
    x, numbers, above = (torch.tensor(array, dtype=torch.float32) for array in data())
    y = numbers if equations is linear else above
    w, b = torch.zeros(3, requires_grad=True), torch.zeros((), requires_grad=True)
    losses, differences = [], []
    for _ in range(steps):
        loss, slope = equations(x @ w + b, y)
        by_hand = [x.T @ slope, slope.sum()]
        by_autodiff = torch.autograd.grad(loss, [w, b])
        with torch.no_grad():
            for parameter, gradient in zip([w, b], by_hand, strict=True):
                parameter -= rate * gradient
        losses.append(loss.item())
        differences.append(sum((x - y).abs().max().item() for x, y in zip(by_hand, by_autodiff, strict=True)))
    return {"losses": losses, "differences": differences, "w": w, "b": b}
