"""The generative adversarial network in PyTorch, with the draws of the example."""

from chainrule import Key, random_uniform
from examples.papers.gan import data, start
from tests.oracle import torch

softplus = torch.nn.functional.softplus


def network(parameters, x):
    w, b, u, a = parameters
    return torch.relu(x @ w + b) @ u + a


def train(steps=1000):
    d, g = ([torch.tensor(x, dtype=torch.float32, requires_grad=True) for x in arrays] for arrays in start())
    optimizer_d = torch.optim.Adam(d, lr=0.01, betas=(0.5, 0.999))
    optimizer_g = torch.optim.Adam(g, lr=0.005, betas=(0.5, 0.999))
    found = []
    for step in range(steps):
        real = torch.tensor(data(step), dtype=torch.float32)
        fake = network(g, torch.tensor(random_uniform(Key.of(seed=0, step=step), real.shape).numpy()))
        loss_d = softplus(-network(d, real)).mean() + softplus(network(d, fake.detach())).mean()
        optimizer_d.zero_grad()
        loss_d.backward()
        optimizer_d.step()
        loss_g = softplus(-network(d, fake)).mean()
        optimizer_g.zero_grad()
        loss_g.backward()
        optimizer_g.step()
        found.append([loss_d.item(), loss_g.item(), fake.mean().item(), fake.std(correction=0).item()])
    return {"found": found, **{str(i): x for i, x in enumerate([*d, *g])}}
