"""The language model in PyTorch: tied by using a weight twice, and groups of parameters in one AdamW."""

from examples.papers.language_model import data, start
from tests.oracle import torch

F = torch.nn.functional


def logits(p, before):
    read = F.embedding(before, p["table"]).flatten(1)
    return torch.tanh(read @ p["w"] + p["b"]) @ p["u"] @ p["table"].T + p["a"]


def train(steps=150):
    p = {name: torch.tensor(array, dtype=torch.float32, requires_grad=True) for name, array in start().items()}
    optimizer = torch.optim.AdamW(
        [
            {"params": [p["table"]], "lr": 0.01, "weight_decay": 0.01},
            {"params": [p["w"], p["u"]], "lr": 0.03, "weight_decay": 0.1},
            {"params": [p["b"], p["a"]], "lr": 0.03, "weight_decay": 0.0},
        ]
    )
    before, following = (torch.tensor(array.copy()) for array in data())
    losses = []
    for _ in range(steps):
        loss = F.cross_entropy(logits(p, before), following)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return {"losses": losses, **p}
