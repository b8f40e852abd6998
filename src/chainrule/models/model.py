"""Model: a trained network with all that leads from a row to an answer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

import chainrule.polars as pl
from chainrule.data import Examples, Table
from chainrule.data.batching import portions
from chainrule.data.layout import ROW, TOKEN, Layout, Sizes
from chainrule.engines import Size, engine_named
from chainrule.errors import ConfigurationError, DataError
from chainrule.graph.spec import FLOAT32, INT64, Array, Spec, spec_of
from chainrule.graph.tensor import Tensor
from chainrule.models.carrying import carried_responses, is_carried
from chainrule.models.folder import read_folder, write_folder
from chainrule.models.given import few_texts, listed_texts
from chainrule.models.learner import Learner, Network
from chainrule.models.word_vectors import Vectored, VectoredNetwork
from chainrule.nn import summary
from chainrule.random import generator
from chainrule.tasks import Codec, Evaluation, Task
from chainrule.tasks.codec import TextPart
from chainrule.tasks.task import Answer
from chainrule.tasks.text_inputs import TextCodec

#: What rows may be given as: texts, lists of tokens, a frame or a mapping of columns, an array of numbers, or a table.
Inputs: TypeAlias = (
    "Iterable[str] | Iterable[Sequence[str]] | pl.Series | pl.DataFrame | Mapping[str, Sequence[Any]] | Array | Table"
)

#: Rows that go through the network at once.
BATCH = 512
#: Tokens that go through the network at once, and their outputs, where each token has some.
MOST_TOKENS, MOST_OUTPUTS = 1 << 13, 1 << 24
#: Rows whose answers are made at once, a multiple of that: with thousands of labels their probabilities take space.
ROWS_AT_ONCE = 16 * BATCH


class Model:
    """A task, what was learned from the table (the codec), a learner and its network, made and trained together.

    Prediction runs compiled, or with `engine="eager"` block by block on NumPy: to look inside, or for a few rows alone,
    which are done before native code is ready. Both give the same answers up to rounding.

    Attributes:
        task: what is asked.
        codec: from rows to arrays.
        learner: the settings of the network.
        network: from arrays to outputs.
        training: the settings it was trained with, as JSON holds them; empty for an untrained one.
        remarks: what is to be said of what its weights started from, a line each.
    """

    def __init__(
        self, task: Task, codec: Codec, learner: Learner, network: Network, training: Mapping[str, Any] | None = None
    ) -> None:
        self.task = task
        self.codec = codec
        self.learner = learner
        self.network = network
        self.training = dict(training or {})
        self.remarks: list[str] = []
        self._compiled: dict[object, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        """What copies and pickles take over; native code belongs to this process and this network."""
        return {**vars(self), "_compiled": {}}

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute; what is made of another network or task is made anew."""
        super().__setattr__(name, value)
        if name in ("network", "task", "codec", "learner"):
            super().__setattr__("_compiled", {})

    @classmethod
    def untrained(
        cls,
        learner: Learner,
        task: Task,
        table: Table,
        *,
        seed: int,
        before: Callable[[Learner, Sizes], None] | None = None,
        learned: tuple[Codec, Examples] | None = None,
    ) -> tuple[Model, Examples]:
        """A model with what is to be known of a table and the initial weights of a seed; and the table's examples.

        Args:
            learner: the family of networks.
            task: what is asked.
            table: rows to learn from.
            seed: of the initial weights.
            before: what is done with the learner and the sizes of its network before that is made.
            learned: what is to be known of the table, and its examples, where that was found before.

        Raises:
            DataError: for a table that cannot be learned from.
            ConfigurationError: when the learner cannot do the task.
        """
        learner.require(task.answers, task.name)
        task = task.resolved(learner.reads, learner.name)
        codec, examples = task.learn(table, learner.layout(task.answers)) if learned is None else learned
        start = None
        if isinstance(learner, Vectored) and learner.vectors is not None:
            if not isinstance(codec.inputs, TextCodec):
                raise ConfigurationError(
                    f"vectors: are of words, as the inputs text have them, and these are {codec.inputs.describe()}"
                )
            learner, start = learner.start(codec.inputs.vocabulary.entries.to_list())
        if before is not None:
            before(learner, codec.sizes)
        network = learner.network(codec.sizes, task.answers, generator(seed, "weights"))
        network.count(examples)
        model = cls(task.found(codec), codec, learner, network)
        model.remarks = network.take_over(generator(seed, "taken over"))
        if start is not None and isinstance(network, VectoredNetwork):
            network.start_from(start, generator(seed, "vectors"))
            model.remarks = start.remarks
        return model, examples

    @property
    def reads(self) -> Layout:
        """The arrays that the network reads."""
        return self.network.reads or self.learner.layout(self.task.answers)

    def table(self, rows: Inputs) -> Table:
        """Rows as a table without labels.

        Raises:
            DataError: when they are something else than the model reads.
        """
        if isinstance(rows, Table):
            return rows
        names = self.task.columns()
        if not names:
            target = "tags" if self.task.target == "tags" else "label"
            if isinstance(rows, pl.Series):
                return Table.from_frame(rows.alias("text").to_frame(), label=None, target=target, name="texts")
            return Table.from_lists(listed_texts(rows), target=target, name="texts")
        if isinstance(rows, Mapping):
            rows = pl.DataFrame(rows)
        elif isinstance(rows, np.ndarray) and rows.ndim == 2:
            wanted = [*names["numbers"], *names["categories"]]
            if rows.shape[1] != len(wanted):
                raise DataError(f"predict: expected {len(wanted)} columns ({', '.join(wanted)}), got {rows.shape[1]}")
            rows = pl.DataFrame(rows, schema=wanted)
        if not isinstance(rows, pl.DataFrame):
            raise DataError(
                f"predict: expected a frame or a mapping of columns, or an array of shape (rows, columns), got "
                f"{type(rows).__name__}"
            )
        return Table.from_frame(rows, **names, label=None, name="rows")

    def encode(self, rows: Inputs) -> Examples:
        """The arrays that the network reads."""
        if isinstance(self.codec.inputs, TextPart):
            texts = few_texts(rows, lists=self.task.target == "tags")
            if texts is not None:
                return self.codec.encode_few(texts)
        return self.codec.encode(self.table(rows), targets=False)

    def responses(self, examples: Examples, *, engine: str = "native", batch_size: int = BATCH) -> Array:
        """What the outputs of the network mean for examples, such as probabilities: shape (rows, ...) or (tokens, ...).

        Args:
            examples: encoded rows.
            engine: "native" or "eager".
            batch_size: how many go through the network at once.
        """
        if is_carried(examples):
            return carried_responses(self, examples, engine, batch_size)
        names, respond, most = self.kept(("responding", engine), lambda: self._responding(examples, engine, batch_size))
        batches = (some.arrays() for some in portions(examples, batch_size, most))
        parts: list[Array] = [respond(*[arrays[name] for name in names]).numpy() for arrays in batches]
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts) if parts else np.zeros((0, self.codec.sizes.outputs), FLOAT32)

    def _responding(self, examples: Examples, engine: str, batch_size: int) -> tuple[Sequence[str], Any, int | None]:
        """What is the same in all `responses`: the arrays that are read, the function, and tokens at once."""
        names, sizes = self.reads.arrays, [examples.sizes()[name] for name in self.reads.arrays]
        limited = self.task.answers != ROW or self.learner.by_token  # as each token has many numbers
        many = examples.extremes(batch_size) if examples.rows > 3 * batch_size and not limited else []
        expected = [[spec_of(arrays[name]) for name in names] for arrays in many]
        respond = self.compiled("response", self._response, engine, expected=expected, sizes=sizes)
        return names, respond, min(MOST_TOKENS, MOST_OUTPUTS // self.codec.sizes.outputs) if limited else None

    def compiled(
        self, name: str, function: Callable[..., Any], engine: str, *,
        expected: Sequence[Sequence[Spec]] = (), sizes: Sequence[Size | None] = (),
    ) -> Callable[..., Any]:  # fmt: skip
        """A function of the network as an engine runs it, which is kept by its name until there is another network.

        Args:
            name: of what it computes.
            function: of tensors.
            engine: "native" or "eager".
            expected: specs of arguments to prepare for: the smallest, the largest and some in between.
            sizes: what the first axes of arguments count; see `Engine.compile`.
        """
        settings: dict[str, Any] = {"ragged": True, "expected": expected, "sizes": sizes}
        return self.kept((name, engine), lambda: engine_named(engine).compile(function, **settings))  # type: ignore[no-any-return]

    def kept(self, name: object, make: Callable[[], Any]) -> Any:
        """What was made of the network under this name, until there is another network."""
        if name not in self._compiled:
            self._compiled[name] = make()
        return self._compiled[name]

    def _response(self, *arrays: Tensor) -> Tensor:
        return self.task.response(self.network(*arrays), dict(zip(self.reads.arrays, arrays, strict=True)))

    def answers(self, rows: Inputs, *, engine: str = "native") -> Iterator[Answer]:
        """The answer for each row, with all that is said of it, one after another; `engine` as of `responses`.

        Raises:
            DataError: for rows that the model does not read, before the first answer.
        """
        rows = rows if isinstance(rows, (list, tuple)) else self.table(rows)  # a union takes several times as long
        examples = self.encode(rows)
        if self.task.answers == TOKEN and (words_of := getattr(self.codec.inputs, "words", None)):  # of texts
            words = words_of(rows.texts.to_list() if isinstance(rows, Table) else rows)
            examples = Examples({**examples.fields, "words": np.fromiter(words, object, examples.rows)})
        if examples.rows <= ROWS_AT_ONCE:
            return iter(self.task.answer(self, examples, engine))
        starts = range(0, examples.rows, ROWS_AT_ONCE)
        parts = (self.task.answer(self, examples.slice(x, x + ROWS_AT_ONCE), engine) for x in starts)
        return (answer for part in parts for answer in part)

    @property
    def ranks(self) -> bool:
        """Whether an answer tells the likeliest of several labels or texts, as many as it is asked for."""
        labelled = getattr(self.codec.targets, "names", None) is not None and self.task.answers == ROW
        return labelled or hasattr(self.task, "beam")

    def predict(self, rows: Inputs, *, engine: str = "native") -> list[Any]:
        """The answer for each row: a label, a list of labels, or a number; labels that were numbers come as numbers.

        Args:
            rows: texts, or columns as a frame, a mapping or an array.
            engine: "native" or "eager".

        Raises:
            DataError: for rows that the model does not read.

        Example:
            >>> import chainrule
            >>> table = chainrule.Table.from_lists(["good", "fun", "bad", "dull"] * 5, list("ppnn") * 5)
            >>> model = chainrule.fit(chainrule.BagOfWords(), table, table).model
            >>> model.predict(["good fun", "dull"])
            ['p', 'n']
        """
        return [answer.value for answer in self.answers(rows, engine=engine)]

    def predict_probabilities(self, rows: Inputs, *, batch_size: int = BATCH, engine: str = "native") -> Array:
        """The probability of each label for each row, float32 of shape (rows, labels), in the order of `labels`.

        Args:
            rows: texts, or columns as a frame, a mapping or an array.
            batch_size: how many go through the network at once.
            engine: "native" or "eager".

        Raises:
            ConfigurationError: for a model that does not answer by labels.

        Example:
            >>> import chainrule
            >>> table = chainrule.Table.from_lists(["good", "fun", "bad", "dull"] * 5, list("ppnn") * 5)
            >>> model = chainrule.fit(chainrule.BagOfWords(), table, table).model
            >>> model.predict_probabilities(["good fun"]).argmax(axis=1), model.labels
            (array([1]), ('n', 'p'))
        """
        if self.task.answers != ROW:
            raise ConfigurationError(f"a model that was trained to {self.task.name} has no probabilities of rows")
        shape = (0, len(self.labels))
        found = self.responses(self.encode(rows), engine=engine, batch_size=batch_size)
        return found if len(found) else np.zeros(shape, FLOAT32)

    @property
    def labels(self) -> tuple[Any, ...]:
        """The labels there are, as `predict` gives them.

        Raises:
            ConfigurationError: for a model that does not answer by labels.
        """
        if not (labels := getattr(self.codec.targets, "values", None)):
            raise ConfigurationError(f"a model that was trained to {self.task.name} has no labels or probabilities")
        return tuple(labels)

    def unseen_labels(self, table: Table) -> dict[str, int]:
        """The labels of a table that the model does not know, and how many rows have each, the commonest first.

        Raises:
            DataError: for a table without labels.
        """
        count: Callable[[Table], dict[str, int]] | None = getattr(self.codec.targets, "unseen", None)
        return {} if count is None else count(table)

    def evaluate(self, table: Table, *, engine: str = "native") -> Evaluation:
        """How well the answers fit the labels of a table; `engine` as of `responses`.

        A row with a label that the model does not know counts as wrong: see `unseen_labels` and `Classification`.

        Raises:
            DataError: for a table without rows or labels, or of whose labels the model knows none.

        Example:
            >>> import chainrule
            >>> table = chainrule.Table.from_lists(["good", "fun", "bad", "dull"] * 5, list("ppnn") * 5)
            >>> chainrule.fit(chainrule.BagOfWords(), table, table).model.evaluate(table).measures["accuracy"]
            1.0
        """
        examples = self.codec.encode(table, targets=True)
        if not examples.rows:
            raise DataError(f"{table.name}: has no rows to evaluate on")
        return self.task.judge(self, examples, engine)

    def generate(
        self,
        prompt: str = "",
        *,
        length: int = 200,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
        engine: str = "native",
    ) -> str:
        """How the model goes on after a prompt; see `Continue` for an example, and `chainrule.models.generation`.

        Args:
            prompt: how the text begins; it may be empty.
            length: tokens that are written at most; it may end before.
            temperature: see `Sampling`, as of `top_k` and `top_p`.
            top_k: how many tokens may be drawn each time.
            top_p: the probability that those have together.
            seed: of the draws: the same gives the same text.
            engine: "native" or "eager".

        Raises:
            ConfigurationError: for a model of another task, or a figure outside its range.
            DataError: for a prompt with what the model has not learned.
        """
        from chainrule.models.generation import generate  # which few models do
        from chainrule.models.sampling import Sampling

        sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p)
        return "".join(generate(self, prompt, length, sampling, seed=seed, engine=engine))

    def summary(self) -> str:
        """A table of layers, shapes and parameter counts, for one row; for texts, of one token."""
        return summary(self.network, *self.specs(1))

    def specs(self, rows: int) -> list[Spec]:
        """What the arrays of rows look like; texts have one token each, of one character."""
        sizes = self.codec.sizes
        ids, offsets = Spec((rows,), INT64), Spec((rows + 1,), INT64)
        shapes = {
            **dict.fromkeys(("ids", "characters", "lengths", "target_ids", "first", "pieces"), ids),
            **dict.fromkeys(("offsets", "target_offsets", "piece_offsets"), offsets),
            "numbers": Spec((rows, sizes.features), FLOAT32),
            "categories": Spec((rows, len(sizes.cardinalities)), INT64),
        }
        return [shapes[name] for name in self.reads.arrays]

    def save_torch(self, path: str | os.PathLike[str]) -> None:
        """Write the weights for PyTorch: see `Layer.save_torch`, and docs/pytorch.md for the module that has them."""
        self.network.save_torch(path)

    def load_torch(self, path: str | os.PathLike[str]) -> None:
        """Take over weights of PyTorch: see `Layer.load_torch`."""
        self.network.load_torch(path)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the model to a new folder: see `chainrule.models.folder`.

        Raises:
            StorageError: when the folder exists already, or cannot be written.
        """
        write_folder(folder, self.task, self.codec, self.learner, self.network, self.training)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Model:
        """Read a model that `save` wrote, with this version or an earlier one.

        Raises:
            ModelError: when the folder is missing, incomplete, altered, or of a newer version.
        """
        return cls(*read_folder(Path(folder)))


def evaluate(model: Model, table: Table, *, engine: str = "native") -> Evaluation:
    """How well a model's answers fit the labels of a table: `model.evaluate(table)`."""
    return model.evaluate(table, engine=engine)
