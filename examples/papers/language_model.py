"""A neural language model whose input and output share one table (Bengio et al., 2003; Press and Wolf, 2017).

    h = tanh([E[c₁], ... E[c₇]] W + b),   P(next character) = softmax(h U Eᵀ + a)

Tying: E is used twice; its gradient is the sum of both. Groups: matrices decay, biases do not, E learns more slowly.
"""

import numpy as np

import chainrule
from chainrule import Adam, AdamW, Parameter
from chainrule.nn import cross_entropy

TEXT = "the cat sat on the mat. the dog sat on the log. the cat ran to the dog. the dog ran to the mat. " * 4
LETTERS = sorted(set(TEXT))


def data(width=7):
    """For each place in the text, the characters before it, and the one that is there."""
    ids = np.array([LETTERS.index(letter) for letter in TEXT])
    return np.lib.stride_tricks.sliding_window_view(ids[:-1], width), ids[width:]


def start(size=8, hidden=32):
    generator = np.random.default_rng(0)
    shapes = {"table": (len(LETTERS), size), "w": (7 * size, hidden), "u": (hidden, size)}
    drawn = {name: generator.normal(size=shape) * shape[0] ** -0.5 for name, shape in shapes.items()}
    return {**drawn, "b": np.zeros(hidden), "a": np.zeros(len(LETTERS))}


def logits(p, before):
    read = chainrule.gather(p["table"], before).reshape(before.shape[0], -1)
    return chainrule.tanh(read @ p["w"] + p["b"]) @ p["u"] @ p["table"].T + p["a"]


def train(steps=150):
    p = {name: Parameter(array, name=name) for name, array in start().items()}
    optimizers = AdamW(0.01, weight_decay=0.01), AdamW(0.03, weight_decay=0.1), Adam(0.03)
    groups = [p["table"]], [p["w"], p["u"]], [p["b"], p["a"]]
    states = [optimizer.start(group) for optimizer, group in zip(optimizers, groups, strict=True)]

    @chainrule.compile
    def step(before, following):
        loss = cross_entropy(logits(p, before), following)
        found = chainrule.grad(loss, p)  # by name, as p is a dictionary
        for optimizer, group, state in zip(optimizers, groups, states, strict=True):
            optimizer.step(group, [found[x.name] for x in group], state)
        return loss

    losses = [step(*data()).item() for _ in range(steps)]
    return {"losses": losses, **{name: x.numpy() for name, x in p.items()}}


if __name__ == "__main__":
    run, text = train(), "the cat"
    while len(text) < 60:
        text += LETTERS[logits(run, np.array([[LETTERS.index(letter) for letter in text[-7:]]])).argmax().item()]
    print(f"loss {run['losses'][0]:.3f} to {run['losses'][-1]:.3f}; {text}")
