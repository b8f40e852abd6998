"""Continue: the next token of a text, and so a model of language."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from chainrule.blocks import argmax, concatenate, equal, expand, segment_shift
from chainrule.data import Examples, Ragged, Table
from chainrule.data.chunks import offsets_of
from chainrule.data.dialect import AUTO
from chainrule.data.layout import CARRIED, FOLLOWING, NEXT_TOKEN, Layout
from chainrule.data.plain import is_plain, read_plain
from chainrule.data.sources import Places, listed
from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, DataError
from chainrule.graph.spec import FLOAT32, Array
from chainrule.graph.tensor import Tensor
from chainrule.nn import LOSSES
from chainrule.settings import setting
from chainrule.tasks import measures
from chainrule.tasks.codec import Codec, Fields, InputPart, Part
from chainrule.tasks.contexts import ContextCodec, Nothing, streams
from chainrule.tasks.inputs import Inputs
from chainrule.tasks.perplexity import Likelihood, Perplexity
from chainrule.tasks.task import TASKS, Answer, Baseline, Task
from chainrule.tasks.unit_inputs import Units
from chainrule.text.pieces import UNSEEN

#: White space at which a text may be cut in two.
BLANK = re.compile(r"\s")


@TASKS.register
@dataclass(frozen=True, kw_only=True)
class Continue(Task):
    """The next token of a text: a model of language, which can write.

        p(w₁ … wₙ) = Πₜ p(wₜ | w₁ … wₜ₋₁),    p(wₜ | …) = softmax(z),    L = -ln p(wₜ | …), the mean over tokens

    for the outputs z after the token before. A text begins and ends with a token of its own, so that what is written
    may end, too. Texts are cut into contexts, in the order of the text: in each, tokens know those before them in the
    same context. A token that was not learned is one like any other.

    With `carry_state`, a recurrent network goes on in each context from the state after the one before it, of which
    gradients know nothing (truncated back-propagation through time): tokens know all of their text that came before.
    A mini-batch has the next context of so many streams, whose order is never changed.

    A text file is one text. Of fewer than 50 texts, the last tenth of each is kept to validate on.

    Attributes:
        inputs: what tokens are; see `Units`.
        context: how many tokens are predicted in a context.
        carry_state: whether the state after a context is carried to the next one.

    Example:
        >>> import chainrule
        >>> table = chainrule.Table.from_lists(["to be or not to be, that is the question. " * 20])
        >>> training = chainrule.Training(epochs=40, learning_rate=0.02, batch_size=4)
        >>> learner = chainrule.LongShortTermMemory(dim=8, size=24, dropout=0.0)
        >>> run = chainrule.fit(learner, table, table, task=Continue(context=32), training=training)
        >>> run.model.generate("to be or ", length=9, temperature=0)
        'not to be'

    Sources: Bengio et al., A Neural Probabilistic Language Model (2003); Mikolov et al., Recurrent Neural Network Based
    Language Model (2010); for carried states Williams and Peng, An Efficient Gradient-Based Algorithm for On-Line
    Training of Recurrent Network Trajectories (1990).
    """

    name: ClassVar[str] = "continue"
    pace: ClassVar[float] = 3.0
    answers: ClassVar[str] = NEXT_TOKEN
    watched: ClassVar[tuple[str, ...]] = ("loss", "perplexity", "bits_per_byte", "accuracy")

    context: int = setting(64, "tokens that are predicted in a row, knowing those before them", least=1)
    carry_state: bool = setting(False, "the state after a context is carried to the next one; of recurrent learners")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.carry_state:  # which asks more of a learner
            object.__setattr__(self, "answers", CARRIED)

    @classmethod
    def inputs_for(cls, reads: Layout) -> Inputs:  # noqa: ARG003  (other tasks choose by it)
        """Units: what is learned has to become text again."""
        return Units()

    def resolved(self, reads: Layout, learner: str) -> Task:
        """The task with its inputs.

        Raises:
            ConfigurationError: for inputs from which no text comes back.
        """
        task = super().resolved(reads, learner)
        if task.inputs is not None and not isinstance(task.inputs, Units):
            raise ConfigurationError(
                f"{self.name} writes texts, and {task.inputs.name} inputs do not become texts again: use Units()"
            )
        return task

    def read(
        self,
        path: Places,
        *,
        text: str | None = None,
        label: str | None = None,
        encoding: str = "utf-8",
        separator: str = AUTO,
        quoting: str = AUTO,
        header: bool = True,
        splits: Sequence[str] = ("train",),
        weight: str | None = None,
        keep: str | Sequence[str] = (),
    ) -> Table:
        """Read texts: each text file is one; of a table, each cell of a column.

        Raises:
            ConfigurationError: for a column of labels or weights.
            DataError: for a file that cannot be used.
        """
        for option, given in (("--label", label), ("--weight", weight)):
            if given is not None:
                raise ConfigurationError(
                    f"{option} {given}: the task {self.name} learns from texts alone; leave it out"
                )
        places = listed(path)
        if text is None and separator == quoting == AUTO and header and not keep and all(map(is_plain, places)):
            return read_plain(places, encoding=encoding)
        return super().read(
            places if len(places) > 1 else places[0],
            text=text,
            label=None,
            encoding=encoding,
            separator=separator,
            quoting=quoting,
            header=header,
            splits=splits,
            keep=keep,
        )

    def learn_targets(self, table: Table) -> tuple[Part, Fields]:
        """Nothing beside the texts.

        Raises:
            DataError: for rows with weights.
        """
        if table.weights is not None:
            raise DataError(f"{table.name}: its rows have weights, and the task {self.name} counts all tokens the same")
        return Nothing(), {}

    def load_targets(self, description: Mapping[str, Any]) -> Part:  # noqa: ARG002
        """Nothing."""
        return Nothing()

    def codec(self, inputs: InputPart, targets: Part) -> Codec:
        """One that cuts texts into contexts."""
        return ContextCodec(inputs, targets, self.context, carried=self.carry_state)

    def divided(self, table: Table, fraction: float) -> tuple[Table, Table, str] | None:
        """The texts without their last part, and these parts; None where nothing would be left to learn from."""
        starts, ends = [], []
        for text in table.texts.to_list():
            place = int(len(text) * (1 - fraction))
            blank = BLANK.search(text, place)
            place = place if blank is None else blank.start()
            starts.append(text[:place])
            ends.append(text[place:])
        if not any(starts):
            return None
        train, valid = (replace(Table.from_lists(x, name=table.name), source=table.source) for x in (starts, ends))
        return train, valid, f"{table.name}: the last {fraction:.0%} of each text are kept to validate on"

    def batches(
        self, examples: Examples, size: int, generator: np.random.Generator, *, by_length: bool = False
    ) -> Iterator[Examples]:
        """Mini-batches of contexts in a random order; in that of the texts, where a state is carried."""
        if self.carry_state:
            return streams(examples, size)
        return super().batches(examples, size, generator, by_length=by_length)

    def weight(self, batch: Examples) -> int:
        """The tokens that are predicted: of each context, all but the first; with a state all that are read."""
        return len(_following(batch))

    def loss(self, outputs: Tensor, batch: Mapping[str, Tensor], codec: Codec) -> tuple[Tensor, dict[str, Tensor]]:  # noqa: ARG002
        """The equation above, and how many tokens were the likeliest."""
        losses, right, counts = self._compared(outputs, batch)
        return losses.sum() / counts.sum(), {"accuracy": right.sum()}

    def response(self, outputs: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """Of the token after each: the log-probability, and 1 where it is the likeliest; after the last token, zeros.

        Shape (tokens, 2): probabilities of all that might come are as many as outputs.
        """
        losses, right, _ = self._compared(outputs, batch)
        return concatenate([expand(-losses, 1), expand(right, 1)], 1)

    def _compared(self, outputs: Tensor, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Of the token after each, the loss, 1 where it is the likeliest, and 1 where there is one; else zeros."""
        ids, offsets = batch["ids"], batch["offsets"]
        counts = equal(ids, ids).astype(outputs.dtype)
        if FOLLOWING in batch:
            following = batch[FOLLOWING]
        else:
            counts, following = segment_shift(counts, offsets, 1), segment_shift(ids, offsets, 1)
        losses = LOSSES["cross_entropy"]().over("classes")(outputs, following, reduction="none")
        right = equal(argmax(outputs, 1).astype(following.dtype), following).astype(outputs.dtype)
        return losses * counts, right * counts, counts

    def evaluate(self, responses: Array, examples: Examples, codec: Codec) -> Perplexity:
        """How well tokens were predicted."""
        comes, known = _following(examples), _followed(examples)
        sizes = np.array([len(content) for content in codec.inputs.pieces.content])  # type: ignore[attr-defined]
        offsets = offsets_of(np.maximum(_ids(examples).lengths - (FOLLOWING not in examples.fields), 0))
        return Perplexity(responses[known, 0], responses[known, 1], sizes[comes], comes == UNSEEN, offsets)

    def baselines(self, examples: Examples, codec: Codec) -> tuple[Baseline, ...]:
        """Each token as often as it comes."""
        counts = np.bincount(_following(examples), minlength=codec.sizes.outputs)
        return (Baseline(counts / counts.sum(), "expecting each token as often as it comes"),)

    def answered(self, baseline: Baseline, examples: Examples) -> Array:
        """What `response` gives where these are the probabilities after every token."""
        comes, known = _following(examples), _followed(examples)
        responses = np.zeros((len(known), 2), FLOAT32)
        responses[known, 0] = np.log(np.maximum(baseline.response, measures.SMALLEST))[comes]
        responses[known, 1] = comes == baseline.response.argmax()
        return responses

    def predict(self, responses: Array, examples: Examples, codec: Codec) -> list[Answer]:
        """How likely each text is."""
        ids = _ids(examples)
        found: list[Answer] = []
        for row in range(len(ids)):
            one = Examples({"ids": ids.slice(row, row + 1)})
            figures = self.evaluate(responses[ids.offsets[row] : ids.offsets[row + 1]], one, codec)
            total = float(np.sum(figures.log_probabilities, dtype=np.float64))
            found.append(Likelihood(figures.perplexity, figures.bits_per_byte, total, figures.tokens))
        return found


def _ids(examples: Examples) -> Ragged:
    ids = examples.fields["ids"]
    if not isinstance(ids, Ragged):
        raise TypeError(f"expected ragged ids, got {type(ids).__name__}")
    return ids


def _followed(examples: Examples) -> Array:
    """Where it is known what follows a token, bool of shape (tokens,)."""
    ids = _ids(examples)
    if FOLLOWING in examples.fields:
        return np.ones(len(ids.ids), bool)
    followed = np.ones(len(ids.ids), bool)
    followed[ids.offsets[1:][ids.lengths > 0] - 1] = False
    return followed


def _following(examples: Examples) -> Array:
    """The tokens that follow those, one after another."""
    known = examples.fields.get(FOLLOWING)
    if isinstance(known, Ragged):
        return known.ids
    return _ids(examples).ids[1:][_followed(examples)[:-1]]
