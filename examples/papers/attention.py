"""Attention, with layer and batch normalisation (Vaswani et al., 2017; Ba et al., 2016; Ioffe and Szegedy, 2015).

    a = softmax(Q Kᵀ / √d) V,  with Q, K, V = x W;   normal: (x - mean x) / √(var x + ε)

The mean is over the numbers of a row (layer) or over the rows of a batch (batch); for the latter, running means are
kept for evaluation. The network learns to turn sequences round.
"""

import numpy as np

import chainrule
from chainrule import Mutable, Parameter, assign


def data(seed):
    """32 sequences of 6 symbols below 10; the answer is the same sequence from its end."""
    ids = np.random.default_rng(seed).integers(10, size=(32, 6))
    return ids, ids[:, ::-1]


def start(size=32):
    draw = np.random.default_rng(0).normal
    shapes = {"symbols": (10, size), "places": (6, size), "qkv": (size, 3 * size), "w": (size, size), "v": (size, 10)}
    return {name: draw(size=shape) * size**-0.5 for name, shape in shapes.items()}


def network(p, running, ids, training):
    x = chainrule.gather(p["symbols"], ids) + p["places"]
    q, k, v = (x @ p["qkv"]).split(x.shape[-1], axis=-1)
    x = x + (q @ k.transpose([0, 2, 1]) * x.shape[-1] ** -0.5).softmax() @ v
    x = (x - x.mean(-1, keepdims=True)) * (x.var(-1, keepdims=True) + 1e-5).rsqrt() @ p["w"]
    mean, variance = (x.mean([0, 1]), x.var([0, 1])) if training else running  # decided when the function is traced
    if training:
        for kept, now in zip(running, [mean, x.var([0, 1], correction=1)], strict=True):
            assign(kept, 0.9 * kept + 0.1 * now)
    return ((x - mean) * (variance + 1e-5).rsqrt()).relu() @ p["v"]


def train(steps=300):
    p = {name: Parameter(array, name=name) for name, array in start().items()}
    running = [Mutable(np.zeros(32), name="mean"), Mutable(np.ones(32), name="variance")]
    optimizer, parameters = chainrule.Adam(0.01), [*p.values()]
    state = optimizer.start(parameters)

    @chainrule.compile
    def step(ids, answers):
        loss = chainrule.nn.cross_entropy(network(p, running, ids, True).reshape(-1, 10), answers.reshape(-1))
        optimizer.step(parameters, chainrule.gradients(loss, parameters), state)
        return loss

    losses = [step(*data(seed)).item() for seed in range(steps)]
    logits = network(p, running, data(steps)[0], False)  # of sequences that are new, eagerly
    return {"losses": losses, "logits": logits.numpy(), **{x.name: x.numpy() for x in [*parameters, *running]}}


if __name__ == "__main__":
    run = train()
    right = (run["logits"].argmax(-1) == data(300)[1]).mean()
    print(f"loss {run['losses'][0]:.3f} to {run['losses'][-1]:.3f}; {right:.0%} of new symbols right")
