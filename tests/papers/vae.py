"""The variational autoencoder in PyTorch, with the draws of the example, as PyTorch's own differ by machine."""

from chainrule import Key
from examples.papers.vae import data, normal, start
from tests.oracle import torch

F = torch.nn.functional


def loss_of(parameters, x, noise):
    encode, code, decode, pixels = parameters
    mean, log_variance = (torch.tanh(x @ encode) @ code).chunk(2, dim=1)
    z = mean + (log_variance / 2).exp() * noise
    wrong = F.binary_cross_entropy_with_logits(torch.tanh(z @ decode) @ pixels, x, reduction="sum")
    divergence = 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum()
    return wrong / len(x), divergence / len(x)


def train(steps=400):
    parameters = [torch.tensor(array, dtype=torch.float32, requires_grad=True) for array in start()]
    x = torch.tensor(data(), dtype=torch.float32)
    optimizer = torch.optim.Adam(parameters, lr=0.01)
    losses = []
    for step in range(steps):
        noise = torch.tensor(normal(Key.of(seed=0, step=step), (len(x), 3)).numpy())
        wrong, divergence = loss_of(parameters, x, noise)
        optimizer.zero_grad()
        (wrong + divergence).backward()
        optimizer.step()
        losses.append([wrong.item(), divergence.item()])
    return {"losses": losses, **{str(i): x for i, x in enumerate(parameters)}}
