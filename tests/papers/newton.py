"""Newton's method by conjugate gradients in PyTorch: the product H v is a gradient of a gradient."""

from examples.papers.newton import data
from tests.oracle import torch


def loss_of(w, x, y):
    z = x @ w
    return (torch.nn.functional.softplus(z) - y * z).mean() + 0.005 * (w * w).sum()


def newton_step(gradient, w, rounds):
    r = p = -gradient.detach()
    d = torch.zeros_like(w)
    for _ in range(rounds):
        (product,) = torch.autograd.grad(gradient, w, p, retain_graph=True)
        a = (r * r).sum() / (p * product).sum()
        d, rest = d + a * p, r - a * product
        p, r = rest + (rest * rest).sum() / (r * r).sum() * p, rest
    return d


def train(steps=8, rounds=10):
    x, y = map(torch.tensor, data())
    w = torch.zeros(10, dtype=torch.float64, requires_grad=True)
    losses, norms = [], []
    for _ in range(steps):
        loss = loss_of(w, x, y)
        (gradient,) = torch.autograd.grad(loss, w, create_graph=True)
        step = newton_step(gradient, w, rounds)
        with torch.no_grad():
            w += step
        losses.append(loss.item())
        norms.append(gradient.norm().item())
    return {"losses": losses, "norms": norms, "w": w}
