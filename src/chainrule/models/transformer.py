"""The transformer over texts: every token looks at all others of its text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeVar

import numpy as np

from chainrule.blocks import segment_shift, zeros
from chainrule.data.layout import PAIRS, SEQUENCE, Layout, Sizes
from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, SettingError
from chainrule.graph.conversion import as_tensors
from chainrule.graph.spec import INT64, Array
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.models.learner import LEARNERS, Network
from chainrule.models.sequence import ROOM, Encoder, SequenceLearner, moved
from chainrule.nn import (
    ACTIVATIONS,
    Activation,
    Dropout,
    Embedding,
    Layer,
    LayerNorm,
    LearnedPositions,
    Linear,
    SinusoidalPositions,
    TransformerDecoderLayer,
    TransformerEncoderLayer,
    XavierUniform,
)
from chainrule.nn.pooling import POOLINGS
from chainrule.random import Key
from chainrule.settings import setting

#: How layers come to know where a token stands.
SINUSOIDAL, LEARNED, ROTARY, NONE = POSITIONS = ("sinusoidal", "learned", "rotary", "none")

Kind = TypeVar("Kind", TransformerEncoderLayer, TransformerDecoderLayer)


class TransformerEncoder(Encoder):
    """layers(dropout(√size (x W + b) + p)), with a norm at the end where norms go first.

    Attributes:
        input: W and b, from the tokens' vectors to those of the layers.
        positions: p; None where positions are rotary, or there are none.
        layers: one after another.
        norm: at the end; None where norms go last.
    """

    input: Linear
    positions: SinusoidalPositions | LearnedPositions | None
    layers: list[TransformerEncoderLayer]
    norm: LayerNorm | None

    def __init__(
        self, learner: Transformer, inputs: int, generator: np.random.Generator, *, causal: bool = False
    ) -> None:
        self.size = size = learner.model_size
        self.input = Linear(inputs, size, generator=generator)
        self.positions = learner.places(generator)
        self.dropout = Dropout(learner.inner_dropout)
        self.layers = learner.stack(TransformerEncoderLayer, generator, causal=learner.causal or causal)
        self.norm = LayerNorm(size) if learner.norm_first else None

    def __call__(self, x: Tensor, offsets: Tensor, key: Key | None = None) -> Tensor:
        """The outputs of the last layer, shape (tokens, size)."""
        x = self.input(x) * float(self.size**0.5)
        if self.positions is not None:
            x = self.positions(x, offsets)
        x = self.dropout(x, key and key.at(0))
        for number, layer in enumerate(self.layers, 1):
            x = layer(x, offsets, key and key.at(number))
        return x if self.norm is None else self.norm(x)

    def start(self, texts: int, room: int = ROOM) -> list[Tensor]:
        """How many tokens were read of each text, and of each layer keys and values."""
        if not all(layer.attention.causal for layer in self.layers):
            raise ConfigurationError(f"{self!r} looks at tokens that follow, and so cannot go token by token")
        return [zeros((texts,), INT64), *(x for layer in self.layers for x in layer.attention.start(texts, room))]

    def step(self, x: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One more token of each text, which looks at those before by their keys and values."""
        places, *held = states
        x = self.input(x) * float(self.size**0.5)
        if self.positions is not None:
            x = x + self.positions.at(places)
        after = [places + 1]
        for number, layer in enumerate(self.layers):
            x, found = layer.step(x, places, held[2 * number : 2 * number + 2])
            after += found
        return x if self.norm is None else self.norm(x), after


class TransformerDecoder(Layer):
    """As the encoder, with layers that look at what was read, too.

    Attributes:
        input, positions, layers, norm: as of `TransformerEncoder`.
    """

    input: Linear
    positions: SinusoidalPositions | LearnedPositions | None
    layers: list[TransformerDecoderLayer]
    norm: LayerNorm | None

    def __init__(self, learner: Transformer, inputs: int, generator: np.random.Generator) -> None:
        self.size = size = learner.model_size
        self.input = Linear(inputs, size, generator=generator)
        self.positions = learner.places(generator)
        self.dropout = Dropout(learner.inner_dropout)
        self.layers = learner.stack(TransformerDecoderLayer, generator, causal=True)
        self.norm = LayerNorm(size) if learner.norm_first else None

    def __call__(
        self, x: Tensor, offsets: Tensor, read: Tensor, read_offsets: Tensor, key: Key | None = None
    ) -> Tensor:
        """The outputs of the last layer, shape (tokens, size)."""
        x = self.input(x) * float(self.size**0.5)
        if self.positions is not None:
            x = self.positions(x, offsets)
        x = self.dropout(x, key and key.at(0))
        for number, layer in enumerate(self.layers, 1):
            x = layer(x, offsets, read, read_offsets, key and key.at(number))
        return x if self.norm is None else self.norm(x)

    def start(self, texts: int, room: int) -> list[Tensor]:
        """How many tokens were written of each text, and of each layer keys and values."""
        return [zeros((texts,), INT64), *(x for layer in self.layers for x in layer.attention.start(texts, room))]

    def step(
        self, x: Tensor, states: Sequence[Tensor], row_offsets: Tensor, known: Sequence[Tensor], known_offsets: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        """One more token of each row; see `TransformerDecoderLayer.step`."""
        places, *held = states
        x = self.input(x) * float(self.size**0.5)
        if self.positions is not None:
            x = x + self.positions.at(places)
        after = [places + 1]
        for number, layer in enumerate(self.layers):
            part = slice(2 * number, 2 * number + 2)
            x, found = layer.step(x, places, held[part], row_offsets, known[part], known_offsets)
            after += found
        return x if self.norm is None else self.norm(x), after


class TransformerPair(Network):
    """p(yₜ | y₁ … yₜ₋₁, x), by layers of which some read x, and others write y and look at what was read.

        m = encoder(dropout(E[x])),    outputs = dropout(decoder(dropout(F[yₜ₋₁]), m)) O + o

    Before the first unit stands the end, as of another text: y₀ = 0.

    Attributes:
        source, target: E and F.
        encoder, decoder: layers.
        output: O and o.
        memories: how many of the arrays of `start` have a row a unit that was read.
        room: units that the first states have room for; `with_room` gives more.
        longest: units that can be written, at most; None where there is no end.
    """

    room: ClassVar[int] = 16

    source: Embedding
    target: Embedding
    encoder: TransformerEncoder
    decoder: TransformerDecoder
    output: Linear

    def __init__(self, learner: Transformer, sizes: Sizes, generator: np.random.Generator) -> None:
        self.source = Embedding(sizes.entries, learner.dim, generator=generator)
        self.target = Embedding(sizes.outputs, learner.dim, generator=generator)
        self.dropout = Dropout(learner.dropped)
        self.encoder = learner.encoder(learner.dim, generator)
        self.decoder = TransformerDecoder(learner, learner.dim, generator)
        suited = XavierUniform(gain=1.0)
        self.output = Linear(learner.model_size, sizes.outputs, generator=generator, initializer=suited)
        self.memories = 2 * learner.layers
        self.longest = learner.most_positions - 1 if learner.positions == LEARNED else None

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
        read = self.encoder(self.dropout(self.source(ids), key and key.at(0)), offsets, key and key.at(1))
        x = self.dropout(self.target(segment_shift(target_ids, target_offsets, -1)), key and key.at(2))
        x = self.decoder(x, target_offsets, read, offsets, key and key.at(3))
        return self.output(self.dropout(x, key and key.at(4)))

    def start(self, ids: Tensor, offsets: Tensor) -> list[Tensor]:
        """What is known of texts before the first unit is written: keys and values of each layer, and the states."""
        read = self.encoder(self.source(ids), offsets)
        known = [x for layer in self.decoder.layers for x in layer.cross_attention.keys_and_values(read)]
        return [*known, *self.decoder.start(offsets.shape[0] - 1, self.room)]

    def with_room(self, states: Sequence[Array], room: int) -> list[Array]:
        """States with room for so many units, of which there was less before."""
        return moved(states, self.decoder.start(len(states[0]), room))

    def step(self, last: Tensor, row_offsets: Tensor, offsets: Tensor, *held: Tensor) -> list[Tensor]:
        """The outputs for the next unit of each row, and the states after it; see `EncoderDecoder.step`."""
        known, states = held[: self.memories], held[self.memories :]
        x, after = self.decoder.step(self.target(last), states, row_offsets, known, offsets)
        return [self.output(x), *after]


@LEARNERS.register
@dataclass(frozen=True, kw_only=True)
class Transformer(SequenceLearner):
    """Transformer: layers in which every token looks at all others of its text, in several heads.

    Attributes:
        model_size: the size of the vectors of layers.
        heads: of the attention.
        inner_size: the numbers inside the small network of each layer.
        layers: how many layers there are, one over the other.
        inner_dropout: the probability of dropping a number inside the layers, in training.
        attention_dropout: the probability of dropping a probability of the attention, in training.
        positions: "sinusoidal", "learned", "rotary" or "none". Rotary ones turn queries and keys alone, and leave the
            vectors of tokens as they are, which suits small tables.
        most_positions: how many positions are learned, where they are; a longer text is refused.
        norm_first: whether the norm of a layer comes before its parts, and not after their sums.
        causal: whether a token sees no later one.
        activation: inside the small networks.

    Example:
        >>> import chainrule
        >>> table = chainrule.Table.from_lists(["so good", "good fun", "so bad", "bad luck"] * 5, list("ppnn") * 5)
        >>> training = chainrule.Training(learning_rate=0.01, epochs=10)
        >>> learner = Transformer(dim=8, model_size=8, inner_size=16, dropout=0.1)
        >>> run = chainrule.fit(learner, table, table, training=training)
        >>> run.model.predict(["good", "bad"])
        ['p', 'n']

    Source: Vaswani et al., Attention Is All You Need (2017). Deviations: the norm goes first (Xiong et al., 2020), and
    tokens' vectors are mapped to those of the layers.
    """

    name: ClassVar[str] = "transformer"
    gives: ClassVar[frozenset[str]] = SequenceLearner.gives | {SEQUENCE}

    pooling: str = setting("mean", "how the vectors of tokens become that of a text", choices=POOLINGS)
    model_size: int = setting(128, "numbers of a token inside the layers of a transformer", least=1)
    heads: int = setting(4, "heads of the attention", least=1)
    inner_size: int = setting(256, "numbers inside the small network of a layer of a transformer", least=1)
    layers: int = setting(2, "layers, one over the other", least=1)
    inner_dropout: float = setting(
        0.1, "probability of dropping a number inside layers", least=0, below=1, metavar="RATE"
    )
    attention_dropout: float = setting(
        0.0, "probability of dropping a probability of the attention", least=0, below=1, metavar="RATE"
    )
    positions: str = setting(ROTARY, "what tells layers where a token stands", choices=POSITIONS)
    most_positions: int = setting(512, "positions, where they are learned: the longest text", least=1)
    norm_first: bool = setting(True, "norms come before the parts of a layer", option="--norm-last")
    causal: bool = setting(False, "a token sees no later one")
    activation: str | Activation = setting("relu", "between layers, such as relu or elu:alpha=2", spelled=ACTIVATIONS)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.model_size % self.heads:
            reason = f"must be a multiple of the heads, {self.heads}, got {self.model_size}"
            raise SettingError(self.name, "model_size", reason)
        if self.positions == ROTARY and self.model_size // self.heads % 2:
            reason = f"rotary need heads of an even size, got {self.model_size} / {self.heads}"
            raise SettingError(self.name, "positions", reason)

    def places(self, generator: np.random.Generator) -> SinusoidalPositions | LearnedPositions | None:
        """What is added for the place of a token; None where positions are rotary, or there are none."""
        if self.positions == SINUSOIDAL:
            return SinusoidalPositions(self.model_size)
        if self.positions == LEARNED:
            return LearnedPositions(self.most_positions, self.model_size, generator=generator)
        return None

    def stack(self, kind: type[Kind], generator: np.random.Generator, *, causal: bool) -> list[Kind]:
        """Layers of a kind, to be taken one after another."""
        return [
            kind(
                self.model_size,
                self.heads,
                self.inner_size,
                dropout=self.inner_dropout,
                attention_dropout=self.attention_dropout,
                norm_first=self.norm_first,
                causal=causal,
                rotary=self.positions == ROTARY,
                activation=self.activation,
                generator=generator,
            )
            for _ in range(self.layers)
        ]

    def layout(self, answers: str) -> Layout:
        """Both texts, where one is to be written."""
        return PAIRS if answers == SEQUENCE else super().layout(answers)

    def network(self, sizes: Sizes, answers: str, generator: np.random.Generator) -> Network:
        """A network with weights drawn from the generator."""
        if answers == SEQUENCE:
            return TransformerPair(self.suited(answers), sizes, generator)
        return super().network(sizes, answers, generator)

    def encoder(self, inputs: int, generator: np.random.Generator, *, causal: bool = False) -> TransformerEncoder:
        """Layers of attention."""
        return TransformerEncoder(self, inputs, generator, causal=causal)
