"""Sequence to sequence: one recurrent network reads a text, and another writes one, looking back at what was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from chainrule.blocks import attend, attend_additively, concatenate, matmul, reshape, segment_shift, tanh, transpose
from chainrule.data.layout import PAIRS, SEQUENCE, Layout, Sizes
from chainrule.dataclasses import dataclass
from chainrule.graph.conversion import as_tensors
from chainrule.graph.leaves import Parameter
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.models.learner import LEARNERS, Learner, Network
from chainrule.models.sequence import dropped
from chainrule.nn import GRU, LSTM, Bidirectional, Dropout, Embedding, Linear, TextDropout, XavierUniform
from chainrule.nn.recurrent import Recurrent
from chainrule.random import Key
from chainrule.settings import setting

CELLS: Mapping[str, type[Recurrent]] = {"lstm": LSTM, "gru": GRU}
LUONG, BAHDANAU, NONE = ATTENTIONS = ("luong", "bahdanau", "none")


class EncoderDecoder(Network):
    """p(yₜ | y₁ … yₜ₋₁, x) from the states of two recurrent networks, of which one reads x and the other writes y.

        m = encoder(E[x]),    hₜ = decoder(F[yₜ₋₁], hₜ₋₁),    h₀ = tanh(last state of the encoder W + b)
        cₜ = Σⱼ softmaxⱼ(hₜ · (mⱼ A)) mⱼ,    aₜ = tanh([hₜ; cₜ] C + c),    outputs = aₜ O + o

    By Bahdanau's score the softmax is that of w · tanh(hₜ B + b' + mⱼ A). Without attention there is no cₜ. Before the
    first unit stands the end, as of another text: y₀ = 0.

    Attributes:
        source: E.
        target: F.
        encoder: layers that read.
        bridges: from the last states of a layer that reads to the first ones of one that writes.
        decoder: layers that write.
        keys: A; None without attention.
        queries, score: B and b', and w; None but for Bahdanau's score.
        combine: C and c.
        output: O; None where it is F transposed.
        bias: o.
        dropout: of embeddings, of states between layers and of what outputs are made of.
        state_dropout: of states, before they are mapped to the next ones.
        memories: how many of the arrays of `start` have a row a unit that was read, and not a row a text.
    """

    source: Embedding
    target: Embedding
    encoder: list[Recurrent | Bidirectional]
    bridges: list[list[Linear]]
    decoder: list[Recurrent]
    keys: Linear | None
    queries: Linear | None
    score: Parameter | None
    combine: Linear
    output: Linear | None
    bias: Parameter
    dropout: Dropout | TextDropout
    state_dropout: TextDropout

    def __init__(self, learner: SequenceToSequence, sizes: Sizes, generator: np.random.Generator) -> None:
        cell, size, read = CELLS[learner.cell], learner.size, learner.size * (2 if learner.bidirectional else 1)
        suited = XavierUniform(gain=1.0)
        self.dropout = TextDropout(learner.dropout) if learner.variational else Dropout(learner.dropout)
        self.state_dropout = TextDropout(learner.recurrent_dropout)
        self.source = Embedding(sizes.entries, learner.dim, generator=generator)
        self.target = Embedding(sizes.outputs, learner.dim, generator=generator)
        self.encoder, self.decoder, self.bridges = [], [], []
        for number in range(learner.layers):
            inputs = read if number else learner.dim
            layer = cell(inputs, size, generator=generator)
            if learner.bidirectional:
                backward = cell(inputs, size, backwards=True, generator=generator)
                self.encoder.append(Bidirectional(layer, backward))
            else:
                self.encoder.append(layer)
        for number in range(learner.layers):
            self.decoder.append(cell(size if number else learner.dim, size, generator=generator))
            self.bridges.append(
                [Linear(read, size, generator=generator, initializer=suited) for _ in range(cell.states)]
            )
        attentive = learner.attention != NONE
        self.keys = Linear(read, size, with_bias=False, generator=generator, initializer=suited) if attentive else None
        self.queries = self.score = None
        if learner.attention == BAHDANAU:
            self.queries = Linear(size, size, generator=generator, initializer=suited)
            drawn = suited((size, 1), generator, np.dtype("float32"))[:, 0]
            self.score = Parameter.of(drawn, name="score", dtype="float32")
        width = learner.dim if learner.tie_embeddings else size
        seen = size + (read if attentive else 0)
        self.combine = Linear(seen, width, generator=generator, initializer=suited)
        self.output = None
        if not learner.tie_embeddings:
            self.output = Linear(width, sizes.outputs, with_bias=False, generator=generator, initializer=suited)
        self.bias = Parameter.of(np.zeros(sizes.outputs), name="bias", dtype="float32")

    @property
    def memories(self) -> int:
        """How many arrays of `start` have a row a unit."""
        return 0 if self.keys is None else 2

    def __call__(  # type: ignore[override]
        self,
        ids: TensorLike,
        offsets: TensorLike,
        target_ids: TensorLike,
        target_offsets: TensorLike,
        *,
        key: Key | None = None,
    ) -> Tensor:
        """The outputs for each unit of the texts to be written, all before it being given: shape (units, outputs)."""
        ids, offsets, target_ids, target_offsets = as_tensors([ids, offsets, target_ids, target_offsets])
        memory, states = self._read(ids, offsets, key)
        x = self.target(segment_shift(target_ids, target_offsets, -1))
        x = dropped(self.dropout, x, target_offsets, key and key.at(1))
        for number, (layer, first) in enumerate(zip(self.decoder, states, strict=True)):
            if number:
                x = dropped(self.dropout, x, target_offsets, key and key.at(100 + number))
            mask = self._state_mask(x, layer.hidden, target_offsets, key and key.at(2000 + number))
            x, _ = layer(x, target_offsets, first, state_mask=mask)
        return self._outputs(x, target_offsets, offsets, memory, key and key.at(2))

    def start(self, ids: Tensor, offsets: Tensor) -> list[Tensor]:
        """What is known of texts before the first unit is written: the memory of each, and the states."""
        memory, states = self._read(ids, offsets, None)
        return [*memory, *(state for layer in states for state in layer)]

    def step(self, last: Tensor, row_offsets: Tensor, offsets: Tensor, *held: Tensor) -> list[Tensor]:
        """The outputs for the next unit of each row, and the states after it.

        Args:
            last: the unit before it, shape (rows,); 0 at the beginning.
            row_offsets: where the rows of each text that was read begin, and the last ones end.
            offsets: the same of the units that were read.
            held: the memory, and the states of the rows.
        """
        memory, rest = held[: self.memories], iter(held[self.memories :])
        x = self.target(last)
        states: list[Tensor] = []
        for layer in self.decoder:
            x, after = layer.advance(x, [next(rest) for _ in range(layer.states)])
            states += after
        return [self._outputs(x, row_offsets, offsets, memory, None), *states]

    def _read(self, ids: Tensor, offsets: Tensor, key: Key | None) -> tuple[Sequence[Tensor], list[list[Tensor]]]:
        """The keys and values of what was read, and the first states of the layers that write."""
        x = dropped(self.dropout, self.source(ids), offsets, key and key.at(0))
        states = []
        for number, (layer, bridges) in enumerate(zip(self.encoder, self.bridges, strict=True)):
            if number:
                x = dropped(self.dropout, x, offsets, key and key.at(200 + number))
            size = bridges[0].weight.shape[0]
            mask = self._state_mask(x, size, offsets, key and key.at(1000 + number))
            x, last = layer(x, offsets, state_mask=mask)
            states.append([tanh(bridge(state)) for bridge, state in zip(bridges, last, strict=True)])
        return ([] if self.keys is None else [self.keys(x), x]), states

    def _state_mask(self, x: Tensor, size: int, offsets: Tensor, key: Key | None) -> Tensor | None:
        """What the states of a layer are multiplied by before they are mapped; None for 1."""
        return None if key is None or not self.state_dropout.rate else self.state_dropout.mask(x, size, offsets, key)

    def _outputs(
        self, x: Tensor, offsets: Tensor, key_offsets: Tensor, memory: Sequence[Tensor], key: Key | None
    ) -> Tensor:
        """The outputs, from the states of rows and what was read."""
        if memory:
            x = concatenate([x, self._context(x, offsets, key_offsets, *memory)], 1)
        x = dropped(self.dropout, tanh(self.combine(x)), offsets, key)
        y = matmul(x, transpose(self.target.table, (1, 0))) if self.output is None else self.output(x)
        return y + self.bias

    def _context(self, x: Tensor, offsets: Tensor, key_offsets: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """What the states of rows look at, of what was read."""
        if self.queries is not None and self.score is not None:
            return attend_additively(self.queries(x), keys, values, self.score, offsets, key_offsets)
        q, k, v = (reshape(each, (each.shape[0], 1, each.shape[1])) for each in (x, keys, values))
        context = attend(q, k, v, offsets, key_offsets, scale=1.0)
        return reshape(context, (context.shape[0], context.shape[2]))


@LEARNERS.register
@dataclass(frozen=True, kw_only=True)
class SequenceToSequence(Learner):
    """Recurrent encoder and decoder with attention.

    Attributes:
        dim: the numbers that stand for one unit, of both texts.
        cell: "lstm" or "gru".
        size: of the states of both networks.
        layers: how many each of them has.
        bidirectional: whether the text is read from its end as well.
        attention: "luong", by which each state that writes looks at all of what was read (global attention with the
            general score); "bahdanau", the same with the score of a small network; or "none", where the last state of
            the reading is all there is.
        tie_embeddings: whether what turns a state into outputs is the table of the target's embeddings.
        dropout: the probability of dropping each number of embeddings, of states between layers and of what outputs are
            made of, in training.
        variational: whether dropout is of the same numbers in all units of a text.
        recurrent_dropout: the probability of dropping a number of a state before it is mapped to the next one, in
            training: the same numbers at all units of a text.

    Example:
        >>> import chainrule
        >>> texts, turned = ["a b", "b a", "a", "b"] * 10, ["b a", "a b", "a", "b"] * 10
        >>> table = chainrule.Table.from_lists(texts, turned, target="text")
        >>> learner, training = SequenceToSequence(dim=8, size=16), chainrule.Training(learning_rate=0.02, epochs=40)
        >>> chainrule.fit(learner, table, table, task=chainrule.Transduce(), training=training).model.predict(["a b"])
        ['b a']

    Sources: Cho et al., Learning Phrase Representations using RNN Encoder-Decoder (2014); Sutskever, Vinyals and Le,
    Sequence to Sequence Learning with Neural Networks (2014); Luong, Pham and Manning, Effective Approaches to
    Attention-based Neural Machine Translation (2015), without input feeding; Bahdanau, Cho and Bengio, Neural Machine
    Translation by Jointly Learning to Align and Translate (2015), of which the score alone is taken: there the context
    is looked up by the state before, and read by the next one; Press and Wolf, Using the Output Embedding
    to Improve Language Models (2017), for tied embeddings; Gal and Ghahramani, A Theoretically Grounded Application of
    Dropout in Recurrent Neural Networks (2016), for variational and recurrent dropout.
    """

    name: ClassVar[str] = "seq2seq"
    reads: ClassVar[Layout] = PAIRS
    gives: ClassVar[frozenset[str]] = frozenset({SEQUENCE})
    tuned: ClassVar[Mapping[str, Mapping[str, float]]] = {
        "adam": {"learning_rate": 0.001},
        "adamw": {"learning_rate": 0.001},
        "sgd": {"learning_rate": 0.1},
    }

    dim: int = setting(128, "numbers that stand for one token or category", least=1)
    cell: str = setting("lstm", "what recurrent layers are made of", choices=CELLS)
    size: int = setting(256, "numbers of the state of a recurrent layer", least=1, option="--state-size")
    layers: int = setting(1, "layers, one over the other", least=1)
    bidirectional: bool = setting(True, "a layer goes from the end to the beginning, too", option="--forward-only")
    attention: str = setting(LUONG, "how what is written looks back at what was read", choices=ATTENTIONS)
    tie_embeddings: bool = setting(False, "outputs by the embeddings of what is written")
    dropout: float = setting(
        0.3, "probability of dropping a number after a hidden layer", least=0, below=1, metavar="RATE"
    )
    variational: bool = setting(False, "dropout is of the same numbers in all tokens of a text")
    recurrent_dropout: float = setting(
        0.0, "probability of dropping a number of a state, at all tokens of a text", least=0, below=1, metavar="RATE"
    )

    def network(self, sizes: Sizes, answers: str, generator: np.random.Generator) -> EncoderDecoder:  # noqa: ARG002
        """A network with weights drawn from the generator."""
        return EncoderDecoder(self, sizes, generator)
