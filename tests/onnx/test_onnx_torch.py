"""Networks that PyTorch wrote as ONNX files: their outputs and gradients here, on both engines."""

import warnings

import numpy as np
import pytest

import chainrule
from chainrule.onnx import load
from tests.onnx.test_export import CLOSE
from tests.oracle import torch

nn = torch.nn


class Recurrent(nn.Module):
    def __init__(self, cell, **settings):
        super().__init__()
        self.embedding, self.layer = nn.Embedding(20, 5), cell(5, 4, batch_first=True, **settings)
        self.output = nn.Linear(8 if settings.get("bidirectional") else 4, 3)

    def forward(self, x):
        return self.output(self.layer(self.embedding(x))[0].mean(1))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True, activation="gelu")
        self.embedding, self.layers = nn.Embedding(20, 8), nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x):
        return self.layers(self.embedding(x)).mean(1)


NETWORKS = {
    "layers": lambda: nn.Sequential(nn.Linear(5, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 3), nn.Softmax(-1)),
    "convolution": lambda: nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, stride=2), nn.BatchNorm2d(4), nn.ReLU6(), nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 3, groups=2, padding="same"), nn.Hardswish(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(4, 2),
    ),
    "upsampling": lambda: nn.Sequential(
        nn.ConvTranspose2d(3, 4, 4, stride=2, padding=1), nn.Upsample(scale_factor=2, mode="bilinear"), nn.PReLU(4),
        nn.GroupNorm(2, 4),
    ),
    "lstm": lambda: Recurrent(nn.LSTM, bidirectional=True, num_layers=2),
    "gru": lambda: Recurrent(nn.GRU, bidirectional=True),
    "rnn": lambda: Recurrent(nn.RNN, nonlinearity="relu"),
    "transformer": Transformer,
}  # fmt: skip
INPUTS = {"layers": (4, 5), "convolution": (2, 3, 16, 12), "upsampling": (2, 3, 4, 5)}


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_and_gradients(name, tmp_path):
    torch.manual_seed(0)
    network = NETWORKS[name]().eval()
    for x in network.parameters():  # no two alike, as equal ones become one
        x.data = 0.3 * torch.randn_like(x)
    x = torch.randn(INPUTS[name]) if name in INPUTS else torch.randint(0, 20, (3, 6))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network, (x,), tmp_path / "m.onnx", dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "n"}}
        )
    layer = load(tmp_path / "m.onnx")
    for engine, part in (("eager", x), ("native", x), ("native", x[:1])):
        expected = network(part).detach().numpy()
        np.testing.assert_allclose(layer.run(part.numpy(), engine=engine)[0], expected, **CLOSE)
    (network(x) ** 2).sum().backward()
    given = {name: x.grad.numpy() for name, x in network.named_parameters() if x.grad is not None}
    found = chainrule.grad((layer(x.numpy()) ** 2).sum(), layer.parameters())
    compared = 0
    for name, gradient in zip(layer.weights, found, strict=True):
        if name in given and given[name].shape == gradient.spec.shape:  # others are turned, or put together
            dense = gradient.numpy() if hasattr(gradient, "numpy") else gradient.to_dense().numpy()
            np.testing.assert_allclose(dense, given[name], rtol=1e-4, atol=1e-4)
            compared += 1
    assert compared >= 2
