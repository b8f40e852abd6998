"""What trainings on the same rows share: the rows as arrays, and what a record says of them."""

from __future__ import annotations

from chainrule.data import Examples, Table
from chainrule.data.layout import Layout
from chainrule.dataclasses import dataclass
from chainrule.models import Learner
from chainrule.tasks import Codec, Task
from chainrule.train.record import Line, describe
from chainrule.train.validation import repeated_rows


@dataclass(frozen=True, eq=False)
class Prepared:
    """Rows that were read once for many trainings: of other seeds and settings, and of all learners that read the same.

    Nothing of it changes while a network trains, so that trainings on several threads may share it.

    Attributes:
        task: what is asked, with its inputs.
        reads: the arrays that the learners read.
        train: the rows to learn from.
        valid: those to stop by.
        codec: what is known of the rows to learn from.
        examples: these as arrays.
        validation: those to stop by.
        described: what a record says of both tables, by their parts.
        repeated: how many rows of validation are training rows, too.

    Example:
        >>> import chainrule
        >>> table = chainrule.Table.from_lists(["good", "fun", "bad", "dull"] * 20, list("ppnn") * 20)
        >>> train, valid = table.split(0.8, 0.2, seed=0)
        >>> prepared = Prepared.of(chainrule.BagOfWords(), chainrule.Classify(), train, valid)
        >>> runs = [chainrule.fit(chainrule.BagOfWords(), prepared, seed=seed) for seed in range(3)]
        >>> [run.best.valid["accuracy"] for run in runs]
        [1.0, 1.0, 1.0]
    """

    task: Task
    reads: Layout
    train: Table
    valid: Table
    codec: Codec
    examples: Examples
    validation: Examples
    described: Line
    repeated: dict[str, int] | None

    @classmethod
    def of(cls, learner: Learner, task: Task, train: Table, valid: Table) -> Prepared:
        """The rows as a learner of this kind, with whatever settings, reads them for a task.

        Raises:
            DataError: for tables that cannot be learned from.
            ConfigurationError: when the learner cannot do the task.
        """
        learner.require(task.answers, task.name)
        task = task.resolved(learner.reads, learner.name)
        reads = learner.layout(task.answers)
        codec, examples = task.learn(train, reads)
        validation = codec.encode(valid, targets=True)
        described = {"train": describe(train), "valid": describe(valid)}
        return cls(task, reads, train, valid, codec, examples, validation, described, repeated_rows(train, valid))
