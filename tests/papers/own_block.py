"""An own block in PyTorch: a `Function`. As its backward is to have a gradient, it is of differentiable functions."""

from examples.papers.own_block import data, start
from tests.oracle import torch


class Gate(torch.autograd.Function):
    """y = tanh(a) σ(b)."""

    @staticmethod
    def forward(ctx, a, b):
        y = torch.tanh(a) / (1 + torch.exp(-b))
        ctx.save_for_backward(a, b, y)
        return y

    @staticmethod
    def backward(ctx, gradient):
        a, b, y = ctx.saved_tensors
        return gradient * (1 - torch.tanh(a) ** 2) * torch.sigmoid(b), gradient * y * torch.sigmoid(-b)


def train(steps=300):
    x, y = (torch.tensor(array, dtype=torch.float32) for array in data())
    parameters = [torch.tensor(array, dtype=torch.float32, requires_grad=True) for array in start()]
    optimizer = torch.optim.Adam(parameters, lr=0.02)
    losses = []
    for _ in range(steps):
        w, u, v = parameters
        hidden = Gate.apply(*(x @ w[:2] + w[2]).chunk(2, dim=1))
        hidden = Gate.apply(*(hidden @ u).chunk(2, dim=1))
        loss = torch.nn.functional.binary_cross_entropy_with_logits((hidden @ v).squeeze(1), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return {"losses": losses, "w": w, "u": u, "v": v}
