"""A long short-term memory on packed texts of different lengths (Hochreiter and Schmidhuber, 1997; Gers et al., 2000).

    i, f, g, o = x W + h U + b,   c ← σ(f) c + σ(i) tanh(g),   h ← σ(o) tanh(c)

It is to remember the first symbol of a text until its end. The texts are packed, the longest first: all first symbols,
then all second ones, and so on. A text that has ended leaves the batch, and there is no padding to mask.
"""

import numpy as np

import chainrule
from chainrule import Parameter, sigmoid, tanh
from chainrule.nn import cross_entropy


def data():
    """60 texts of 2 to 7 symbols below 4: the packed symbols, how many texts have each place, and the classes."""
    generator = np.random.default_rng(0)
    texts = sorted((generator.integers(4, size=n) for n in generator.integers(2, 8, size=60)), key=len, reverse=True)
    counts = [sum(len(text) > place for text in texts) for place in range(len(texts[0]))]
    packed = np.concatenate([[text[place] for text in texts[:n]] for place, n in enumerate(counts)])
    return packed, counts, np.array([text[0] for text in texts])


def start(size=16):
    generator = np.random.default_rng(0)
    shapes = {"embedding": (4, size), "w": (size, 4 * size), "u": (size, 4 * size), "b": (4 * size,), "v": (size, 4)}
    return {name: generator.uniform(-1, 1, size=shape) * size**-0.5 for name, shape in shapes.items()}


def last_states(x, counts, u):
    """The state at the end of each text; x holds the packed products with W, made for all places at once."""
    h = c = chainrule.zeros((counts[0], u.shape[0]))
    ended = []
    for n, arriving in zip(counts, x.split(counts), strict=True):
        ended.append(h[n:])
        i, f, g, o = (arriving + h[:n] @ u).split(u.shape[0], axis=1)
        c = sigmoid(f) * c[:n] + sigmoid(i) * tanh(g)
        h = sigmoid(o) * tanh(c)
    return chainrule.concatenate([h, *reversed(ended)])


def train(steps=150):
    p = {name: Parameter(array, name=name) for name, array in start().items()}
    optimizer, (ids, counts, classes) = chainrule.Adam(0.02), data()
    state = optimizer.start([*p.values()])

    @chainrule.compile
    def step(ids, classes):
        x = chainrule.gather(p["embedding"], ids) @ p["w"] + p["b"]
        loss = cross_entropy(last_states(x, counts, p["u"]) @ p["v"], classes)
        optimizer.step([*p.values()], chainrule.gradients(loss, [*p.values()]), state)
        return loss

    return {"losses": [step(ids, classes).item() for _ in range(steps)], **{name: x.numpy() for name, x in p.items()}}


if __name__ == "__main__":
    print("loss: " + ", ".join(f"{loss:.3f}" for loss in train()["losses"][::25]))
