"""A variational autoencoder (Kingma and Welling, 2014), of pictures with one bar in a noisy 4 × 4 field.

The noise ε ~ N(0, 1) is a function of a key: the same numbers eagerly, compiled and in every run.
    m, s = encoder(x);  z = m + e^(s/2) ε;   L = -ln p(x|z) + ½ Σ (m² + e^s - s - 1)
"""

import numpy as np

import chainrule
from chainrule import Key, Parameter, tanh
from chainrule.nn import binary_cross_entropy_with_logits


def data(rows=64):
    """Pictures of 16 pixels: one of four rows or four columns is lit, and 2 % of the pixels are wrong."""
    generator = np.random.default_rng(0)
    lines = np.kron(np.eye(4), np.ones(4))
    bars = np.concatenate([lines, lines.reshape(4, 4, 4).transpose(0, 2, 1).reshape(4, 16)])
    return np.abs(bars[generator.integers(8, size=rows)] - (generator.random((rows, 16)) < 0.02))


def start(hidden=32, size=3):
    generator = np.random.default_rng(0)
    shapes = [(16, hidden), (hidden, 2 * size), (size, hidden), (hidden, 16)]
    return [generator.normal(size=shape) * shape[0] ** -0.5 for shape in shapes]


def normal(key, shape):
    """Normal draws from even ones (Box and Muller, 1958)."""
    radius, angle = (chainrule.random_uniform(key.at(place), shape) for place in range(2))
    return (-2 * (1 - radius).log()).sqrt() * (2 * np.pi * angle).cos()


def loss_of(parameters, x, noise):
    encode, code, decode, pixels = parameters
    mean, log_variance = (tanh(x @ encode) @ code).split(noise.shape[1], axis=1)
    z = mean + (log_variance / 2).exp() * noise
    wrong = binary_cross_entropy_with_logits(tanh(z @ decode) @ pixels, x, reduction="sum")
    divergence = 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum()
    return wrong / x.shape[0], divergence / x.shape[0]


def train(steps=400):
    parameters, x = [Parameter(array) for array in start()], data()
    optimizer = chainrule.Adam(0.01)
    state = optimizer.start(parameters)

    @chainrule.compile
    def step(x, key):
        wrong, divergence = loss_of(parameters, x, normal(key, (x.shape[0], parameters[2].shape[0])))
        optimizer.step(parameters, chainrule.gradients(wrong + divergence, parameters), state)
        return wrong, divergence

    losses = [[y.item() for y in step(x, Key.of(seed=0, step=number))] for number in range(steps)]
    return {"losses": losses, **{str(i): x.numpy() for i, x in enumerate(parameters)}}


if __name__ == "__main__":
    for wrong, divergence in train()["losses"][::100]:
        print(f"reconstruction {wrong:.2f}, divergence {divergence:.2f}, together {wrong + divergence:.2f}")
