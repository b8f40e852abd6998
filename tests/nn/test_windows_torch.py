"""PyTorch as the oracle of convolution and pooling over ordinary arrays, with their gradients and weights."""

import numpy as np
import pytest

import chainrule
from chainrule import gradients, tensor
from chainrule.nn import (
    Conv1d,
    Conv2d,
    Convolution,
    MaxPool1d,
    MaxPool2d,
    MeanPool1d,
    MeanPool2d,
    from_torch,
    to_torch,
)
from tests.oracle import torch

RNG = np.random.default_rng(0)
CONVOLUTIONS = [
    (1, {"width": 3}),
    (1, {"width": 4, "stride": 2, "padding": 1}),
    (1, {"width": 3, "dilation": 2, "padding": "same"}),
    (1, {"width": 1, "groups": 2}),
    (2, {"width": 3}),
    (2, {"width": (2, 3), "stride": (2, 1), "padding": (1, 2), "dilation": (1, 2)}),
    (2, {"width": 3, "padding": "same", "groups": 2}),
    (2, {"width": (1, 2), "padding": "same"}),
    (2, {"width": 3, "stride": 2, "groups": 4}),
]
SIZES = {1: (11,), 2: (9, 8)}


def turned(x):
    """Channels first, as PyTorch has them, from channels last."""
    return np.moveaxis(x, -1, 1)


def compare(layer, theirs, x, weights=()):
    """The layer's output and gradients, eagerly and compiled, against PyTorch's module."""
    leaf = torch.tensor(turned(x).copy(), requires_grad=True)
    expected = theirs(leaf)
    vector = np.cos(np.arange(expected.numel())).reshape(expected.shape)
    wanted = torch.autograd.grad(expected, [leaf, *[w for _, w in weights]], torch.tensor(vector))

    def both(x):
        y = layer(x)
        return [y, *gradients(y, [x, *[w for w, _ in weights]], tensor(np.moveaxis(vector, 1, -1), "float64"))]

    given = tensor(x, "float64")
    for found in (both(given), chainrule.compile(both)(given)):
        np.testing.assert_allclose(turned(found[0].numpy()), expected.detach().numpy(), rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(turned(found[1].numpy()), wanted[0].numpy(), rtol=1e-11, atol=1e-12)
        if weights:
            axes = layer.in_torch["weight"][1]
            np.testing.assert_allclose(found[2].numpy(), wanted[1].numpy().transpose(axes), rtol=1e-11, atol=1e-12)
            np.testing.assert_allclose(found[3].numpy(), wanted[2].numpy(), rtol=1e-11, atol=1e-12)


@pytest.mark.filterwarnings("ignore:Using padding=.same. with even kernel lengths")
@pytest.mark.parametrize(("axes", "settings"), CONVOLUTIONS)
def test_convolution(axes, settings):
    kind, theirs = {1: (Conv1d, torch.nn.Conv1d), 2: (Conv2d, torch.nn.Conv2d)}[axes]
    ours = kind(4, 8, **settings, generator=RNG, dtype="float64")
    names = {"width": "kernel_size"}
    module = theirs(4, 8, **{names.get(name, name): value for name, value in settings.items()}).double()
    ours.assign(from_torch(ours, {name: x.detach().numpy() for name, x in module.state_dict().items()}))
    x = RNG.normal(size=(3, *SIZES[axes], 4))
    compare(ours, module, x, [(ours.weight, module.weight), (ours.bias, module.bias)])
    for name, array in to_torch(ours).items():
        np.testing.assert_array_equal(array, module.state_dict()[name].numpy())


@pytest.mark.parametrize("settings", [{"width": 2}, {"width": 3, "stride": 2, "padding": 1}])
@pytest.mark.parametrize(
    ("kind", "theirs"),
    [
        (MaxPool1d, torch.nn.MaxPool1d),
        (MaxPool2d, torch.nn.MaxPool2d),
        (MeanPool1d, torch.nn.AvgPool1d),
        (MeanPool2d, torch.nn.AvgPool2d),
    ],
)
def test_pooling(kind, theirs, settings):
    module = theirs(settings["width"], settings.get("stride"), settings.get("padding", 0))
    compare(kind(**settings), module, RNG.normal(size=(3, *SIZES[kind.axes], 2)))


def test_weights_of_a_convolution_over_texts():
    theirs = torch.nn.Conv1d(3, 5, 4)
    ours = Convolution(3, 5, width=4, generator=RNG)
    ours.assign(from_torch(ours, {name: x.detach().numpy() for name, x in theirs.state_dict().items()}))
    text = RNG.normal(size=(9, 3)).astype(np.float32)
    expected = theirs(torch.tensor(text.T)).T.detach().numpy()
    np.testing.assert_allclose(ours(text, [0, 9]).numpy()[1:-2], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(to_torch(ours)["weight"], theirs.weight.detach().numpy())
