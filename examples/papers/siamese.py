"""A Siamese network with the contrastive loss (Hadsell, Chopra and LeCun, 2006; Bromley et al., 1993).

    d = |f(x₁) - f(x₂)|,   L = mean (s d² + (1 - s) max(0, m - d)²),   s = 1 for two of a kind, else 0

Both halves are one network f with one set of weights, whose gradients add up.
"""

import numpy as np

import chainrule
from chainrule import Parameter, maximum, tanh


def data(rows=200):
    """Pairs of points on three rings around each other, and whether both are on the same one."""
    generator = np.random.default_rng(0)
    ring, angle = generator.integers(3, size=(2, rows)), generator.uniform(0, 2 * np.pi, size=(2, rows))
    first, second = (ring + 1)[..., None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    return first, second, (ring[0] == ring[1]).astype(float)


def start(hidden=32, size=2):
    generator = np.random.default_rng(0)
    shapes = [(2, hidden), (hidden,), (hidden, hidden), (hidden,), (hidden, size)]
    return [generator.normal(size=shape) * shape[0] ** -0.5 for shape in shapes]


def network(parameters, x):
    w, b, v, c, u = parameters
    return tanh(tanh(x @ w + b) @ v + c) @ u


def train(steps=300):
    parameters = [Parameter(array) for array in start()]
    optimizer = chainrule.Adam(0.01)
    state = optimizer.start(parameters)

    @chainrule.compile
    def step(first, second, same):
        between = network(parameters, first) - network(parameters, second)
        distance = ((between * between).sum(1) + 1e-12).sqrt()  # √ has no slope at 0
        loss = (same * distance**2 + (1 - same) * maximum(1 - distance, 0) ** 2).mean()
        optimizer.step(parameters, chainrule.gradients(loss, parameters), state)
        right = chainrule.equal(distance < 0.5, same > 0.5)
        return loss, right.astype("float32").mean()

    losses, shares = zip(*[[y.item() for y in step(*data())] for _ in range(steps)], strict=True)
    return {"losses": losses, "shares": shares, **{str(i): x.numpy() for i, x in enumerate(parameters)}}


if __name__ == "__main__":
    run = train()
    for number in range(0, 300, 60):
        print(f"step {number}: loss {run['losses'][number]:.3f}, {run['shares'][number]:.0%} of the pairs told apart")
