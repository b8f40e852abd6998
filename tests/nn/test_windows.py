"""Convolution and pooling over ordinary arrays: what they refuse, and a network of them that learns."""

import numpy as np
import pytest

import chainrule
from chainrule.errors import ConfigurationError, ShapeError
from chainrule.nn import Conv1d, Conv2d, Linear, MaxPool2d, Sequential, cross_entropy
from chainrule.optim import Adam

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 0}, r"Conv2d: expected width as a whole number of 1 or more, or 2 of them, got 0"),
        ({"width": (3, 3, 3)}, r"expected width as a whole number of 1 or more, or 2 of them, got \(3, 3, 3\)"),
        ({"width": 3, "stride": 0}, "expected stride as a whole number of 1 or more, or 2 of them, got 0"),
        ({"width": 3, "dilation": 1.5}, "expected dilation as a whole number of 1 or more, or 2 of them, got 1.5"),
        ({"width": 3, "padding": -1}, "expected padding as a whole number of 0 or more, or 2 of them, got -1"),
        ({"width": 3, "padding": "valid"}, "expected padding as numbers or 'same', got 'valid'"),
        ({"width": 3, "groups": 3}, "expected sizes of at least 1 that 3 groups divide, got 4 inputs and 6 outputs"),
    ],
)
def test_settings_that_are_none(settings, message):
    with pytest.raises(ConfigurationError, match=message):
        Conv2d(4, 6, **settings, generator=RNG)


def test_arrays_that_do_not_fit():
    convolution = Conv2d(4, 6, width=(3, 5), generator=RNG)
    with pytest.raises(ShapeError, match=r"^Conv2d\(4 → 6, width 3×5\): expected an array of shape \(batch, height, "):
        convolution(np.ones((2, 8, 4)))
    with pytest.raises(ShapeError, match="expected 4 channels on the last axis, got 3"):
        convolution(np.ones((2, 8, 8, 3)))
    with pytest.raises(ShapeError, match=r"a window of \(3, 5\) is larger than the array, \(8, 4\) with its padding"):
        convolution(np.ones((2, 8, 4, 4)))
    with pytest.raises(ShapeError, match=r"expected an array of shape \(batch, length, channels\), got \(2, 8\)"):
        Conv1d(4, 6, width=1, generator=RNG)(np.ones((2, 8)))


def test_another_batch_size_compiles_nothing():
    convolution = Conv2d(3, 4, width=3, padding="same", generator=RNG)
    compiled = chainrule.compile(lambda x: convolution(x))
    compiled(np.ones((2, 6, 6, 3)))

    x = RNG.normal(size=(7, 6, 6, 3)).astype(np.float32)
    np.testing.assert_allclose(compiled(x).numpy(), convolution(x).numpy(), rtol=1e-5, atol=1e-6)


def test_a_network_that_tells_bars_from_each_other():
    """Pictures with a bar that lies or stands anywhere, in noise: no pixel tells which, so it takes filters."""
    rng = np.random.default_rng(1)
    classes = rng.integers(2, size=400)
    pictures = rng.normal(size=(400, 8, 8, 1)).astype(np.float32) * 0.3
    for picture, stands in zip(pictures, classes, strict=True):
        row, column = rng.integers(6, size=2)
        picture[(slice(row, row + 3), column) if stands else (row, slice(column, column + 3))] += 1.5
    convolve = [Conv2d(1, 8, width=3, generator=rng), Conv2d(8, 8, width=3, padding=1, generator=rng)]
    pool, output = MaxPool2d(6), Sequential(Linear(8, 2, generator=rng))
    optimizer, parameters = Adam(0.01), [x for layer in (*convolve, output) for x in layer.parameters()]
    state = optimizer.start(parameters)

    def logits(x):
        for layer in convolve:
            x = chainrule.relu(layer(x))
        return output(chainrule.reshape(pool(x), (-1, 8)))

    @chainrule.compile
    def step(x, y):
        loss = cross_entropy(logits(x), y)
        optimizer.step(parameters, chainrule.gradients(loss, parameters), state)
        return loss

    for _ in range(20):
        for start in range(0, 320, 32):
            step(pictures[start : start + 32], classes[start : start + 32])
    right = logits(pictures[320:]).numpy().argmax(axis=1) == classes[320:]
    assert right.mean() > 0.9
