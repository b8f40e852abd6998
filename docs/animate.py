"""Makes the pictures of docs/animate.md, by the library itself: python docs/animate.py."""

from pathlib import Path

import numpy as np

import chainrule
from chainrule.animate import Regions, descent
from chainrule.nn import Linear, Sequential, Tanh, cross_entropy

PICTURES = Path(__file__).with_name("pictures") / "animate"

#: Learning rates for the valley x² + 25 y², in which steps above 0.04 grow.
RATES = {"too low: 0.002": 0.002, "right: 0.03": 0.03, "too high: 0.0402": 0.0402}


def rates():
    """Gradient descent with three learning rates."""
    ways = {name: chainrule.SGD(rate) for name, rate in RATES.items()}
    return descent(
        lambda x, y: x**2 + 25 * y**2, ways, start=(-2.0, 0.8), steps=40, title="Three learning rates on x² + 25 y²"
    )


def optimizers():
    """Optimizers in Rosenbrock's valley."""
    ways = [
        chainrule.SGD(0.001), chainrule.SGD(0.001, momentum=0.9), chainrule.RMSprop(0.03), chainrule.Adam(0.15),
        chainrule.Adagrad(0.4), chainrule.Lion(0.03),
    ]  # fmt: skip
    return descent(
        lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2, ways, start=(-1.2, 1.0), steps=60,
        window=((-1.6, 1.4), (-0.4, 1.6)), title="Optimizers in Rosenbrock's valley",
    )  # fmt: skip


def spiral(rows=100, arms=3):
    """Points on arms of a spiral, and which arm each is on."""
    draws = np.random.default_rng(0)
    far = np.sqrt(draws.random((arms, rows))) * 3.6 + 0.4
    turn = 1.2 * far + np.arange(arms)[:, None] * 2 * np.pi / arms + draws.normal(0, 0.15, (arms, rows))
    points = np.stack([far * np.cos(turn), far * np.sin(turn)], axis=-1).reshape(-1, 2).astype(np.float32)
    return points, np.repeat(np.arange(arms), rows)


def decisions():
    """A network of one hidden layer on a spiral, step by step on NumPy."""
    points, labels = spiral()
    draws = np.random.default_rng(1)
    network = Sequential(Linear(2, 24, generator=draws), Tanh(), Linear(24, 3, generator=draws))
    adam, seen = chainrule.Adam(0.02), Regions(points, labels, frames=16, title="A spiral of three arms")
    state = adam.start(network.parameters())
    for _ in range(400):
        rows = draws.integers(0, len(points), 32)
        loss = cross_entropy(network(points[rows]), labels[rows])
        adam.step(network.parameters(), chainrule.gradients(loss, network.parameters()), state)
        seen.add(network, loss.item())
    return seen.film()


FILMS = {"rates": rates, "optimizers": optimizers, "decisions": decisions}

if __name__ == "__main__":
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name, film in FILMS.items():
        film().save(PICTURES / f"{name}.svg")
