"""Newton's method by conjugate gradients, which needs only products H v (Pearlmutter, 1994; Martens, 2010).

    H d = -g is solved for the step d. From r = -g, p = r, repeat:
    α = r·r / p·Hp,   d ← d + α p,   r' = r - α H p,   p ← r' + (r'·r' / r·r) p

It fits logistic regression with a penalty, L = mean (ln(1 + eᶻ) - y z) + λ/2 |w|², z = X w, to the last digit.
"""

import numpy as np

import chainrule
from chainrule import Parameter, grad, hvp


def data():
    """200 rows of ten numbers of very different sizes, which make gradient descent slow; and two classes."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(200, 10)) * np.logspace(-0.5, 0.5, 10)
    return x, (x.sum(axis=1) + generator.normal(size=200) * 3 > 0).astype(float)


def loss_of(w, x, y):
    z = x @ w
    return (chainrule.softplus(z) - y * z).mean() + 0.005 * (w * w).sum()


def newton_step(loss, w, rounds):
    """The step d; `rounds` conjugate directions, of which ten are enough for ten numbers."""
    r = p = -grad(loss, w)
    d = 0
    for _ in range(rounds):
        product = hvp(loss, w, p)
        a = (r * r).sum() / (p * product).sum()
        d, rest = d + a * p, r - a * product
        p, r = rest + (rest * rest).sum() / (r * r).sum() * p, rest
    return d


def train(steps=8, rounds=10):
    w = Parameter(np.zeros(10), name="w", dtype="float64")
    x, y = (chainrule.tensor(array, dtype="float64") for array in data())

    @chainrule.compile
    def step(x, y):
        loss = loss_of(w, x, y)
        chainrule.assign(w, w + newton_step(loss, w, rounds))
        return loss, (grad(loss, w) ** 2).sum().sqrt()

    losses, norms = zip(*[[y.item() for y in step(x, y)] for _ in range(steps)], strict=True)
    return {"losses": losses, "norms": norms, "w": w.numpy()}


if __name__ == "__main__":
    run = train()
    for number, (loss, norm) in enumerate(zip(run["losses"], run["norms"], strict=True)):
        print(f"step {number}: loss {loss:.8f}, length of the gradient {norm:.0e}")
