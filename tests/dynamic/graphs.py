"""Random graphs: what `chainrule.batched` gives for many is what the function gives for one at a time.

An example is a list of instructions, each of which reads what earlier ones gave. There are leaves of data and of a
table, layers, cells of one output and of two, blocks by themselves with shared parameters on either side, slices at
different places, reductions, comparisons, and infinities; some of these are read by no gradient, beside finite numbers
of the same operation that one reaches.
"""

import numpy as np

import chainrule
from chainrule.nn import Embedding, Linear

SIZE, WORDS = 4, 7


class Network:
    """Parameters, and the meaning of instructions over them."""

    def __init__(self, seed):
        generator = np.random.default_rng(seed)
        self.words = Embedding(WORDS, SIZE, generator=generator, dtype="float64")
        self.linear = Linear(SIZE, SIZE, generator=generator, dtype="float64")
        self.joint = Linear(2 * SIZE, 2 * SIZE, generator=generator, dtype="float64")
        self.matrix = chainrule.Parameter.of(generator.normal(size=(SIZE, SIZE)) * 0.5, dtype="float64")
        self.vector = chainrule.Parameter.of(generator.normal(size=SIZE), dtype="float64")
        layers = self.words, self.linear, self.joint
        self.parameters = [*(x for layer in layers for x in layer.parameters()), self.matrix, self.vector]

        @chainrule.cell
        def join(left, right):
            return chainrule.tanh(self.joint(chainrule.concatenate([left, right])))[:SIZE]

        @chainrule.cell
        def gated(left, right, scale):
            both = self.joint(chainrule.concatenate([left, right]))
            return chainrule.sigmoid(both[:SIZE]) * left * scale, chainrule.tanh(both[SIZE:] + right)

        @chainrule.cell
        def apart(x, scale):
            return chainrule.tanh(self.linear(x)), chainrule.exp(x * scale + self.vector)

        self.join, self.gated, self.apart = join, gated, apart

    def __call__(self, instructions):
        """The last result, and the sum of all that nothing read."""
        found, read = [], set()
        for name, *places in instructions:
            if name in ("word", "data"):
                found.append(self.leaf(name, places))
                continue
            read.update(places[: 2 if name in TWO else 1])
            found.append(self.result(name, [found[i] for i in places[: 2 if name in TWO else 1]], places))
        total = found[-1]
        for i, x in enumerate(found[:-1]):
            if i not in read:
                total = total + x
        return total, (total * self.vector).sum()

    def leaf(self, name, places):
        """A row of the table, or numbers of the example's own."""
        return self.words(places[0]) if name == "word" else chainrule.tensor(np.array(places[0]), dtype="float64")

    def result(self, name, given, places):
        """What an instruction gives."""
        x, y = given[0], given[-1]
        if name == "join":
            return self.join(x, y)
        if name == "gated":
            first, second = self.gated(x, y, 0.5 + places[2])
            return first - second
        if name == "apart":
            return self.unread(x, y, places[2])
        if name == "linear":
            return chainrule.tanh(self.linear(x))
        if name == "left":
            return chainrule.tanh(self.matrix @ x)
        if name == "right":
            return chainrule.tanh(x @ (self.matrix.T * 2)) + self.vector
        if name == "slice":
            start = places[1]
            return chainrule.concatenate([x[start : start + 2], x[SIZE - 2 :]])
        if name == "swap":
            return x.reshape(2, 2).T.reshape(SIZE)
        if name == "sum":
            return x * 0.3 + (x * y).sum()
        if name == "largest":
            return chainrule.maximum(x, y.max())
        if name == "where":
            return chainrule.where(x > y, x, self.vector)
        if name == "infinite":  # beyond all numbers where x is above 0, and back again
            return chainrule.minimum(chainrule.where(x > 0, np.inf, x), y)
        return x + y

    def unread(self, x, y, read):
        """Of numbers that are infinite where no gradient reaches them, and finite where one does."""
        if read == 0:  # one of two outputs
            return self.apart(x, LARGE)[0] + y
        if read == 1:  # the other one for a comparison alone
            first, second = self.apart(x, LARGE)
            return chainrule.where(second > 1, first, y)
        if read == 2:  # both
            first, second = self.apart(chainrule.tanh(x), 0.1)
            return first + 0.1 * second + y
        if read == 3:  # one output, for a comparison
            return chainrule.where(chainrule.exp(x * LARGE) > 1, self.vector, y)
        return chainrule.exp(chainrule.tanh(x) * 0.1) + y


LARGE = 1e4
TWO = "join", "gated", "sum", "largest", "where", "infinite", "add", "apart"
ONE = "linear", "left", "right", "slice", "swap"


def draw(generator, most=12):
    """An example."""
    instructions = []
    for number in range(int(generator.integers(2, most))):
        if number < 2 or generator.random() < 0.3:
            word = "word", int(generator.integers(WORDS))
            data = "data", tuple(generator.normal(size=SIZE).tolist())
            instructions.append(word if generator.random() < 0.5 else data)
            continue
        name = str(generator.choice(TWO + ONE))
        places = generator.integers(0, number, 2).tolist()
        if name == "slice":
            places[1] = int(generator.integers(0, 3))
        if name == "apart":
            places.append(int(generator.integers(0, 5)))
        instructions.append((name, *places, number / 8) if name == "gated" else (name, *places))
    return tuple(instructions)


def one_by_one(network, examples):
    """Results, and the gradients of a sum over them."""
    found = [network(x) for x in examples]
    loss = sum((x[1] for x in found[1:]), found[0][1])
    return [np.stack([x[i].numpy() for x in found]) for i in (0, 1)], gradients(loss, network)


def gradients(loss, network):
    """Those of all parameters, with zeros for parameters that have no part."""
    return chainrule.grad(loss, network.parameters, unused="zeros")


def check(network, examples, batched):
    """Compare a batch with its examples one by one."""
    found = batched(examples)
    results, expected = one_by_one(network, examples)
    for x, y in zip(found[:2], results, strict=True):
        np.testing.assert_allclose(x.numpy(), y, rtol=1e-6, atol=1e-6)
    for x, y in zip(found[2:], expected, strict=True):
        np.testing.assert_allclose(x.numpy(), y.numpy(), rtol=1e-6, atol=1e-6)


def batched_with_gradients(network, engine):
    """The function of many, which gives results and gradients."""

    def then(results, values):
        return [results, values, *gradients(values.sum(), network)]

    return chainrule.batched(network, then=then, engine=engine, threads=1)
