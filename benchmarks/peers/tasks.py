"""Tasks: a network, its first weights and its mini-batches, the same for every system."""

from dataclasses import dataclass

import numpy as np

LEARNING_RATE, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-8


@dataclass(frozen=True)
class Task:
    """Linear layers with ReLU between them, cross-entropy, Adam; with a vocabulary, over the mean of embeddings.

    Attributes:
        name: for the table.
        sizes: of the layers, from the input (or the embeddings) to the classes.
        batch: examples a step.
        batches: mini-batches, used in turn.
        vocabulary: rows of the embedding table; 0 for none, the inputs being numbers then.
        tokens: a text has.
        rate: of the dropout after each ReLU.
        threads: that a system may use.
    """

    name: str
    sizes: tuple[int, ...]
    batch: int
    batches: int
    vocabulary: int = 0
    tokens: int = 0
    rate: float = 0.0
    threads: int = 1

    def weights(self) -> list[np.ndarray]:
        """The table, if there is one, then the weight, (inputs, outputs), and the bias of each layer."""
        generator = np.random.default_rng(0)
        drawn = [self._normal(generator, self.vocabulary, self.sizes[0])] if self.vocabulary else []
        for inputs, outputs in zip(self.sizes, self.sizes[1:], strict=False):
            drawn += [self._normal(generator, inputs, outputs), np.zeros(outputs, np.float32)]
        return drawn

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """The inputs, (batches, batch, tokens) ids or (batches, batch, inputs) numbers, and the classes.

        Ids follow Zipf's law with exponent 1.3; what lies beyond the vocabulary is wrapped around, so that rare words
        are there too.
        """
        generator = np.random.default_rng(1)
        classes = generator.integers(0, self.sizes[-1], (self.batches, self.batch))
        if not self.vocabulary:
            shape = (self.batches, self.batch, self.sizes[0])
            return generator.standard_normal(shape, np.float32), classes
        return generator.zipf(1.3, (self.batches, self.batch, self.tokens)) % self.vocabulary, classes

    @staticmethod
    def _normal(generator: np.random.Generator, rows: int, columns: int) -> np.ndarray:
        return generator.standard_normal((rows, columns), np.float32) * np.float32(columns**-0.5)


def classifier(vocabulary: int, hidden: int = 128, threads: int = 1, dim: int = 100) -> Task:
    """Mean of embeddings → hidden → ReLU → dropout → 10 classes; 64 texts of 64 tokens."""
    name = f"text classifier, {vocabulary:,} × {dim} embeddings → {hidden} → 10, 64 texts of 64 tokens"
    return Task(name, (dim, hidden, 10), 64, 200, vocabulary, 64, 0.3, threads)


def perceptron(sizes: tuple[int, ...], batch: int, threads: int = 1) -> Task:
    """A multi-layer perceptron."""
    return Task(f"MLP {' → '.join(map(str, sizes))}, batch {batch}", sizes, batch, 50, threads=threads)
