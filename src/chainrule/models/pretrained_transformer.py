"""Fine-tuning: a pretrained encoder with a head that answers, trained on from the weights of a folder."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from chainrule.blocks import gather, segment_ids
from chainrule.data import Examples
from chainrule.data.layout import PIECED, PIECES, ROW, TOKEN, Layout, Sizes
from chainrule.dataclasses import dataclass
from chainrule.encoders import (
    EncoderConfiguration,
    PretrainedEncoder,
    PretrainedModel,
    TextHead,
    TokenHead,
    read_configuration,
    read_model,
)
from chainrule.errors import ConfigurationError, SettingError, shortened
from chainrule.graph.conversion import as_tensors
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.models.learner import LEARNERS, Learner, Network
from chainrule.nn import Dropout, Layer, Linear, Normal, add_low_rank, merge_low_rank
from chainrule.nn.initializers import weights_to_come
from chainrule.nn.pooling import POOLINGS, FirstPooling, Pooling
from chainrule.random import Key
from chainrule.settings import setting

ALL, NONE, LOW_RANK, TOP = "all", "none", "low_rank", "top"
#: What a path of a change of low rank has in it.
CHANGE = ".low_rank."


class PooledHead(Layer):
    """One answer a text: y = dropout(pool(x)) V + b.

    Args:
        configuration: of the encoder.
        pooling: how the vectors of tokens become that of a text, a name of `POOLINGS`.
        outputs: how many numbers an answer has.
        generator: where V is drawn from.

    Attributes:
        pooling: the layer.
        output: V and b.
    """

    random: ClassVar[bool] = True

    pooling: Pooling
    output: Linear

    def __init__(
        self, configuration: EncoderConfiguration, pooling: str, outputs: int, *, generator: np.random.Generator
    ) -> None:
        self.pooling = POOLINGS[pooling](configuration.size, generator=generator)
        self.dropout = Dropout(configuration.head_dropout)
        drawn = Normal(deviation=0.02)
        self.output = Linear(self.pooling.outputs, outputs, initializer=drawn, generator=generator)

    def __call__(self, x: TensorLike, offsets: TensorLike, key: Key | None = None) -> Tensor:
        """The answers, shape (texts, outputs), from the vectors of tokens, shape (tokens, size), and their offsets."""
        return self.output(self.dropout(self.pooling(x, offsets), key))


class FineTunedNetwork(Network):
    """y = head(encoder(pieces)): an answer for each text, or for each word, that of its first piece.

    Attributes:
        encoder: a `PretrainedEncoder`.
        head: what makes answers of the vectors of its tokens.
    """

    encoder: PretrainedEncoder
    head: TextHead | TokenHead | PooledHead

    def __init__(
        self, learner: PretrainedTransformer, sizes: Sizes, answers: str, generator: np.random.Generator
    ) -> None:
        configuration: EncoderConfiguration = sizes.encoder
        if learner.dropout is not None:
            rate = learner.dropout
            configuration = replace(configuration, dropout=rate, attention_dropout=rate, head_dropout=rate)
        self._learner = learner
        self._fixed = learner.fixed_layers(configuration.layers)
        with weights_to_come():
            self.encoder = PretrainedEncoder(configuration, generator=generator)
        if answers == TOKEN:
            self.head = TokenHead(configuration, sizes.outputs, generator=generator)
        elif learner.pooling == FirstPooling.name:
            self.head = TextHead(configuration, sizes.outputs, generator=generator)
        else:
            self.head = PooledHead(configuration, learner.pooling, sizes.outputs, generator=generator)

    def __call__(self, *arrays: TensorLike, key: Key | None = None) -> Tensor:
        """The outputs, shape (texts, outputs), or (words, outputs).

        Args:
            arrays: of `PIECES`, or where each word has an answer of `PIECED`.
            key: for training; a frozen encoder drops nothing all the same.
        """
        x, offsets = self._read(arrays, None if self._fixed is None else key and key.at(0))
        return self.head(x, offsets, key and key.at(1))

    def _read(self, arrays: Sequence[TensorLike], key: Key | None = None) -> tuple[Tensor, Tensor]:
        """The vectors that the head reads, and where those of each text begin."""
        if isinstance(self.head, TokenHead):
            first, offsets, pieces, piece_offsets = as_tensors(arrays)
            x = self.encoder(pieces, piece_offsets, key=key)
            starts = gather(piece_offsets, segment_ids(offsets, first))
            return gather(x, first.astype(starts.dtype) + starts), offsets
        ids, offsets = as_tensors(arrays)
        return self.encoder(ids, offsets, key=key), offsets

    @property
    def is_frozen(self) -> bool:
        """Whether the encoder stays as it is, so that its vectors are computed once (`chainrule.models.ahead`)."""
        return self._fixed is None

    def vectors(self, *arrays: TensorLike) -> Tensor:
        """What the head reads of texts, shape (vectors, size): that of each text, if all learning comes behind it."""
        x, offsets = self._read(arrays)
        pooling = self._pooling
        return x if pooling is None else pooling(x, offsets)

    def counts(self, examples: Examples) -> np.ndarray:
        """How many of these vectors each row has."""
        return examples.lengths if self._pooling is None else np.ones(examples.rows, np.int64)

    @property
    def _pooling(self) -> Pooling | None:
        """What makes one vector of a text's and has nothing to learn, so that it gives of one vector the same."""
        if isinstance(self.head, TokenHead):
            return None
        pooling = self.head.first if isinstance(self.head, TextHead) else self.head.pooling
        return None if pooling.parameters() or pooling.outputs != pooling.size else pooling

    def take_over(self, generator: np.random.Generator) -> list[str]:
        """The weights of the folder; and changes of low rank, where the encoder learns by these."""
        folder = self._learner.folder
        opened = read_model(str(folder))
        self.encoder.assign({name: x.numpy() for name, x in opened.encoder.named_tensors().items()})
        taken = _dense(opened)
        if taken is not None and isinstance(self.head, TextHead):
            self.head.dense.assign({name: x.numpy() for name, x in taken.named_tensors().items()})
        if self._learner.tune == LOW_RANK:
            learner = self._learner
            add_low_rank(self.encoder, learner.rank, scale=learner.rank_scale, generator=generator)
        learnt = sum(x.spec.size for name, x in self.named_parameters().items() if name not in self.frozen())
        weights = sum(x.spec.size for x in self.parameters())
        return [f"from {folder}: {self.encoder!r}; {learnt:,} of {weights:,} weights are trained"]

    def frozen(self) -> set[str]:
        """The parameters that stay as they are, by their names."""
        if self._learner.tune == LOW_RANK:
            return {name for name in self._of_encoder() if CHANGE not in f".{name}"}
        held = self._of_encoder()
        fixed = self._fixed
        return {name for name in held if fixed is None or self._depth(name) < fixed}

    def groups(self) -> tuple[str, ...]:
        """What is frozen, and lower rates for lower layers."""
        frozen, decay, layers = self.frozen(), self._learner.layer_decay, len(self.encoder.layers)
        entries = [f"{name}=frozen" for name in self._of_encoder() if name in frozen]
        if decay != 1:
            named = [(name, decay ** (layers - self._depth(name))) for name in self._of_encoder() if name not in frozen]
            entries += [f"{name}={share!r}x" for name, share in named if share != 1]
        return tuple(entries)

    def settled(self) -> FineTunedNetwork:
        """With changes of low rank in the matrices that they are of."""
        if self._learner.tune != LOW_RANK:
            return self
        network = copy.deepcopy(self)
        merge_low_rank(network)
        return network

    def _of_encoder(self) -> list[str]:
        return [name for name in self.named_parameters() if name.startswith("encoder.")]

    @staticmethod
    def _depth(name: str) -> int:
        """Of a parameter of the encoder, the number of its layer, from 1; 0 for what comes before the layers."""
        found = re.match(r"encoder\.layers\.([0-9]+)\.", name)
        return int(found[1]) + 1 if found else 0


def _dense(opened: PretrainedModel) -> Linear | None:
    """The map between a text's vector and its outputs that a folder brings, if that was ever trained."""
    head = opened.head
    trained = isinstance(head, TextHead) and (head.output is not None or opened.configuration.family == "bert")
    return head.dense if trained else None  # type: ignore[union-attr]


@LEARNERS.register
@dataclass(frozen=True, kw_only=True)
class PretrainedTransformer(Learner):
    """A pretrained encoder (BERT, RoBERTa, DistilBERT, ELECTRA) that is trained on, with a new head: fine-tuning.

    Attributes:
        folder: of the pretrained encoder, as transformers keeps it: config.json, model.safetensors, tokenizer.json.
            A saved model needs it no longer.
        tune: what training changes beside the head: "all" layers; "top:N", the last N of them; "low_rank", changes of
            low rank of all matrices (`chainrule.nn.LowRank`), which become part of them when training has ended; or
            "none".
        rank: of the changes of low rank.
        rank_scale: α: the changes are multiplied by α ÷ rank.
        layer_decay: d: layer k of L, counted from 1, learns at the learning rate times d^(L - k), and embeddings as a
            layer 0 would. The head learns at the learning rate.
        pooling: how the vectors of a text's tokens become its own: "first", that of the token that begins it, with the
            small network that encoders of its family have after it; or "mean" and other ones, with none.
        dropout: the probability of dropping a number, in the encoder (of its attention, too) and in the head; None for
            those of the folder.

    Example (`FOLDER` is that of a pretrained encoder):
        >>> PretrainedTransformer(folder="FOLDER", tune="top:2", layer_decay=0.9).settings()["tune"]
        'top:2'

    Sources: Devlin et al., BERT (2019); Hu et al., LoRA (2021); Howard and Ruder, Universal Language Model Fine-tuning
    (2018), for rates by layer. Deviations: see `PretrainedEncoder`.
    """

    name: ClassVar[str] = "pretrained"
    reads: ClassVar[Layout] = PIECES
    gives: ClassVar[frozenset[str]] = frozenset({ROW, TOKEN})
    by_token: ClassVar[bool] = True
    optimizer: ClassVar[str] = "adamw"
    schedule: ClassVar[str] = "linear"
    tuned: ClassVar[Mapping[str, Mapping[str, float]]] = {
        "adam": {"learning_rate": 5e-5},
        "adamw": {"learning_rate": 5e-5, "weight_decay": 0.01},
        "sgd": {"learning_rate": 0.01},
    }
    tuned_schedules: ClassVar[Mapping[str, Mapping[str, float]]] = {"linear": {"warmup": 0.1}}
    passes: ClassVar[int] = 3
    steps: ClassVar[int] = 200

    folder: str | None = setting(
        None, "folder of the pretrained encoder that training starts from", option="--from", metavar="FOLDER"
    )
    tune: str = setting(ALL, "what training changes beside the head: all, top:N layers, low_rank or none")
    rank: int = setting(8, "rank of the changes of matrices, where they are of low rank", least=1, option="--lora-rank")
    rank_scale: float = setting(
        16.0, "what changes of low rank are multiplied by, times their rank", above=0, option="--lora-scale"
    )
    layer_decay: float = setting(
        1.0, "what the learning rate is multiplied by from each layer to the one below it", above=0
    )
    pooling: str = setting(
        FirstPooling.name, "how the vectors of tokens become that of a text", choices=(FirstPooling.name, *POOLINGS)
    )
    dropout: float | None = setting(
        None,
        "probability of dropping a number after a hidden layer; none for what suits",
        least=0,
        below=1,
        metavar="RATE",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tune not in (ALL, NONE, LOW_RANK) and not re.fullmatch(f"{TOP}:[1-9][0-9]{{0,5}}", self.tune):
            expected = f"must be {ALL}, {NONE}, {LOW_RANK} or {TOP}:N for the last N layers, got {shortened(self.tune)}"
            raise SettingError(self.name, "tune", expected)
        if self.layer_decay > 1:
            raise SettingError(self.name, "layer_decay", f"must be at most 1, got {self.layer_decay:g}")

    @classmethod
    def optimizer_for(cls, *, unit_gradient: bool) -> str:  # noqa: ARG003
        """AdamW for every loss."""
        return cls.optimizer

    @classmethod
    def schedule_for(cls, optimizer: str) -> str:  # noqa: ARG003
        """Up and down in a line with every optimizer: what was learned before is lost at a rate that stays."""
        return cls.schedule

    def require(self, answers: str, task: str) -> None:
        """Refuse a task that needs other answers, and a folder that is missing or is none.

        Raises:
            ConfigurationError: for another task, or no folder.
            ModelError: for a folder that is not of a pretrained encoder that is known.
        """
        super().require(answers, task)
        if self.folder is None:
            raise ConfigurationError(
                f"{self.name}: the folder of the pretrained encoder is missing; add --from FOLDER (folder=...)"
            )
        self.fixed_layers(read_configuration(self.folder).layers)

    def fixed_layers(self, layers: int) -> int | None:
        """How many layers stay as they are, the first of which stands for the embeddings; None where all do.

        Raises:
            SettingError: for more layers than there are.
        """
        if self.tune == NONE:
            return None
        if not self.tune.startswith(TOP):
            return 0
        top = int(self.tune.removeprefix(f"{TOP}:"))
        if top > layers:
            reason = f"must be at most {TOP}:{layers}, as the encoder has so many layers, got {self.tune}"
            raise SettingError(self.name, "tune", reason)
        return layers - top + 1

    def layout(self, answers: str) -> Layout:
        """The pieces of texts, as the tokenizer of the folder cuts them; with the place of words where these answer."""
        return replace(PIECED if answers == TOKEN else PIECES, source=self.folder or "")

    def network(self, sizes: Sizes, answers: str, generator: np.random.Generator) -> FineTunedNetwork:
        """A network whose head is drawn from the generator; see `FineTunedNetwork.take_over`."""
        return FineTunedNetwork(self, sizes, answers, generator)
