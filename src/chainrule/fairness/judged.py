"""Judged: what models answer for the rows of a table, and what is true, as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.data import Table
from chainrule.data.layout import ROW
from chainrule.errors import ConfigurationError, DataError
from chainrule.graph.spec import Array
from chainrule.models import Model
from chainrule.shown import listing
from chainrule.tasks.classification import Classification
from chainrule.tasks.multi_label import MultiLabelEvaluation
from chainrule.tasks.regress import RegressionEvaluation


@dataclass(frozen=True, eq=False)
class Figure:
    """A figure that each group has: a share of its rows, or a mean over them.

        f = Σ partᵢ / Σ wholeᵢ over the rows i of a group; with `root`, √f

    Attributes:
        name: of it, such as "tpr".
        title: in words.
        of: the label it is of; "" for all.
        part: shape (models, rows): of a share whether each row counts, of a mean a number.
        whole: whether each row is one of those the share is of, of shape (models, rows), or (1, rows) where
            that is so for all models; None for all rows.
        root: whether it is the root of a mean.
        ratios: whether ratios of it say something: not of what may be negative.
    """

    name: str
    title: str
    of: str
    part: Array
    whole: Array | None = None
    root: bool = False
    ratios: bool = True

    @property
    def share(self) -> bool:
        """Whether it is a share."""
        return bool(self.part.dtype == bool)

    def sums(self, rows: Array) -> tuple[Array, Array]:
        """Σ part and Σ whole over some rows, each of shape (models,)."""
        part = self.part[:, rows]
        whole = np.full(len(part), float(len(rows))) if self.whole is None else self.whole[:, rows].sum(axis=1)
        return part.sum(axis=1).astype(np.float64), whole.astype(np.float64)

    def values(self, rows: Array) -> Array:
        """The figure over some rows, a model: shape (models,); NaN where it divides by nothing."""
        part, whole = self.sums(rows)
        found = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
        return np.asarray(np.sqrt(found) if self.root else found)

    def influence(self, rows: Array) -> Array:
        """What each row does to the figure, about: their mean is 0, their variance over n that of the figure.

            u = (part - f whole) / mean whole;    of a root, u / (2 √f)

        Returns:
            shape (models, rows).
        """
        values = self.values(rows)
        inner = values**2 if self.root else values
        part = self.part[:, rows].astype(np.float64)
        whole = np.ones_like(part) if self.whole is None else self.whole[:, rows].astype(np.float64)
        scale = whole.mean(axis=1) * (2 * values if self.root else 1)
        found = part - inner[:, None] * whole
        return np.asarray(np.divide(found, scale[:, None], out=np.zeros_like(found), where=scale[:, None] > 0))


#: The figure that is 1 minus another one, whose gap is the same.
SAME = {"fnr": "tpr"}
#: The figure that the data have, whatever a model does: it is shown, and no gap of it.
TRUE_SHARE = "base_rate"


@dataclass(frozen=True, eq=False)
class Judged:
    """What models answer, and what is true.

    Attributes:
        task: the name of the models' task.
        labels: those that are looked at: of two, the second one or the one that was asked for; [] for numbers.
        truth: whether each row has each label, bool of shape (rows, labels); numbers of shape (rows,).
        given: whether it gets it, shape (models, rows, labels); numbers of shape (models, rows).
        scores: the probability of it, of the same shape; of numbers, the number.
        right: the score of each row, shape (models, rows): 1 for right; None for numbers.
        exact: whether that is 0 or 1.
    """

    task: str
    labels: tuple[str, ...]
    truth: Array
    given: Array
    scores: Array
    right: Array | None
    exact: bool = True

    @classmethod
    def by(cls, models: Sequence[Model], table: Table, *, positive: object = None, engine: str = "native") -> Judged:
        """What models of one task say of a table.

        Args:
            models: one, or several of the same learner with other seeds.
            table: rows with labels.
            positive: the label to look at; None for all, and of two for the second.
            engine: "native" or "eager".

        Raises:
            ConfigurationError: for models of different tasks or labels, a task without an answer a row, or a label
                that there is not.
            DataError: for a table without rows or labels.
        """
        first = same_models(models)
        if first.task.answers != ROW:
            raise ConfigurationError(
                f"bias by group: expected models that answer each row by a label, labels or a number, and the task "
                f"{first.task.name} does not; swap words instead (--swap), or look at word vectors"
            )
        found = [model.evaluate(table, engine=engine) for model in models]
        held = found[0]
        if isinstance(held, RegressionEvaluation):
            if positive is not None:
                raise ConfigurationError(
                    f"--positive: the task {first.task.name} answers by a number, and has no labels"
                )
            predicted = np.array([each.predicted for each in found])  # type: ignore[attr-defined]
            return cls(first.task.name, (), held.truth, predicted, predicted, None)
        if not isinstance(held, Classification | MultiLabelEvaluation):
            raise ConfigurationError(f"bias by group: nothing is known of how the task {first.task.name} is judged")
        places = chosen_labels(first, positive)
        probabilities = np.array([each.probabilities for each in found])[:, :, places]  # type: ignore[attr-defined]
        labels = tuple(held.labels[place] for place in places)
        right = np.array([each.scores for each in found])
        if isinstance(held, MultiLabelEvaluation):
            given = np.array([each.predicted for each in found])[:, :, places]  # type: ignore[attr-defined]
            return cls(first.task.name, labels, held.truth[:, places], given, probabilities, right, exact=False)
        truth = held.truth[:, None] == np.array(places)
        given = np.array([each.predicted[:, None] == np.array(places) for each in found])  # type: ignore[attr-defined]
        return cls(first.task.name, labels, truth, given, probabilities, right.astype(bool))

    @property
    def models(self) -> int:
        """How many models there are."""
        return len(self.given)

    def figures(self) -> Iterator[Figure]:
        """The figures that groups are compared by, one after another, as each takes the room of all rows."""
        if self.right is None:
            error = self.given - self.truth
            yield Figure("mean_prediction", "mean prediction", "", self.given, ratios=False)
            yield Figure("mean_error", "mean error, prediction minus truth", "", error, ratios=False)
            yield Figure("mae", "mean absolute error", "", np.abs(error))
            yield Figure("rmse", "root mean squared error", "", error**2, root=True)
            return
        if self.exact:
            yield Figure("accuracy", "accuracy", "", self.right)
        else:
            yield Figure("right", "share of labels right", "", self.right)
        for place, label in enumerate(self.labels):
            truth, given = self.truth[None, :, place], self.given[:, :, place]
            yield Figure(TRUE_SHARE, "share that is true", label, truth)
            rates = (
                ("selection_rate", "selection rate", given, None),
                ("tpr", "true positive rate", truth & given, truth),
                ("fnr", "false negative rate", truth & ~given, truth),
                ("fpr", "false positive rate", ~truth & given, ~truth),
                ("precision", "precision", truth & given, given),
            )
            for name, title, part, whole in rates:
                yield Figure(name, title, label, part, whole)
            excess = self.scores[:, :, place].astype(np.float64) - truth
            yield Figure("excess", "mean probability minus share that is true", label, excess, ratios=False)


def same_models(models: Sequence[Model]) -> Model:
    """The first of several models that answer the same question.

    Raises:
        ConfigurationError: for none, or models that do not.
    """
    if not models:
        raise ConfigurationError("bias: expected a model or more, got none")
    first = models[0]
    for other in models[1:]:
        if other.task.name != first.task.name:
            raise ConfigurationError(
                f"bias: expected models of one task, got {first.task.name} and {other.task.name}; ask them one by one"
            )
        one, two = (getattr(x.codec.targets, "names", ()) for x in (first, other))
        if one != two:
            raise ConfigurationError(f"bias: expected models of the same labels, got {listing(one)} and {listing(two)}")
    return first


def chosen_labels(model: Model, positive: object) -> list[int]:
    """The places of the labels that are looked at: all; of two, the second one, or the one that is asked for.

    Raises:
        ConfigurationError: for a label that the model does not know.
    """
    targets = model.codec.targets
    if positive is not None:
        return [targets.place(positive)]
    count = len(targets.names)
    return [1] if count == 2 and model.task.target == "label" else list(range(count))


def require_rows(groups: int, rows: int, name: str) -> None:
    """Refuse groups of other rows.

    Raises:
        DataError: when there are more or fewer.
    """
    if groups != rows:
        raise DataError(f"{name}: {rows:,} rows but groups of {groups:,}; expected the group of each row")
