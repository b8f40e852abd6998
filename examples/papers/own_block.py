"""An own block, forward and backward written by hand: WaveNet's gated activation (van den Oord et al., 2016).

    y = tanh(a) σ(b),   ∂y/∂a = (1 - tanh² a) σ(b),   ∂y/∂b = tanh(a) σ(b) (1 - σ(b)) = y σ(-b)

A hidden layer of it, twice, tells two spirals apart (Lang and Witbrock, 1988).
"""

import numpy as np

import chainrule
from chainrule import Parameter, sigmoid, tanh


class Gate(chainrule.Elementwise):
    """y = tanh(a) σ(b). `chainrule.testing.check_block(Gate)` tests it as the toolkit's own blocks are tested."""

    gradient_accuracy = chainrule.Accuracy(ulps=4, least=1)  # 1 - tanh² loses digits where it is small

    def forward(self, xp, a, b):  # on NumPy arrays, and on the numbers of a generated loop
        return xp.tanh(a) / (1 + xp.exp(-b))

    def backward(self, gradient, output, a, b):  # a contribution for each input, of blocks: it has a gradient, too
        return gradient * (1 - tanh(a) ** 2) * sigmoid(b), gradient * output * sigmoid(-b)


gate = Gate()


def data():
    """Two spirals of 100 points each, and which one a point is on."""
    angle = np.linspace(0.5, 2.5 * np.pi, 100)
    spiral = np.stack([angle * np.cos(angle), angle * np.sin(angle)], axis=1) / 4
    return np.concatenate([spiral, -spiral]), np.repeat([0.0, 1.0], 100)


def start(size=32):
    generator = np.random.default_rng(0)
    return [generator.normal(size=shape) * shape[0] ** -0.5 for shape in [(3, 2 * size), (size, 2 * size), (size, 1)]]


def train(steps=300):
    parameters = [Parameter(array) for array in start()]
    optimizer = chainrule.Adam(0.02)
    state = optimizer.start(parameters)

    @chainrule.compile
    def step(x, y):
        w, u, v = parameters  # the last row of w is the bias
        hidden = gate(*(x @ w[:2] + w[2]).split(w.shape[1] // 2, axis=1))
        hidden = gate(*(hidden @ u).split(u.shape[1] // 2, axis=1))
        loss = chainrule.nn.binary_cross_entropy_with_logits((hidden @ v).squeeze(1), y)
        optimizer.step(parameters, chainrule.gradients(loss, parameters), state)
        return loss

    losses = [step(*data()).item() for _ in range(steps)]
    return {"losses": losses, **dict(zip("wuv", [x.numpy() for x in parameters], strict=True))}


if __name__ == "__main__":
    print("two spirals, loss: " + ", ".join(f"{loss:.4f}" for loss in train()["losses"][::50]))
