"""Transduce: a text for each text, of another language or kind."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

import chainrule.polars as pl
from chainrule.blocks import argmax, concatenate, equal, gather, iota, log_softmax, reshape, segment_ids, where
from chainrule.blocks.along_axis import TakeAlongAxis
from chainrule.data import Examples, Ragged, Table
from chainrule.data.layout import SEQUENCE, Layout, Sizes
from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, DataError, ModelError, shortened
from chainrule.graph.spec import INT64, Array, Spec
from chainrule.graph.tensor import Tensor
from chainrule.nn import cross_entropy
from chainrule.settings import setting
from chainrule.shown import one_line
from chainrule.tasks import measures
from chainrule.tasks.beam_search import Written, beam_search
from chainrule.tasks.codec import WEIGHTS, Codec, Fields
from chainrule.tasks.inputs import Inputs
from chainrule.tasks.labels import labels_of
from chainrule.tasks.source_inputs import Source, load_symbols
from chainrule.tasks.task import TASKS, Answer, Answering, Evaluation, Task
from chainrule.tasks.transduction import TeacherForced, Transduction
from chainrule.tasks.weighting import mean_loss
from chainrule.text.symbols import CHARACTERS, UNITS, UNKNOWN_SYMBOL, Splitter, Symbols

#: Rows that are written at the same time, of all texts together.
ROWS = 512
#: What is written has at most so many times the units of the longest text that was learned from, unless told otherwise.
LONGER = 2


@TASKS.register
@dataclass(frozen=True, kw_only=True)
class Transduce(Task):
    """A text for each text: its pronunciation, its translation, its summary.

        p(y₁ … yₙ | x) = Πₜ p(yₜ | y₁ … yₜ₋₁, x),    L = -Σ ln p(yₜ) / n    over all units of a mini-batch

    where the last yₙ is the end. In training the true units before each are given (teacher forcing), and so they are in
    validation: "exact_match" is there the share of texts that taking the likeliest unit at each place writes. Answers,
    and `chainrule evaluate`, search (`chainrule.tasks.beam_search`).

    With label smoothing ε, Lₜ = -(1 - ε) ln p(yₜ) - ε / V Σ_v ln p(v) over the V units; with weights of rows, each of
    their units has that weight. That is the loss of validation too.

    Attributes:
        inputs: what is known of the texts that are read.
        target_unit: what a text that is written is a sequence of; see `Source`.
        target_minimum_count: how often such a unit must occur in the training rows to be known.
        target_maximum_size: how many are known, at most.
        label_smoothing: ε.
        beam: how many texts are followed at a time; 1 takes the likeliest unit in each step.
        length_normalization: α, by which n^α divides ln p where texts are compared; 0 for ln p itself.
        longest: units that are written, at most; None for twice as many as the longest training text has.

    Example:
        >>> import chainrule
        >>> texts = ["a b", "b a", "a a b", "b b a", "a", "b"] * 10
        >>> upper = [text.upper() for text in texts]
        >>> table = chainrule.Table.from_lists(texts, upper, target="text")
        >>> learner = chainrule.SequenceToSequence(dim=8, size=16, dropout=0.0)
        >>> training = chainrule.Training(learning_rate=0.02, epochs=40)
        >>> run = chainrule.fit(learner, table, table, task=Transduce(), training=training)
        >>> run.model.predict(["a b", "b b a"])
        ['A B', 'B B A']

    Sources: Sutskever, Vinyals and Le, Sequence to Sequence Learning with Neural Networks (2014); Williams and Zipser,
    A Learning Algorithm for Continually Running Fully Recurrent Neural Networks (1989), for teacher forcing.
    """

    name: ClassVar[str] = "transduce"
    pace: ClassVar[float] = 3.0
    answers: ClassVar[str] = SEQUENCE
    target: ClassVar[str] = "text"
    watched: ClassVar[tuple[str, ...]] = ("loss", "token_accuracy", "exact_match")
    share: ClassVar[str | None] = "exact_match"

    target_unit: str = setting(CHARACTERS, "what a text that is written is a sequence of", choices=UNITS)
    target_minimum_count: int = setting(
        1, "how often a unit must occur to be written", least=1, option="--target-min-count"
    )
    target_maximum_size: int | None = setting(
        None, "most units that may be written", least=1, option="--target-max-vocabulary"
    )
    label_smoothing: float = setting(
        0.0, "part of the probability that is spread over all classes", least=0, below=1, metavar="PART"
    )
    beam: int = setting(4, "texts that are followed at a time; 1 for the likeliest unit in each step", least=1)
    length_normalization: float = setting(
        1.0, "power of the length that scores are divided by", least=0, metavar="POWER"
    )
    longest: int | None = setting(None, "most units that are written; none for twice the longest known", least=1)

    @classmethod
    def unit_gradient(cls, criterion: Any) -> bool:  # noqa: ARG003
        """That of the cross-entropy."""
        return True

    @classmethod
    def inputs_for(cls, reads: Layout) -> Inputs:  # noqa: ARG003  (other tasks choose by it)
        """Texts with their ends."""
        return Source()

    def resolved(self, reads: Layout, learner: str) -> Task:  # noqa: ARG002
        """The task with inputs, which are `Source` whatever the learner.

        Raises:
            ConfigurationError: for other inputs.
        """
        if self.inputs is not None and not isinstance(self.inputs, Source):
            raise ConfigurationError(f"{self.name} takes inputs of the kind source, got {self.inputs}")
        return self if self.inputs is not None else replace(self, inputs=Source())

    @property
    def _splitter(self) -> Splitter:
        return Splitter(self.target_unit)

    def learn_targets(self, table: Table) -> tuple[Targets, Fields]:
        """The units of the texts to be written.

        Raises:
            DataError: for a table without such texts, or when no unit is frequent enough.
        """
        symbols, ids = Symbols.learned(
            texts_of(table),
            self._splitter,
            minimum_count=self.target_minimum_count,
            maximum_size=self.target_maximum_size,
        )
        if not symbols.names:
            count = self.target_minimum_count
            raise DataError(f"{table.name}: no text to be written has {self.target_unit} that occur {count} times")
        return Targets(symbols, int(ids.lengths.max(initial=1)) - 1), {"target_ids": ids}

    def load_targets(self, description: Mapping[str, Any]) -> Targets:
        """The units of a model.

        Raises:
            ModelError: when they are not what they should be.
        """
        longest = description.get("longest")
        if not isinstance(longest, int) or isinstance(longest, bool) or not 0 <= longest < 10**9:
            raise ModelError(f"expected longest as a whole number, got {shortened(longest)}")
        return Targets(load_symbols(description, "target", self._splitter), longest)

    def weight(self, batch: Examples) -> int:
        """The units, with the ends."""
        return len(_targets(batch).ids)

    def loss(self, outputs: Tensor, batch: Mapping[str, Tensor], codec: Codec) -> tuple[Tensor, dict[str, Tensor]]:  # noqa: ARG002
        """The equation above, and how many units are the likeliest."""
        ids, offsets, weights = batch["target_ids"], batch["target_offsets"], batch.get(WEIGHTS)
        sums = {"token_accuracy": _hits(outputs, ids).sum()}
        if weights is None:
            return cross_entropy(outputs, ids, label_smoothing=self.label_smoothing), sums
        losses = cross_entropy(outputs, ids, label_smoothing=self.label_smoothing, reduction="none")
        loss, total = mean_loss(losses, gather(weights, segment_ids(offsets, ids)))
        return loss, {**sums, **total}

    def response(self, outputs: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """Of each unit of the true texts ln p, whether it is the likeliest, and the mean ln p of all there are."""
        log_p, ids = log_softmax(outputs, 1), reshape(batch["target_ids"].astype(INT64), (-1, 1))
        chosen = TakeAlongAxis(1)(log_p, ids)
        hits = reshape(_hits(outputs, batch["target_ids"]), (-1, 1))
        return concatenate([chosen, hits.astype(outputs.dtype), log_p.mean(1, keepdims=True)], 1)

    def evaluate(self, responses: Array, examples: Examples, codec: Codec) -> TeacherForced:  # noqa: ARG002
        """How well the true texts are foreseen, unit by unit."""
        targets = _targets(examples)
        likely = responses.astype(np.float64)
        losses = -(1 - self.label_smoothing) * likely[:, 0] - self.label_smoothing * likely[:, 2]
        weights = np.ones(examples.rows) if WEIGHTS not in examples.fields else examples.array(WEIGHTS)
        loss = measures.weighted_mean(losses, np.repeat(weights, targets.lengths))
        return TeacherForced(loss, responses[:, 1], targets.offsets)

    def predict(self, responses: Array, examples: Examples, codec: Codec) -> list[Answer]:  # noqa: ARG002
        """Not from responses: what is written is searched for, by `answer`."""
        raise AssertionError("the answers of this task are written symbol by symbol")

    def answer(self, model: Answering, examples: Examples, engine: str) -> list[Answer]:
        """The text for each row, and others that were found."""
        symbols = model.codec.targets.symbols
        return [TextAnswer(symbols, found) for found in self.write(model, examples, engine)]

    def judge(self, model: Answering, examples: Examples, engine: str) -> Evaluation:
        """How well the texts that are written fit the true ones."""
        forced = self.evaluate(model.responses(examples, engine=engine), examples, model.codec)
        best = [found[0] for found in self.write(model, examples, engine)]
        written, log_p = [each.ids for each in best], np.array([each.log_probability for each in best])
        sources = [model.codec.inputs.symbols.text(ids) for ids in _rows(examples.fields["ids"])]  # type: ignore[attr-defined, arg-type]
        return Transduction(model.codec.targets.symbols, sources, _rows(_targets(examples)), written, forced, log_p)

    def write(self, model: Answering, examples: Examples, engine: str) -> list[list[Written]]:
        """The texts that are found for each row, the best first."""
        network, count = model.network, model.network.memories
        start = model.compiled("start", network.start, engine)
        room = getattr(network, "room", None)
        advancing = _advancing(network)
        longest = LONGER * model.codec.targets.longest if self.longest is None else self.longest
        if getattr(network, "longest", None) is not None:
            longest = min(longest, network.longest)
        found: list[list[Written]] = []
        size = max(1, ROWS // self.beam)
        ends = examples.fields["ids"].offsets[[*range(0, examples.rows, size), examples.rows]]  # type: ignore[union-attr]
        most = min(size, examples.rows), int(np.diff(ends).max(initial=0))
        steps: dict[int | None, Any] = {}
        for first in range(0, examples.rows, size):
            arrays = examples.slice(first, first + size).arrays()
            read = [x.numpy() for x in start(arrays["ids"], arrays["offsets"])]
            memory, room_of = [arrays["offsets"], *read[:count]], Room(network, room)

            def advance(
                last: Array, offsets: Array, states: list[Array], memory: Sequence[Array] = memory, room: Room = room_of
            ) -> tuple[Array, list[Array]]:
                states = room.for_one_more(states)
                given = [last, offsets, *memory, *states]
                if room.size not in steps:  # one program serves all numbers of rows and units, where each has this room
                    expected = _sizes(given, len(memory), *most, self.beam)
                    steps[room.size] = model.compiled(f"step, room {room.size}", advancing, engine, expected=expected)
                log_probabilities, *new = (x.numpy() for x in steps[room.size](*given))
                return log_probabilities.astype(np.float64), new

            found += beam_search(
                advance, read[count:], width=self.beam, longest=longest, normalization=self.length_normalization
            )
        return found


class Room:
    """Gives states more room as units are written, twice as much each time; None where they need none."""

    def __init__(self, network: Any, size: int | None) -> None:
        self._network, self.size, self._written = network, size, 0

    def for_one_more(self, states: list[Array]) -> list[Array]:
        """The states, with room for another unit."""
        if self.size is not None and self._written == self.size:
            self.size *= 2
            states = self._network.with_room(states, self.size)
        self._written += 1
        return states


def _sizes(given: Sequence[Array], memories: int, texts: int, units: int, beam: int) -> list[list[Spec]]:
    """The smallest and largest arguments of a step, and some in between.

    Args:
        given: some arguments: the last units, the offsets of rows, the memory, and the states.
        memories: how many arrays the memory is, the first of which are offsets.
        texts: that are written at the same time, at most.
        units: that were read of these, at most.
        beam: rows of a text, at most.
    """
    found = []
    for some, rows, read in ((1, 2, 3), (2, 5, 11), (texts, texts * beam, units)):
        sizes = [rows, some + 1, some + 1, *[read] * (memories - 1), *[rows] * (len(given) - memories - 2)]
        found.append([Spec((n, *x.shape[1:]), x.dtype) for n, x in zip(sizes, given, strict=True)])
    return [x for x in found if all(a.shape <= b.shape for a, b in zip(x, found[-1], strict=True))]


def _advancing(network: Any) -> Any:
    def advance(*arrays: Tensor) -> list[Tensor]:
        outputs, *states = network.step(*arrays)
        return [log_softmax(outputs, 1), *states]

    return advance


def _hits(outputs: Tensor, ids: Tensor) -> Tensor:
    """1 for each unit that is the likeliest of all that can be written, and else 0."""
    known = where(equal(iota(outputs.shape[1]).astype(INT64), UNKNOWN_SYMBOL), -math.inf, outputs)
    return equal(argmax(known, 1).astype(ids.dtype), ids).astype("float32")


def texts_of(table: Table) -> pl.Series:
    """The texts of a table that are to be written.

    Raises:
        DataError: when it has none.
    """
    texts = labels_of(table, pl.String)
    if not table.written:
        raise DataError(f"{table.name}: was read with target='label'; read it with target='text' for this task")
    return texts


def _targets(examples: Examples) -> Ragged:
    """The ids of the true texts."""
    field = examples.fields["target_ids"]
    if not isinstance(field, Ragged):
        raise DataError("examples: expected ragged rows of target_ids")
    return field


def _rows(ragged: Ragged) -> list[list[int]]:
    """The ids of each row, without its end."""
    ids, offsets = ragged.ids.tolist(), ragged.offsets.tolist()
    return [ids[start : end - 1] for start, end in pairwise(offsets)]


class Targets:
    """What is known of the texts to be written.

    Attributes:
        symbols: their units.
        longest: the units that the longest of them has.
    """

    def __init__(self, symbols: Symbols, longest: int) -> None:
        self.symbols = symbols
        self.longest = longest

    @property
    def sizes(self) -> Sizes:
        """An output a unit, and those of the end and of an unknown unit."""
        return Sizes(outputs=len(self.symbols))

    def encode(self, table: Table) -> Fields:
        """The ids of the texts, each with its end.

        Raises:
            DataError: for a table without texts to be written.
        """
        return {"target_ids": self.symbols.encode(texts_of(table))}

    def files(self) -> dict[str, bytes]:
        """None."""
        return {}

    def describe(self) -> dict[str, Any]:
        """The units, and how many the longest text has."""
        return {"target": list(self.symbols.names), "longest": self.longest}


@dataclass(frozen=True, eq=False)
class TextAnswer:
    """The text for a row, and others that were found.

    Attributes:
        symbols: of the texts.
        found: the best first.
    """

    symbols: Symbols
    found: Sequence[Written]

    @property
    def value(self) -> str:
        """The best text."""
        return self._text(self.found[0])

    def _text(self, written: Written) -> str:
        return self.symbols.text(written.ids)

    def _said(self, written: Written, name: str) -> dict[str, Any]:
        score, probability = round(written.score, 6), float(f"{math.exp(written.log_probability):.6g}")
        return {name: self._text(written), "score": score, "probability": probability}

    def json(self, top: int | None = None) -> dict[str, Any]:
        """The keys are "prediction", "score" and "probability"; "alternatives", where several are asked for."""
        best = self._said(self.found[0], "prediction")
        if top is None:
            return best
        return {**best, "alternatives": [self._said(written, "text") for written in self.found[:top]]}

    def line(self, top: int | None = None) -> str:
        """The text, a tab, and its score; so many of them, where several are asked for."""
        chosen = self.found[:top] if top is not None else self.found[:1]
        return "\t".join(f"{one_line(self._text(x), 1000)}\t{x.score:.4f}" for x in chosen)

    def cells(self, top: int | None = None) -> dict[str, Any]:
        """Columns "prediction", "score" and "probability"; if so many are asked for, "top_1", "score_1" and so on."""
        cells = self._said(self.found[0], "prediction")
        for number, written in enumerate([] if top is None else self.found[:top], start=1):
            cells |= {f"top_{number}": self._text(written), f"score_{number}": round(written.score, 6)}
        return cells
