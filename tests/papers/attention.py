"""Attention and both normalisations in PyTorch, by its functions."""

from examples.papers.attention import data, start
from tests.oracle import torch

F = torch.nn.functional


def network(p, mean, variance, ids, training):
    x = F.embedding(ids, p["symbols"]) + p["places"]
    x = x + F.scaled_dot_product_attention(*(x @ p["qkv"]).chunk(3, dim=-1))
    x = F.layer_norm(x, x.shape[-1:]) @ p["w"]
    rows = F.batch_norm(x.flatten(0, 1), mean, variance, training=training, momentum=0.1)
    return torch.relu(rows).view(x.shape) @ p["v"]


def train(steps=300):
    p = {name: torch.tensor(array, dtype=torch.float32, requires_grad=True) for name, array in start().items()}
    mean, variance = torch.zeros(32), torch.ones(32)
    optimizer = torch.optim.Adam(p.values(), lr=0.01)
    losses = []
    for seed in range(steps):
        ids, answers = (torch.tensor(array.copy()) for array in data(seed))
        loss = F.cross_entropy(network(p, mean, variance, ids, True).flatten(0, 1), answers.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        logits = network(p, mean, variance, torch.tensor(data(steps)[0]), False)
    return {"losses": losses, "logits": logits, "mean": mean, "variance": variance, **p}
