"""Task: what is asked of a model, and how its answers are learned, measured and shown."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np

from chainrule.data import Examples, Table, batches
from chainrule.data.dialect import AUTO
from chainrule.data.layout import ROW, Layout
from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError
from chainrule.graph.spec import Array, Spec
from chainrule.graph.tensor import Tensor
from chainrule.settings import Registry, Settings, setting
from chainrule.tasks.codec import Codec, Fields, InputPart, Part, row_weights
from chainrule.tasks.decision import Decision
from chainrule.tasks.inputs import INPUTS, Inputs, inputs_for, require_layout

if TYPE_CHECKING:
    from chainrule.data.sources import Places
    from chainrule.nn import Loss

#: Rows of a printed table, the first of which is the heading.
Rows = Sequence[Sequence[str]]

#: The sum of a mini-batch that its mean loss is a mean over, where rows or classes have weights.
LOSS_WEIGHT = "loss_weight"


class Answer(Protocol):
    """What a model answers for one row."""

    @property
    def value(self) -> Any:
        """The answer itself, in Python's own types."""

    def json(self, top: int | None = None) -> dict[str, Any]:
        """All that is said of it, as JSON can hold it; of its labels so many, the likeliest first."""

    def line(self, top: int | None = None) -> str:
        """The same for people: fields separated by tabs."""

    def cells(self, top: int | None = None) -> dict[str, Any]:
        """The same as cells of a table, by the names of its columns: numbers, texts, and lists of them."""


class Evaluation(Protocol):
    """How well answers fit what is true; each measure is an attribute too, which is computed when it is asked for."""

    #: What the score of a row is, in a few words, such as "right".
    score: ClassVar[str]

    @property
    def measures(self) -> dict[str, float]:
        """Named figures, the most telling first."""

    @property
    def scores(self) -> Array:
        """How well each row is answered, the higher the better, float64 of shape (rows,)."""

    @property
    def confidence(self) -> Array | None:
        """The score of each row that the model itself expects, from 0 to 1; None where answers have no probability."""

    def as_dict(self) -> dict[str, Any]:
        """All of it, as JSON can hold it."""

    def tables(self) -> list[tuple[str, Rows]]:
        """Tables for people, each with its title."""


class Answering(Protocol):
    """What a task needs of a model to have it answer."""

    @property
    def codec(self) -> Codec:
        """What is known of the training rows."""

    @property
    def network(self) -> Any:
        """From arrays to outputs."""

    def responses(self, examples: Examples, *, engine: str = "native") -> Array:
        """What the outputs of the network mean for examples."""

    def compiled(
        self, name: str, function: Callable[..., Any], engine: str, *, expected: Sequence[Sequence[Spec]] = ()
    ) -> Callable[..., Any]:
        """A function of the network as an engine runs it, which is kept by its name."""


#: The answer of a baseline whose probabilities are the shares of labels.
AS_FOUND = "answering each label as often as it is found"


@dataclass(frozen=True)
class Baseline:
    """The best answer that needs no look at a row: what a model has to be better than.

    Attributes:
        response: to every row, shape (outputs,).
        answer: in words, such as "always answering 'pos'".
        measure: that is compared, one of those that the task watches.
        higher: whether higher is better.
    """

    response: Array
    answer: str
    measure: str = "loss"
    higher: bool = False

    def reached_by(self, value: float, figure: float) -> bool:
        """Whether the figure of the baseline is as good as that of a model, or better, as they are shown."""
        value, figure = (float(f"{x:.4g}") for x in (value, figure))
        return value <= figure if self.higher else value >= figure


@dataclass(frozen=True, kw_only=True)
class Task(Settings, ABC):
    """What is asked of a model: settings alone, no data and no weights.

    A task knows how labels become arrays (`learn_targets`), the loss of a network's outputs, what the outputs mean
    (`response`), and how answers are measured and shown. It does not know the network.

    Attributes:
        inputs: what is known of each row; None for what the learner reads, with defaults.
    """

    #: What one output of the network belongs to: a row; a token of a text, which knows those around it; or one that is
    #: to come, of which those before it are known.
    answers: ClassVar[str] = ROW
    #: What learning rates are multiplied by that learners were tuned with, on tasks with one answer a row.
    pace: ClassVar[float] = 1.0
    #: What a cell of the label column holds; see `read_table`.
    target: ClassVar[str] = "label"
    #: The validation measure that early stopping watches; the lower the better.
    monitor: ClassVar[str] = "loss"
    #: The measures of validation that a record keeps of every epoch.
    watched: ClassVar[tuple[str, ...]] = ("loss",)
    #: Of these, the one that is a share of the rows, if there is one.
    share: ClassVar[str | None] = None

    inputs: Inputs | None = setting(None, "what is known of each row", kinds=INPUTS)

    @classmethod
    def unit_gradient(cls, criterion: str | Loss | None) -> bool:  # noqa: ARG003
        """Whether the loss of a row changes by about as much as any of its outputs: what tuned rates of SGD are for.

        Args:
            criterion: the loss, where the task has a setting of it; None for that of the task.
        """
        return False

    @classmethod
    def inputs_for(cls, reads: Layout) -> Inputs:
        """The inputs, with their defaults, that it takes for what a learner reads."""
        return inputs_for(reads)

    def resolved(self, reads: Layout, learner: str) -> Task:
        """The task with the inputs that a learner reads.

        Raises:
            ConfigurationError: when the learner reads what the inputs do not give.
        """
        if self.inputs is None:
            return dataclasses.replace(self, inputs=self.inputs_for(reads))
        require_layout(self.inputs, reads, learner)
        return self

    def found(self, codec: Codec) -> Task:
        """The task with the columns that were found in the training rows, so that others are read in the same way."""
        return dataclasses.replace(self, inputs=self._inputs.found(codec.inputs))

    def columns(self) -> dict[str, Any]:
        """The columns of numbers and categories, as `read_table` is told them; empty where rows are texts."""
        return {} if self.inputs is None else self.inputs.columns()

    def read(
        self,
        path: Places,
        *,
        text: str | None = None,
        label: str | None = "label",
        encoding: str = "utf-8",
        separator: str = AUTO,
        quoting: str = AUTO,
        header: bool = True,
        splits: Sequence[str] = ("train",),
        weight: str | None = None,
        keep: str | Sequence[str] = (),
    ) -> Table:
        """Read a table as this task needs it; see `read_table`.

        Raises:
            ConfigurationError: for a column of texts, where columns of numbers and categories are read.
            DataError: for a file that cannot be used.
        """
        columns = self.columns()
        if columns and text is not None:
            raise ConfigurationError(
                f"--text {text}: columns of numbers and categories are read here, and no texts; leave it out, name "
                "columns with --numbers and --categories, or choose a learner of texts (chainrule learners lists them)"
            )
        written = {"encoding": encoding, "separator": separator, "quoting": quoting, "header": header}
        further = {**columns, **self.reading(), **written, "splits": splits, "weight": weight, "keep": keep}
        from chainrule.data import read_table

        return read_table(path, text="text" if text is None else text, label=label, target=self.target, **further)

    @property
    def files(self) -> tuple[str, ...]:
        """The files of a model folder that hold what was learned from the table."""
        return self._inputs.files

    def reading(self) -> dict[str, Any]:
        """What `read_table` is told beside columns and target."""
        return {}

    def learn(self, table: Table, reads: Layout) -> tuple[Codec, Examples]:
        """What is to be known of the training rows, and their arrays.

        Raises:
            DataError: for a table that cannot be learned from.
        """
        targets, labels = self.learn_targets(table)
        inputs, fields = self._inputs.learn(table, reads)
        codec = self.codec(inputs, targets)
        return codec, codec.examples({**fields, **labels, **row_weights(table)}, targets=True)

    def codec(self, inputs: InputPart, targets: Part) -> Codec:
        """Both parts of a codec together."""
        return Codec(inputs, targets)

    def load(self, folder: Path, description: Mapping[str, Any], reads: Layout) -> Codec:
        """The codec of a model folder.

        Raises:
            ModelError: when the folder does not hold what it should.
        """
        return self.codec(self._inputs.load(folder, description, reads), self.load_targets(description))

    @property
    def _inputs(self) -> Inputs:
        if self.inputs is None:
            raise AssertionError("a task is resolved before it learns")
        return self.inputs

    @abstractmethod
    def learn_targets(self, table: Table) -> tuple[Part, Fields]:
        """What is to be known of the labels, and their arrays.

        Raises:
            DataError: for labels that cannot be learned.
        """

    @abstractmethod
    def load_targets(self, description: Mapping[str, Any]) -> Part:
        """What is known of the labels, from what `Codec.describe` gave.

        Raises:
            ModelError: when it is not what it should be.
        """

    def divided(self, table: Table, fraction: float) -> tuple[Table, Table, str] | None:  # noqa: ARG002
        """The rows to learn from, those to stop by, and what is to be said, of a table with too few rows to deal out.

        None where both have to be the same rows.
        """
        return None

    def batches(
        self, examples: Examples, size: int, generator: np.random.Generator, *, by_length: bool = False
    ) -> Iterator[Examples]:
        """Mini-batches of one pass over the examples, in a random order; see `chainrule.data.batches`."""
        return batches(examples, size, generator=generator, by_length=by_length)

    def weight(self, batch: Examples) -> int:
        """What the mean loss of a mini-batch is a mean over, but for weights, and what other means are over."""
        return batch.rows

    @abstractmethod
    def loss(self, outputs: Tensor, batch: Mapping[str, Tensor], codec: Codec) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss to minimise, a mean over the batch, and sums over the batch by name.

        Args:
            outputs: of the network, shape (rows, outputs).
            batch: the arrays of the batch, those of the targets among them; and "weights", where rows have some: the
                mean is a weighted one then, and the sums have, as "loss_weight", what it was divided by.
            codec: what is known of the training rows.
        """

    def measures(self, sums: Mapping[str, float]) -> dict[str, float]:
        """Measures of training, from sums over an epoch.

        Args:
            sums: those of `loss`, and "weight" and "loss", which is the sum of mean losses times what they are over.
        """
        over = {"loss": sums.get(LOSS_WEIGHT, sums["weight"])}
        named = {name: value for name, value in sums.items() if name not in ("weight", LOSS_WEIGHT)}
        return {name: value / over.get(name, sums["weight"]) for name, value in named.items()}

    @abstractmethod
    def response(self, outputs: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        """What the outputs of a network mean, such as probabilities.

        Args:
            outputs: of the network, shape (rows, outputs), or (tokens, outputs) where each token has some.
            batch: the arrays that the network read.
        """

    @abstractmethod
    def evaluate(self, responses: Array, examples: Examples, codec: Codec) -> Evaluation:
        """How well responses fit the targets of examples."""

    def chosen(self, responses: Array, examples: Examples) -> dict[str, float]:  # noqa: ARG002
        """The settings that are left to validation ("auto"), by name, as its responses and examples would have them."""
        return {}

    def settled(self, figures: Mapping[str, float]) -> Self:
        """The task with the settings that were left to validation, which are among its figures."""
        left: dict[str, Any] = {x: figures[x] for x, value in vars(self).items() if value == AUTO and x in figures}
        return dataclasses.replace(self, **left) if left else self

    def certainty(self, responses: Array) -> Array | None:  # noqa: ARG002
        """The probability of the surest decision in each response; None where responses are no probabilities."""
        return None

    def labelled(self, examples: Examples) -> Array | None:  # noqa: ARG002
        """The label that each row has, as a column of the responses; None where a row does not have just one."""
        return None

    def baselines(self, examples: Examples, codec: Codec) -> tuple[Baseline, ...]:  # noqa: ARG002
        """What a model has to be better than, each by another measure, from the training examples."""
        return ()

    def loss_of(self, baseline: Baseline, examples: Examples, codec: Codec) -> float:
        """The mean loss of a baseline on examples."""
        return float(self.evaluate(self.answered(baseline, examples), examples, codec).measures["loss"])

    def answered(self, baseline: Baseline, examples: Examples) -> Array:
        """The responses to examples that are those of a baseline."""
        return baseline.response[None].repeat(self.weight(examples), axis=0)

    @abstractmethod
    def predict(self, responses: Array, examples: Examples, codec: Codec) -> list[Answer]:
        """The answer for each row, from its response, or from those of its tokens."""

    def decision(
        self, codec: Codec, response: Array | None, answer: object = None, against: object = None  # noqa: ARG002
    ) -> Decision:  # fmt: skip
        """What an answer depends on.

        Args:
            codec: what is known of the training rows.
            response: to the row; None for any row.
            answer: the label that is asked about; None for the likeliest.
            against: the label that it is compared with; None for the likeliest other one, or where there is no response
                all others.

        Raises:
            ConfigurationError: for a label that there is not, or answers that are no such sums.
        """
        raise ConfigurationError(f"the task {self.name} does not answer by a label or a number a row to be explained")

    def answer(self, model: Answering, examples: Examples, engine: str) -> list[Answer]:
        """The answers of a model for rows: from one response each, unless a task generates them piece by piece."""
        return self.predict(model.responses(examples, engine=engine), examples, model.codec)

    def judge(self, model: Answering, examples: Examples, engine: str) -> Evaluation:
        """How well the answers of a model fit the targets of rows; as `evaluate`, unless a task generates them."""
        return self.evaluate(model.responses(examples, engine=engine), examples, model.codec)


TASKS: Registry[Task] = Registry(
    "task",
    Task,
    {
        "classify": "chainrule.tasks.classify",
        "continue": "chainrule.tasks.continuation",
        "multi-label": "chainrule.tasks.multi_label",
        "regress": "chainrule.tasks.regress",
        "tag": "chainrule.tasks.tag",
        "transduce": "chainrule.tasks.transduce",
    },
)
