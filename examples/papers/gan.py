"""A generative adversarial network, both players in one compiled step (Goodfellow et al., 2014).

    discriminator D:  minimise  mean softplus(-D(x)) + mean softplus(D(G(z)))
    generator G:      minimise  mean softplus(-D(G(z))),  the form that does not saturate, for the D just updated

It learns to draw from a normal distribution with mean 3 and deviation 0.5, out of numbers spread evenly over [0, 1).
"""

import numpy as np

import chainrule
from chainrule import Key, Parameter, relu, softplus


def data(step, rows=128):
    return np.random.default_rng(step).normal(3, 0.5, size=(rows, 1))


def start(hidden=16):
    """The weights of D and of G: two layers each."""
    generator = np.random.default_rng(0)
    shapes = [(1, hidden), (hidden,), (hidden, 1), (1,)]
    return [[generator.normal(size=shape) * shape[-1] ** -0.5 for shape in shapes] for _ in range(2)]


def network(parameters, x):
    w, b, u, a = parameters
    return relu(x @ w + b) @ u + a


def train(steps=1000):
    d, g = ([Parameter(array) for array in arrays] for arrays in start())
    optimizer_d, optimizer_g = chainrule.Adam(0.01, beta1=0.5), chainrule.Adam(0.005, beta1=0.5)
    state_d, state_g = optimizer_d.start(d), optimizer_g.start(g)

    @chainrule.compile
    def step(real, key):
        fake = network(g, chainrule.random_uniform(key, real.shape))
        loss_d = softplus(-network(d, real)).mean() + softplus(network(d, fake)).mean()
        optimizer_d.step(d, chainrule.gradients(loss_d, d), state_d)
        loss_g = softplus(-network(d, fake)).mean()  # reads D as it is by now
        optimizer_g.step(g, chainrule.gradients(loss_g, g), state_g)
        return loss_d, loss_g, fake.mean(), fake.std()

    found = [[y.item() for y in step(data(number), Key.of(seed=0, step=number))] for number in range(steps)]
    return {"found": found, **{str(i): x.numpy() for i, x in enumerate([*d, *g])}}


if __name__ == "__main__":
    for loss_d, loss_g, mean, deviation in train()["found"][::200]:
        print(f"losses {loss_d:.3f} and {loss_g:.3f}; drawn numbers: mean {mean:.2f}, deviation {deviation:.2f}")
