"""TextClassifier: a trained learner, from raw text to label."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from chainrule.blocks import softmax
from chainrule.data import Ragged, Table, encode_labels
from chainrule.errors import DataError
from chainrule.graph.spec import FLOAT32, INT64, Array, Spec
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.models.folder import read_folder, write_folder
from chainrule.models.learner import Learner, TextNetwork
from chainrule.nn import summary
from chainrule.random import Key, generator
from chainrule.text import Tokenizer, Vocabulary

if TYPE_CHECKING:
    from chainrule.native.compile import Compiled

Texts = Sequence[str] | pl.Series

#: As many texts as are predicted block by block, unless told otherwise: getting native code ready takes longer.
FEW = 64


class TextClassifier:
    """Labels for texts: a tokenizer, a vocabulary and a network, made and trained together.

    Prediction runs compiled, or block by block on NumPy: with `eager=True`, to look inside, and by itself for up to 64
    texts, which are done before native code is ready. `eager=False` compiles for those too, which pays where a process
    predicts single texts many times. Both give the same probabilities up to rounding.

    Attributes:
        learner: the hyper-parameters it was made with.
        vocabulary: the tokens and n-grams it knows.
        labels: the classes, in the order of the network's outputs.
        network: from ids to logits.
    """

    def __init__(self, learner: Learner, vocabulary: Vocabulary, labels: Sequence[str], network: TextNetwork) -> None:
        self.learner = learner
        self.vocabulary = vocabulary
        self.labels = tuple(labels)
        self.network = network
        self._tokenizer = Tokenizer(lowercase=learner.lowercase)

    def __getstate__(self) -> dict[str, Any]:
        """What a copy takes over; native code belongs to this process and this network."""
        return {name: value for name, value in vars(self).items() if name != "_compiled"}

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute; another network is compiled anew."""
        if name == "network":
            vars(self).pop("_compiled", None)
        super().__setattr__(name, value)

    @classmethod
    def untrained(cls, learner: Learner, table: Table, *, seed: int) -> TextClassifier:
        """A classifier with the vocabulary and the labels of a table, and the initial weights of a seed.

        Raises:
            DataError: for a table without labels, with one label only, or without a single token.
        """
        return cls.prepared(learner, table, seed=seed)[0]

    @classmethod
    def prepared(cls, learner: Learner, table: Table, *, seed: int) -> tuple[TextClassifier, Ragged]:
        """What `untrained` gives, and the bags of ids of the table's texts, which took part in it.

        Raises:
            DataError: as `untrained`.
        """
        labels = table.label_names()
        if len(labels) < 2:
            found = f"only the label {labels[0]!r}" if labels else "no labels"
            raise DataError(f"{table.name}: {found}; a classifier needs examples of at least two labels")
        tokens = Tokenizer(lowercase=learner.lowercase)(table.texts)
        try:
            vocabulary, encoded = Vocabulary.build_and_encode(
                tokens,
                ngrams=learner.ngrams,
                minimum_count=learner.minimum_count,
                minimum_ngram_count=learner.minimum_ngram_count,
                maximum_size=learner.maximum_size,
            )
        except DataError as error:
            raise DataError(f"{table.name}: {error}") from error
        network = learner.network(len(vocabulary), len(labels), generator(seed, "weights"))
        model = cls(learner, vocabulary, labels, network)
        bags = Ragged.concatenate(map(learner.bags, encoded))
        network.prepare(bags)
        return model, bags

    def encode(self, texts: Texts) -> Ragged:
        """The bags of ids that the network reads."""
        portions = self.vocabulary.portions(self._tokenizer(texts))
        return Ragged.concatenate(map(self.learner.bags, portions))

    def encode_labels(self, table: Table) -> Array:
        """The class of each row of a labelled table, int64.

        Raises:
            DataError: for a table without labels, or a label this classifier does not know.
        """
        if table.labels is None:
            raise DataError(f"{table.name}: has no labels; expected a label in each row")
        try:
            return encode_labels(table.labels, self.labels, table.rows)
        except DataError as error:
            raise DataError(f"{table.name}: {error}") from error

    def logits(self, bags: Ragged, key: Key | None = None) -> Tensor:
        """The network's outputs, shape (texts, classes); with a key as in training, without one for evaluation."""
        return self.network(bags.ids, bags.offsets, key=key)

    def predict_probabilities(self, texts: Texts, *, batch_size: int = 512, eager: bool | None = None) -> Array:
        """The probability of each label for each text, float32 of shape (texts, labels), in the order of `labels`.

        Args:
            texts: raw texts.
            batch_size: how many go through the network at once.
            eager: True for block by block, False for compiled, None for what suits the number of texts.

        Example:
            >>> import chainrule
            >>> table = chainrule.Table.from_lists(["good", "fun", "bad", "dull"] * 5, list("ppnn") * 5)
            >>> model = chainrule.fit(chainrule.BagOfWords(epochs=3), table, table).model
            >>> model.predict_probabilities(["good fun"]).argmax(axis=1), model.labels
            (array([1]), ('n', 'p'))
        """
        bags = self.encode(texts)
        return self.probabilities(bags, batch_size=batch_size, eager=len(bags) <= FEW if eager is None else eager)

    def probabilities(self, bags: Ragged, *, batch_size: int = 512, eager: bool = False) -> Array:
        """The probability of each label for each bag of ids, as `predict_probabilities` gives them for texts."""
        equations = self._equations if eager else self._compiled
        pieces = (bags.slice(start, start + batch_size) for start in range(0, len(bags), batch_size))
        parts = [equations(piece.ids, piece.offsets).numpy() for piece in pieces]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.labels)), FLOAT32)

    def predict(self, texts: Texts, *, eager: bool | None = None) -> list[str]:
        """The most probable label of each text; `eager` as in `predict_probabilities`."""
        return [self.labels[i] for i in self.predict_probabilities(texts, eager=eager).argmax(axis=1)]

    def _equations(self, ids: TensorLike, offsets: TensorLike) -> Tensor:
        return softmax(self.network(ids, offsets))

    @functools.cached_property
    def _compiled(self) -> Compiled[Tensor]:
        from chainrule.native.compile import compile  # LLVM loads only when something is compiled

        return compile(self._equations, ragged=True)

    def summary(self) -> str:
        """A table of layers, shapes and parameter counts, for a batch of one text of one token."""
        return summary(self.network, Spec((1,), INT64), Spec((2,), INT64))

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the model to a new folder: see `chainrule.models.folder`.

        Raises:
            StorageError: when the folder exists already, or cannot be written.
        """
        write_folder(folder, self.learner, self.vocabulary, self.labels, self.network)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> TextClassifier:
        """Read a model that `save` wrote, with this version or an earlier one.

        Raises:
            ModelError: when the folder is missing, incomplete, altered, or of a newer version.
        """
        return cls(*read_folder(folder))
