"""Word vectors by an own optimizer on row-sparse gradients: GloVe and Adagrad (Pennington, 2014; Duchi et al., 2011).

Words i, j stand together Xᵢⱼ times. A step reads and updates the rows of its words alone.
    L = Σ f (uᵢ · vⱼ + bᵢ + cⱼ - ln Xᵢⱼ)²,  f = (X / max X)^¾;      s ← s + g²,  θ ← θ - η g / (√s + ε)
"""

import numpy as np

import chainrule
from chainrule import Parameter, gather

WORDS = "cat dog cow eats sees hears car bus train drives parks starts".split()  # six of one topic, six of another


class Adagrad(chainrule.optim.Optimizer):
    """The equations; they get whole parameters, or with `lazy=True` the rows of a table that a batch reads."""

    def init(self, parameter):
        return {"sum": chainrule.zeros(parameter.shape, parameter.dtype)}

    def update(self, parameter, gradient, state, scalars):
        sum = state["sum"] + gradient**2
        return parameter - scalars["learning_rate"] * gradient / (sum.sqrt() + 1e-10), {"sum": sum}


def data(size=8):
    """Batches of pairs of words with ln X and f; words of one topic stand together more often."""
    generator = np.random.default_rng(0)
    together = generator.integers(1, 4, size=(12, 12)) + 20 * np.kron(np.eye(2), np.ones((6, 6)))
    i, j = np.unravel_index(generator.permutation(144), (12, 12))
    arrays = i, j, np.log(together[i, j]), (together[i, j] / together.max()) ** 0.75
    return zip(*(np.split(array, len(i) // size) for array in arrays), strict=True)


def start(size=4):
    generator = np.random.default_rng(0)
    return {name: generator.normal(size=(12, n)) * 0.3 for name, n in [("u", size), ("v", size), ("b", 1), ("c", 1)]}


def train(epochs=40):
    p = {name: Parameter(array, name=name) for name, array in start().items()}
    optimizer, parameters = Adagrad(0.1, lazy=True), [*p.values()]
    state = optimizer.start(parameters)

    @chainrule.compile
    def step(i, j, log_x, f):
        found = (gather(p["u"], i) * gather(p["v"], j)).sum(1) + (gather(p["b"], i) + gather(p["c"], j)).squeeze(1)
        loss = (f * (found - log_x) ** 2).sum()
        optimizer.step(parameters, chainrule.gradients(loss, parameters), state)
        return loss

    losses = [sum(step(*batch).item() for batch in data()) for _ in range(epochs)]
    return {"losses": losses, **{name: x.numpy() for name, x in p.items()}}


if __name__ == "__main__":
    run = train()
    vectors = run["u"] / np.linalg.norm(run["u"], axis=1, keepdims=True)
    near = [WORDS[i] for i in (-vectors @ vectors[0]).argsort()[1:6]]
    print(f"loss {run['losses'][0]:.1f} to {run['losses'][-1]:.2f}; nearest to {WORDS[0]}: {', '.join(near)}")
