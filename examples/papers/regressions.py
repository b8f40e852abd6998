"""Linear and logistic regression, with the gradients written out and by autodiff (Legendre, 1805; Cox, 1958).

Of both, the model is z = X w + b, and by the chain rule ∂L/∂w = Xᵀ ∂L/∂z, ∂L/∂b = Σ ∂L/∂z.
    linear:    L = mean (z - y)²,            ∂L/∂z = 2 (z - y) / n
    logistic:  L = mean (ln(1 + eᶻ) - y z),  ∂L/∂z = (σ(z) - y) / n
"""

import numpy as np

import chainrule
from chainrule import Parameter


def data():
    """100 rows of three numbers; what a linear equation makes of them with some noise, and whether that is above 0."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(100, 3))
    numbers = x @ [1.0, -2.0, 0.5] + 0.3 + generator.normal(size=100) * 0.1
    return x, numbers, numbers > 0


def linear(z, y):
    """The loss, and its gradient for z."""
    return ((z - y) ** 2).mean(), 2 * (z - y) / z.shape[0]


def logistic(z, y):
    """The loss, and its gradient for z."""
    return (chainrule.softplus(z) - y * z).mean(), (chainrule.sigmoid(z) - y) / z.shape[0]


def train(steps=200, equations=linear, rate=0.2):
    x, numbers, above = data()
    y = numbers if equations is linear else above
    w, b = Parameter(np.zeros(3), name="w"), Parameter(0.0, name="b")

    @chainrule.compile
    def step(x, y):
        loss, slope = equations(x @ w + b, y)
        by_hand = [x.T @ slope, slope.sum()]
        by_autodiff = chainrule.grad(loss, [w, b])
        for parameter, gradient in zip([w, b], by_hand, strict=True):
            chainrule.assign(parameter, parameter - rate * gradient)
        return loss, abs(by_hand[0] - by_autodiff[0]).max() + abs(by_hand[1] - by_autodiff[1])

    losses, differences = zip(*[[y.item() for y in step(x, y)] for _ in range(steps)], strict=True)
    return {"losses": losses, "differences": differences, "w": w.numpy(), "b": b.numpy()}


if __name__ == "__main__":
    for equations in (linear, logistic):
        run = train(equations=equations)
        print(f"{equations.__name__:9} loss {run['losses'][0]:.3f} to {run['losses'][-1]:.3f}, w {run['w'].round(2)}")
        print(f"          by hand and by autodiff differ by {max(run['differences']):.0e} at most")
