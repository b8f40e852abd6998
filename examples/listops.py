"""ListOps: a TreeLSTM, which follows the brackets, beside an LSTM, which reads from left to right.

    python examples/listops.py [--train 20000] [--epochs 8] [--seed 0]

An expression such as [MAX 2 9 [MIN 4 7 ] 0 ] has a digit as its value, here 9. The data are drawn from the grammar
of Nangia and Bowman, ListOps: A Diagnostic Dataset for Latent Tree Learning (2018): MAX, MIN, MED (the median, rounded
down) and SM (the sum modulo 10) of 2 to 5 arguments, each of which is a digit or an expression again. To know the
value, one has to follow the structure. Both networks have states of 128 numbers, the same training and the same data.

The TreeLSTM is plain recursion over one expression, and `chainrule.batched` takes 64 of them at the same time.
"""

import argparse
import statistics
import time

import numpy as np

import chainrule
from chainrule.nn import LSTM, Embedding, Linear, TreeLSTM, cross_entropy

OPERATIONS = {
    "MAX": max,
    "MIN": min,
    "MED": lambda values: int(statistics.median(values)),
    "SM": lambda values: sum(values) % 10,
}
TOKENS = {token: number for number, token in enumerate([*map(str, range(10)), *OPERATIONS, "]"])}
MOST_ARGUMENTS, MOST_DEPTH, NESTED, SHORTEST, LONGEST = 5, 6, 0.3, 10, 60
HIDDEN, BATCH, LEARNING_RATE = 128, 64, 1e-3


def expression(draws, depth=1):
    """An expression: a digit, or an operation and its arguments."""
    if depth > 1 and (depth > MOST_DEPTH or draws.random() > NESTED):
        return int(draws.integers(10))
    count = int(draws.integers(2, MOST_ARGUMENTS + 1))
    return (str(draws.choice(list(OPERATIONS))), *(expression(draws, depth + 1) for _ in range(count)))


def value(node):
    """What an expression is."""
    return node if isinstance(node, int) else OPERATIONS[node[0]]([value(x) for x in node[1:]])


def tokens(node):
    """An expression as it is written: the numbers of its tokens."""
    if isinstance(node, int):
        return [TOKENS[str(node)]]
    return [TOKENS[node[0]], *(token for x in node[1:] for token in tokens(x)), TOKENS["]"]]


def data(count, draws):
    """Different expressions of `SHORTEST` to `LONGEST` tokens, with their values."""
    found = {}
    while len(found) < count:
        drawn = expression(draws)
        if SHORTEST <= len(tokens(drawn)) <= LONGEST:
            found[drawn] = value(drawn)
    return list(found.items())


class Learner:
    """What both networks have: the vectors of tokens, the map to digits, and a step of training."""

    def __init__(self, encoder, generator):
        self.words = Embedding(len(TOKENS), HIDDEN, generator=generator)
        self.encoder, self.output = encoder, Linear(HIDDEN, 10, generator=generator)
        layers = self.words, encoder, self.output
        self.parameters = [x for layer in layers for x in layer.parameters()]
        self.optimizer = chainrule.Adam(LEARNING_RATE)
        self.state = self.optimizer.start(self.parameters)

    def learn(self, logits, answers):
        """One step."""
        loss = cross_entropy(logits, answers)
        found = chainrule.gradients(loss, self.parameters, unused="zeros")  # a node with children has no token here
        self.optimizer.step(self.parameters, found, self.state)
        return loss


class Tree(Learner):
    """The TreeLSTM: an operation takes its arguments one by one, and then stands for its value."""

    def __init__(self, generator):
        super().__init__(TreeLSTM(HIDDEN, HIDDEN, generator=generator), generator)
        self.step = chainrule.batched(self.network, then=self.learn)
        self.answers = chainrule.batched(self.network)

    def state_of(self, node):
        """The state of an expression."""
        if isinstance(node, int):
            return self.encoder(self.words(TOKENS[str(node)]))
        state = self.encoder(self.words(TOKENS[node[0]]))
        for argument in node[1:]:
            state = self.encoder(None, state, self.state_of(argument))
        return state

    def network(self, example):
        """The logits of an expression, and its value."""
        h, _ = self.state_of(example[0])
        return self.output(h), example[1]

    def predict(self, examples):
        """The digits that are likeliest."""
        return self.answers(examples)[0].numpy().argmax(1)


class Sequence(Learner):
    """The LSTM over the tokens."""

    def __init__(self, generator):
        super().__init__(LSTM(HIDDEN, HIDDEN, generator=generator), generator)
        self._step = chainrule.compile(
            lambda ids, offsets, answers: self.learn(self.logits(ids, offsets), answers), ragged=True
        )
        self._answers = chainrule.compile(self.logits, ragged=True)

    def logits(self, ids, offsets):
        """The logits of texts."""
        _, (h, _) = self.encoder(self.words(ids), offsets)
        return self.output(h)

    @staticmethod
    def flat(examples):
        """All tokens, one text after the other, and where each begins."""
        texts = [tokens(node) for node, _ in examples]
        return np.concatenate(texts), np.concatenate([[0], np.cumsum([len(x) for x in texts])])

    def step(self, examples):
        """One step of training."""
        return self._step(*self.flat(examples), np.array([answer for _, answer in examples]))

    def predict(self, examples):
        """The digits that are likeliest."""
        return self._answers(*self.flat(examples)).numpy().argmax(1)


def accuracy(learner, examples):
    """The share of expressions whose value is right."""
    parts = [examples[first : first + 256] for first in range(0, len(examples), 256)]
    right = [learner.predict(part) == np.array([answer for _, answer in part]) for part in parts]
    return float(np.concatenate(right).mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=int, default=20_000, help="expressions to learn from (default: %(default)s)")
    parser.add_argument("--test", type=int, default=2_000, help="expressions to test on (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=8, help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of data and networks (default: %(default)s)")
    arguments = parser.parse_args()
    every = data(arguments.train + arguments.test, np.random.default_rng(arguments.seed))
    train, test = every[: arguments.train], every[arguments.train :]
    lengths = [len(tokens(node)) for node, _ in train]
    print(f"{len(train)} expressions of {statistics.mean(lengths):.1f} tokens on average; for example {test[0]}")
    found = {}
    for kind in (Tree, Sequence):
        learner, draws = kind(np.random.default_rng(arguments.seed)), np.random.default_rng(arguments.seed)
        for epoch in range(1, arguments.epochs + 1):
            started = time.perf_counter()
            order = draws.permutation(len(train)).tolist()
            losses = [
                learner.step([train[i] for i in order[first : first + BATCH]]).item()
                for first in range(0, len(order), BATCH)
            ]
            found[kind.__name__] = accuracy(learner, test)
            print(
                f"{kind.__name__.lower()}: epoch {epoch}, loss {statistics.mean(losses):.3f}, "
                f"test accuracy {found[kind.__name__]:.1%}, {time.perf_counter() - started:.0f} s",
                flush=True,
            )
    print(f"the tree is {100 * (found['Tree'] - found['Sequence']):.1f} points ahead")


if __name__ == "__main__":
    main()
