"""Tasks for accelerators: sizes, first weights and mini-batches, the same for every system.

A system is a module beside this one, `accelerated_<system>.py`, whose `make(task, case, variant)` gives `run(steps)`,
which trains so many steps, waits for the device and gives the last loss.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

LEARNING_RATE, BETA1, BETA2, EPSILON = 1e-4, 0.9, 0.999, 1e-8


@dataclass(frozen=True)
class Batch:
    """Texts one after another: the ids of their tokens, where each begins and the last ends, and their classes."""

    ids: np.ndarray
    offsets: np.ndarray
    classes: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Of the texts."""
        return np.diff(self.offsets)


@dataclass(frozen=True)
class Texts:
    """What all tasks over texts share.

    Attributes:
        texts: a mini-batch has.
        longest: tokens of a text, and of each where they are equal; real lengths are 20 to 100 % of it.
        vocabulary: rows of the table.
        classes: there are.
        batches: mini-batches, used in turn.
        rate: of dropout.
    """

    texts: int = 32
    longest: int = 512
    vocabulary: int = 30_000
    classes: int = 10
    batches: int = 8
    rate: float = 0.1

    def data(self, case: str, *, alike: bool = False) -> list[Batch]:
        """The mini-batches, "equal" or "real".

        Where they are to be alike, texts are sorted by length before they are cut into mini-batches, as those do who
        pad.
        """
        draws = np.random.default_rng(1)
        count = self.texts * self.batches
        lengths = np.full(count, self.longest)
        if case == "real":
            lengths = draws.integers(self.longest // 5, self.longest + 1, count)
        classes = draws.integers(0, self.classes, count)
        texts = np.split(draws.zipf(1.3, lengths.sum()) % self.vocabulary, np.cumsum(lengths)[:-1])
        order = np.argsort(lengths, kind="stable") if alike else np.arange(count)
        found = []
        for start in range(0, count, self.texts):
            rows = order[start : start + self.texts]
            offsets = np.concatenate([[0], np.cumsum(lengths[rows])])
            found.append(Batch(np.concatenate([texts[row] for row in rows]), offsets, classes[rows]))
        return found


@dataclass(frozen=True)
class Encoder(Texts):
    """Embeddings → layers, norms first → norm → mean of a text → classes, Adam with the semantics of a dense table."""

    size: int = 512
    heads: int = 8
    inner: int = 2048
    layers: int = 6

    @property
    def title(self) -> str:
        """For the table."""
        return (
            f"transformer encoder, {self.layers} layers, {self.size} wide, {self.heads} heads, {self.inner} inside, "
            f"{self.vocabulary:,} × {self.size} embeddings, {self.texts} texts of {self.longest} tokens at most"
        )

    def weights(self) -> dict[str, np.ndarray]:
        """By name; a matrix is (inputs, outputs)."""
        draws = np.random.default_rng(0)
        matrices = {"table": (self.vocabulary, self.size)}
        for number in range(self.layers):
            matrices |= {
                f"{number}.mix": (self.size, 3 * self.size), f"{number}.mixed": (self.size, self.size),
                f"{number}.inward": (self.size, self.inner), f"{number}.outward": (self.inner, self.size),
            }  # fmt: skip
        matrices["classes"] = (self.size, self.classes)
        return {name: normal(draws, *shape) for name, shape in matrices.items()}

    def operations(self, case: str) -> float:
        """Multiplications and additions of matrix products that a step needs, backward too; none for padding."""
        batches = self.data(case)
        tokens = sum(len(batch.ids) for batch in batches) / len(batches)
        pairs = sum(int((batch.lengths.astype(np.int64) ** 2).sum()) for batch in batches) / len(batches)
        per_layer = self.size * (4 * self.size + 2 * self.inner)
        return self.layers * (6.0 * tokens * per_layer + 12.0 * self.size * pairs)


@dataclass(frozen=True)
class Recurrent(Texts):
    """Numbers of each token → LSTM → mean of a text → classes, Adam."""

    inputs: int = 100
    hidden: int = 128

    @property
    def title(self) -> str:
        """For the table."""
        return f"LSTM, {self.inputs} → {self.hidden}, {self.texts} texts of {self.longest} tokens at most"

    def weights(self) -> dict[str, np.ndarray]:
        """By name."""
        draws = np.random.default_rng(0)
        gates = 4 * self.hidden
        return {
            "input": normal(draws, self.inputs, gates), "state": normal(draws, self.hidden, gates),
            "classes": normal(draws, self.hidden, self.classes),
        }  # fmt: skip

    def tokens(self, batch: Batch) -> np.ndarray:
        """The numbers of the tokens of a mini-batch."""
        return np.random.default_rng(2).standard_normal((len(batch.ids), self.inputs), np.float32)

    def operations(self, case: str) -> float:
        """As of the encoder."""
        batches = self.data(case)
        tokens = sum(len(batch.ids) for batch in batches) / len(batches)
        return 6.0 * tokens * 4 * self.hidden * (self.inputs + self.hidden)


@dataclass(frozen=True)
class Bags(Texts):
    """Mean of embeddings → ReLU → dropout → classes, Adam with the semantics of a dense table."""

    size: int = 100
    hidden: int = 128

    @property
    def title(self) -> str:
        """For the table."""
        return (
            f"text classifier, {self.vocabulary:,} × {self.size} embeddings → {self.hidden} → {self.classes}, "
            f"{self.texts} texts of {self.longest} tokens"
        )

    def weights(self) -> dict[str, np.ndarray]:
        """By name."""
        draws = np.random.default_rng(0)
        shapes = {
            "table": (self.vocabulary, self.size), "hidden": (self.size, self.hidden),
            "classes": (self.hidden, self.classes),
        }  # fmt: skip
        return {name: normal(draws, *shape) for name, shape in shapes.items()}

    def operations(self, case: str) -> float:  # noqa: ARG002 - the same for all
        """As of the encoder."""
        return 6.0 * self.texts * self.hidden * (self.size + self.classes)


def normal(draws: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """A matrix that keeps the size of what it multiplies."""
    return draws.standard_normal((rows, columns), np.float32) * np.float32(rows**-0.5 if rows < 10_000 else 1.0)


def without_dropout(task: Texts) -> Texts:
    """The same task for comparing losses."""
    return dataclasses.replace(task, rate=0.0)


def tasks(device: bool) -> dict[str, Texts]:
    """What is measured, by name: on a device, and smaller on processor cores."""
    if device:
        return {
            "transformer": Encoder(),
            "lstm": Recurrent(texts=64, longest=50, rate=0.0),
            "wide lstm": Recurrent(texts=128, longest=100, rate=0.0, inputs=512, hidden=1024),
            "classifier": Bags(texts=64, longest=64, vocabulary=1_000_000, batches=50, rate=0.3),
            "table 50,000": Bags(texts=64, longest=64, vocabulary=50_000, batches=50, rate=0.3),
            "table 500,000": Bags(texts=64, longest=64, vocabulary=500_000, batches=50, rate=0.3),
        }
    return {
        "transformer": Encoder(texts=8, longest=64, vocabulary=2_000, size=64, heads=4, inner=256, layers=2, batches=4),
        "lstm": Recurrent(texts=16, longest=30, rate=0.0, batches=4, inputs=50, hidden=64),
        "classifier": Bags(texts=64, longest=64, vocabulary=100_000, batches=50, rate=0.3),
        "table 50,000": Bags(texts=64, longest=64, vocabulary=50_000, batches=50, rate=0.3),
        "table 500,000": Bags(texts=64, longest=64, vocabulary=500_000, batches=50, rate=0.3),
    }
