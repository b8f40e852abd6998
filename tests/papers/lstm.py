"""A long short-term memory in PyTorch: its own module, which adds two biases, on a `PackedSequence`."""

from examples.papers.lstm import data, start
from tests.oracle import torch


class Network(torch.nn.Module):
    def __init__(self, symbols=4, size=16):
        super().__init__()
        self.embedding = torch.nn.Embedding(symbols, size)
        self.lstm = torch.nn.LSTM(size, size)
        self.output = torch.nn.Linear(size, symbols, bias=False)

    def forward(self, ids, counts):
        packed = torch.nn.utils.rnn.PackedSequence(self.embedding(ids), counts)
        _, (h, _) = self.lstm(packed)
        return self.output(h[0])


def same_weights(network):
    arrays = {name: torch.tensor(array, dtype=torch.float32) for name, array in start().items()}
    with torch.no_grad():
        network.embedding.weight.copy_(arrays["embedding"])
        network.lstm.weight_ih_l0.copy_(arrays["w"].T)
        network.lstm.weight_hh_l0.copy_(arrays["u"].T)
        network.lstm.bias_ih_l0.copy_(arrays["b"])
        network.lstm.bias_hh_l0.zero_()
        network.output.weight.copy_(arrays["v"].T)
    network.lstm.bias_hh_l0.requires_grad_(False)


def train(steps=150):
    ids, counts, classes = (torch.tensor(array) for array in data())
    network = Network()
    same_weights(network)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    losses = []
    for _ in range(steps):
        loss = torch.nn.functional.cross_entropy(network(ids, counts), classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    lstm = network.lstm
    weights = {"w": lstm.weight_ih_l0.T, "u": lstm.weight_hh_l0.T, "b": lstm.bias_ih_l0, "v": network.output.weight.T}
    return {"losses": losses, "embedding": network.embedding.weight, **weights}
