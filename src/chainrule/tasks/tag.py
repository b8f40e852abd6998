"""Tag: a label for each token of a text, such as its part of speech, or whether it is part of a name."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

import chainrule.polars as pl
from chainrule.blocks import argmax, equal, gather, segment_ids, softmax
from chainrule.data import Examples, Ragged, Table
from chainrule.data.chunks import chunks, offsets_of
from chainrule.data.helper import uses_polars
from chainrule.data.layout import TOKEN
from chainrule.dataclasses import dataclass
from chainrule.errors import DataError, shortened
from chainrule.graph.conversion import tensor
from chainrule.graph.spec import Array
from chainrule.graph.tensor import Tensor
from chainrule.nn import cross_entropy
from chainrule.nn.chain import best_paths, chain_log_likelihood, chain_scores
from chainrule.nn.losses import Loss
from chainrule.settings import setting
from chainrule.shown import one_line
from chainrule.tasks import measures
from chainrule.tasks.codec import WEIGHTS, Codec, Fields
from chainrule.tasks.decision import LOG_ODDS, Decision
from chainrule.tasks.entities import kinds_of
from chainrule.tasks.labels import Labels, encode_labels, labels_of, load_label_type, load_labels
from chainrule.tasks.tagging import Tagging
from chainrule.tasks.task import LOSS_WEIGHT, TASKS, Answer, Baseline, Task

#: Tokens whose scores are looked at together.
AT_ONCE = 1 << 16
#: The most tags that pairs are scored of: each token has as many numbers as there are pairs.
MOST_PAIRED = 100


@TASKS.register
@dataclass(frozen=True, kw_only=True)
class Tag(Task):
    """A label for each token of a text, of those that the training rows have.

        pₜ = softmax(zₜ) for each token t;    L = -mean over the tokens of ln pₜ[yₜ]

    With `crf`, tags depend on those before them: zₜ are the scores of tags and of pairs of them, L is minus the
    log-likelihood of the tags of each text (`chain_log_likelihood`), summed and divided by the number of tokens, and
    the answer is the likeliest sequence (Viterbi). With weights of rows, the tokens of a row have its weight.

    Rows are lists of tokens with as many tags. Whole texts may be answered, too; they are split as for other tasks.

    Attributes:
        inputs: what is known of each row.
        crf: whether the score of a tag depends on the tag before it.

    Example:
        >>> import chainrule
        >>> texts, tags = [["a", "red", "car"], ["a", "car"]], [["D", "A", "N"], ["D", "N"]]
        >>> table = chainrule.Table.from_lists(texts * 10, tags * 10)
        >>> training = chainrule.Training(epochs=20, learning_rate=0.01)
        >>> run = chainrule.fit(chainrule.LongShortTermMemory(), table, table, task=Tag(), training=training)
        >>> run.model.predict([["a", "red", "red", "car"]])
        [['D', 'A', 'A', 'N']]

    Sources: Huang, Xu and Yu, Bidirectional LSTM-CRF Models for Sequence Tagging (2015); Ma and Hovy, End-to-end
    Sequence Labeling via Bi-directional LSTM-CNNs-CRF (2016).
    """

    name: ClassVar[str] = "tag"
    pace: ClassVar[float] = 3.0
    answers: ClassVar[str] = TOKEN
    target: ClassVar[str] = "tags"
    watched: ClassVar[tuple[str, ...]] = ("loss", "accuracy", "sentence_accuracy")

    crf: bool = setting(False, "the score of a tag depends on the tag before it (conditional random field)")

    @classmethod
    def unit_gradient(cls, criterion: str | Loss | None) -> bool:  # noqa: ARG003
        """It is the cross-entropy."""
        return True

    @uses_polars
    def learn_targets(self, table: Table) -> tuple[Tags, Fields]:
        """The tags, in ascending order.

        Raises:
            DataError: for fewer than two tags, or for very many with `crf`.
        """
        labels_of(table, pl.List(pl.String))
        names = table.label_names()
        if len(names) < 2:
            found = f"only the tag {shortened(names[0])}" if names else "no tags"
            raise DataError(f"{table.name}: {found}; tagging needs examples of at least two tags")
        if self.crf and len(names) > MOST_PAIRED:
            raise DataError(
                f"{table.name}: {len(names)} tags, and crf scores each pair of them for each token, "
                f"{len(names) ** 2:,} pairs; it takes {MOST_PAIRED} tags at most: leave --crf out"
            )
        tags = self._tags(names, table.label_type)
        return tags, tags.encode(table)

    def load_targets(self, description: Mapping[str, Any]) -> Tags:
        """The tags of a model.

        Raises:
            ModelError: when they are not two or more distinct strings.
        """
        names = load_labels(description, 2)
        return self._tags(names, load_label_type(description, names))

    def _tags(self, names: Sequence[str], label_type: str) -> Tags:
        return Tags(names, chain_scores(len(names)) if self.crf else len(names), label_type)

    def weight(self, batch: Examples) -> int:
        """The number of tokens."""
        return int(batch.lengths.sum())

    def loss(self, outputs: Tensor, batch: Mapping[str, Tensor], codec: Codec) -> tuple[Tensor, dict[str, Tensor]]:
        """The equations above, and how many tokens get the right tag, by the best score of each tag alone."""
        tags, offsets, weights = batch["tags"], batch["offsets"], batch.get(WEIGHTS)
        single = outputs[:, : len(codec.targets.names)]
        sums = {"accuracy": equal(argmax(single, 1).astype(tags.dtype), tags).astype("float32").sum()}
        if self.crf:
            losses = -chain_log_likelihood(outputs, tags, offsets)
        elif weights is None:
            return cross_entropy(outputs, tags), sums
        else:
            losses = cross_entropy(outputs, tags, reduction="none")
        if weights is None:
            return losses.sum() / offsets[-1].astype(
                outputs.dtype
            ), sums  # and not by a number, which batches differ in
        by_token = gather(weights, segment_ids(offsets, outputs))
        total = by_token.sum()
        return (losses * (weights if self.crf else by_token)).sum() / total, {**sums, LOSS_WEIGHT: total}

    def response(self, outputs: Tensor, batch: Mapping[str, Tensor]) -> Tensor:  # noqa: ARG002
        """The probability of each tag; with `crf`, the scores, of which paths are made."""
        return outputs if self.crf else softmax(outputs)

    def certainty(self, responses: Array) -> Array | None:
        """The probability of the likeliest tag of each token; None with `crf`."""
        return None if self.crf else np.asarray(responses.max(axis=1))

    def decision(
        self, codec: Codec, response: Array | None, answer: object = None, against: object = None
    ) -> Decision:  # fmt: skip
        """One tag against another: the difference of their outputs for a token; with `crf`, without those of pairs."""
        names: tuple[str, ...] = codec.targets.names
        single = None if response is None else response[: len(names)]
        chosen, other = codec.targets.compared(single, answer, against)
        decision = Decision.between(names, chosen, other, "difference of outputs" if self.crf else LOG_ODDS)
        pairs = codec.targets.sizes.outputs - len(names)
        return replace(decision, weights=np.append(decision.weights, np.zeros(pairs)))

    def evaluate(self, responses: Array, examples: Examples, codec: Codec) -> Tagging:
        """How well tags fit the true ones."""
        names, truth, offsets = codec.targets.names, _ragged(examples, "tags").ids, _ragged(examples, "tags").offsets
        predicted = self._chosen(responses, offsets)
        kinds, known = kinds_of(names), None
        if kinds is not None:
            held = _ragged(examples, "kinds").ids if "kinds" in examples.fields else kinds[truth]
            known = (held, kinds[predicted])
        loss = self._loss_of(responses, truth, offsets, examples.fields.get(WEIGHTS), len(names))
        return Tagging(names, truth.astype(np.int64), predicted, offsets, loss, known, self.certainty(responses))

    def _chosen(self, responses: Array, offsets: Array) -> Array:
        """The tag of each token."""
        if not self.crf:
            likeliest: Array = responses.argmax(axis=1)
            return likeliest
        return np.concatenate([np.zeros(0, np.int64), *(best_paths(x, y) for x, y, _ in _portions(responses, offsets))])

    def _loss_of(self, responses: Array, truth: Array, offsets: Array, weights: Any, tags: int) -> float:
        """The mean loss of tokens, but for those with unseen tags; with `crf`, of texts that have none of these."""
        lengths, known = np.diff(offsets), truth < tags
        each = np.ones(len(lengths)) if weights is None else weights.astype(np.float64)
        if not self.crf:
            chosen = responses[known, truth[known]]
            if weights is None:
                return measures.log_loss(chosen)
            losses = -np.log(np.maximum(chosen.astype(np.float64), measures.SMALLEST))
            return measures.weighted_mean(losses, np.repeat(each, lengths)[known])
        whole = np.append(0, np.cumsum(~known))
        whole = whole[offsets[1:]] == whole[offsets[:-1]]
        held = np.where(known, truth, 0)
        found = [
            chain_log_likelihood(tensor(x, "float64"), held[rows], y).numpy()
            for x, y, rows in _portions(responses, offsets)
        ]
        losses = 0 - np.concatenate([np.zeros(0), *found])
        counted = (each * lengths)[whole].sum()
        return float((each * losses)[whole].sum() / counted) if counted else float("nan")

    def baselines(self, examples: Examples, codec: Codec) -> tuple[Baseline, ...]:
        """Always the commonest tag; and the share of each tag as its probability, by the loss."""
        names, tags = codec.targets.names, _ragged(examples, "tags").ids
        counts = np.bincount(tags[tags < len(names)], minlength=len(names))
        shares = counts / counts.sum()
        if self.crf:  # the scores of which come these probabilities
            shares = np.append(np.log(np.maximum(shares, measures.SMALLEST)), np.zeros(len(names) ** 2))
        answer = f"always answering {one_line(names[counts.argmax()])!r}, the commonest tag"
        return (
            Baseline(shares.astype(np.float32), answer, "accuracy", higher=True),
            Baseline(shares.astype(np.float32), "answering each tag as often as it is found"),
        )

    def predict(self, responses: Array, examples: Examples, codec: Codec) -> list[Answer]:
        """The tags of each row."""
        offsets = offsets_of(examples.lengths)
        values = codec.targets.values
        chosen = self._chosen(responses, offsets).tolist()
        words = examples.fields.get("words")
        spans = itertools.pairwise(offsets.tolist())
        return [
            TagAnswer(words[row] if isinstance(words, np.ndarray) else None, [values[x] for x in chosen[start:stop]])
            for row, (start, stop) in enumerate(spans)
        ]


@dataclass(frozen=True, eq=False)
class TagAnswer:
    """The tags of a text.

    Attributes:
        tokens: of the text; None where they are not known.
        value: as many tags.
    """

    tokens: Sequence[str] | None
    value: list[Any]

    def json(self, top: int | None = None) -> dict[str, Any]:  # noqa: ARG002
        """The keys are "tokens" and "prediction"."""
        return {**({} if self.tokens is None else {"tokens": list(self.tokens)}), "prediction": self.value}

    def line(self, top: int | None = None) -> str:  # noqa: ARG002
        """Each token with its tag after a slash, with blanks between."""
        if self.tokens is None:
            return one_line(" ".join(map(str, self.value)))
        return " ".join(
            f"{one_line(token)}/{one_line(str(x))}" for token, x in zip(self.tokens, self.value, strict=True)
        )

    def cells(self, top: int | None = None) -> dict[str, Any]:
        """The columns "tokens" and "prediction", of lists."""
        return self.json(top)


class Tags(Labels):
    """The tags there are, in the order of a network's outputs, of which each token has one."""

    @uses_polars
    def encode(self, table: Table) -> Fields:
        """The tag of each token, ragged; see `encode_labels`.

        Where there are unseen tags among tags of entities, "kinds" is what each says (`entities.kinds_of`).

        Raises:
            DataError: for a table without tags, or without one that is among the names.
        """
        lists = labels_of(table, pl.List(pl.String))
        tags = lists.explode().drop_nulls()
        offsets = offsets_of(lists.list.len().to_numpy())
        codes = encode_labels(tags, self.names, table.name) if len(tags) else np.zeros(0, np.int64)
        fields: dict[str, Ragged] = {"tags": Ragged(codes.astype(np.int32), offsets)}
        if (codes >= len(self.names)).any() and kinds_of(self.names) is not None:
            others = tags.unique(maintain_order=True).to_list()
            names = [*self.names, *(name for name in others if name not in self.names)]
            kinds = dict(zip(names, _all_kinds(self.names, names).tolist(), strict=True))
            fields["kinds"] = Ragged(np.array([kinds[x] for x in tags.to_list()], np.int32), offsets)
        return fields


def _all_kinds(known: Sequence[str], names: Sequence[str]) -> Array:
    """What each tag says of entities; those that are no such tags, or of another scheme than what is known, nothing."""
    held = [name if kinds_of([*known, name]) is not None else "O" for name in names]
    kinds = kinds_of(held)
    return np.zeros(len(names), np.int64) if kinds is None else kinds


def _ragged(examples: Examples, name: str) -> Ragged:
    """A ragged field."""
    return examples.fields[name]  # type: ignore[return-value]  # which it is for this task


def _portions(responses: Array, offsets: Array) -> Any:
    """The scores of some texts at a time, their offsets, and which tokens they are."""
    for start, stop in chunks(offsets, AT_ONCE):
        rows = slice(int(offsets[start]), int(offsets[stop]))
        yield responses[rows], offsets[start : stop + 1] - offsets[start], rows
