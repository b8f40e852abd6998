"""An own optimizer in PyTorch, for dense and for sparse gradients; an embedding's is sparse if it is told."""

from examples.papers.own_optimizer import data, start
from tests.oracle import torch


class Adagrad(torch.optim.Optimizer):
    def __init__(self, parameters, lr):
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["sum"] = torch.zeros_like(parameter)
                if parameter.grad.is_sparse:
                    gradient = parameter.grad.coalesce()
                    rows, values = gradient.indices()[0], gradient.values()
                    sums = state["sum"][rows] + values**2
                    state["sum"][rows] = sums
                    parameter[rows] -= group["lr"] * values / (sums.sqrt() + 1e-10)
                else:
                    state["sum"] += parameter.grad**2
                    parameter -= group["lr"] * parameter.grad / (state["sum"].sqrt() + 1e-10)


def train(epochs=40):
    tables = {
        name: torch.nn.Embedding.from_pretrained(torch.tensor(array, dtype=torch.float32), freeze=False, sparse=True)
        for name, array in start().items()
    }
    u, v, b, c = tables.values()
    optimizer = Adagrad([table.weight for table in tables.values()], lr=0.1)
    losses = []
    for _ in range(epochs):
        total = 0.0
        for i, j, log_x, f in data():
            i, j = torch.tensor(i), torch.tensor(j)
            log_x, f = torch.tensor(log_x, dtype=torch.float32), torch.tensor(f, dtype=torch.float32)
            found = (u(i) * v(j)).sum(1) + (b(i) + c(j)).squeeze(1)
            loss = (f * (found - log_x) ** 2).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        losses.append(total)
    return {"losses": losses, **{name: table.weight for name, table in tables.items()}}
