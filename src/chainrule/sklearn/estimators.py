"""Estimators: learners on raw texts, arrays and data frames, in pipelines and searches of scikit-learn."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import chainrule.polars as pl
from chainrule.data import Table
from chainrule.data.layout import ROWS
from chainrule.data.roles import as_labels
from chainrule.errors import ConfigurationError, shortened
from chainrule.graph.spec import Array
from chainrule.models import DEFAULT_LEARNERS, LEARNERS, Learner, Model
from chainrule.settings import Settings
from chainrule.sklearn.rows import all_numbers, as_frame, as_texts, as_weights
from chainrule.tasks import Classify, Columns, Inputs, Regress, Task, Text
from chainrule.train import Training, fit
from chainrule.train.validation import parted

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils import column_or_1d
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ConfigurationError("chainrule.sklearn needs scikit-learn: pip install 'chainrule[sklearn]'") from error


class _Estimator(BaseEstimator, ABC):  # type: ignore[misc]
    """What both estimators share: parameters, and the way from X to a table."""

    def __init__(
        self,
        learner: str | Learner = "auto",
        *,
        inputs: Inputs | None = None,
        training: Training | None = None,
        validation_fraction: float = 0.1,
        random_state: int | None = 0,
        engine: str = "native",
        threads: int | None = None,
    ) -> None:
        self.learner = learner
        self.inputs = inputs
        self.training = training
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.engine = engine
        self.threads = threads

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name; with `deep`, the settings of learner, inputs and training too: `learner__hidden`."""
        held: dict[str, Any] = super().get_params(deep=False)
        if deep:
            for name, value in list(held.items()):
                if isinstance(value, Settings):
                    held |= {f"{name}__{x.name}": getattr(value, x.name) for x in value.declared()}
        return held

    def set_params(self, **params: Any) -> _Estimator:
        """Set parameters, and settings of learner, inputs and training such as `learner__hidden` or `training__epochs`.

        Raises:
            ConfigurationError: for a setting that is not there, or a value it may not take.
            ValueError: for an unknown parameter.
        """
        nested: dict[str, dict[str, Any]] = {}
        for key in [key for key in params if "__" in key]:
            name, _, setting = key.partition("__")
            nested.setdefault(name, {})[setting] = params.pop(key)
        super().set_params(**params)
        for name, values in nested.items():
            held = self._object(name)
            unknown = set(values) - {x.name for x in held.declared()}
            if unknown:
                raise ConfigurationError(f"{name} {held.name or 'settings'} has no setting {shortened(min(unknown))}")
            setattr(self, name, dataclasses.replace(held, **values))  # type: ignore[type-var]
        return self

    def _object(self, name: str) -> Settings:
        """The settings behind a parameter, with their defaults where it is a name or None."""
        value = getattr(self, name, None)
        if name == "learner" and isinstance(value, str):
            return LEARNERS.make(DEFAULT_LEARNERS["text"] if value == "auto" else value)
        if name == "training" and value is None:
            return Training()
        if name == "inputs" and value is None:
            learner = self._object("learner")
            return Columns() if isinstance(learner, Learner) and learner.reads == ROWS else Text()
        if not isinstance(value, Settings):
            raise ConfigurationError(f"{name} has no settings; those of learner, inputs and training can be set")
        return value

    @abstractmethod
    def _task(self) -> Task:
        """What is asked, as the parameters say."""

    def _fit(self, X: Any, target: Sequence[Any], kind: str, weights: Array | None) -> None:  # noqa: N803  (scikit-learn's name)
        table = self._table(X, reset=True, labels=pl.Series(target), kind=kind, weights=weights)
        learner = self.learner
        if isinstance(learner, str):
            suited = DEFAULT_LEARNERS["text" if table.textual else "columns"]
            learner = LEARNERS.make(suited if learner == "auto" else learner)
        if not 0 < self.validation_fraction < 1:
            raise ConfigurationError(
                f"validation_fraction: expected a number between 0 and 1, got {self.validation_fraction!r}"
            )
        train, valid, _ = parted(table, self.validation_fraction, self.random_state or 0)
        run = fit(
            learner,
            train,
            valid,
            task=dataclasses.replace(self._task(), inputs=self.inputs),
            training=self.training,
            seed=self.random_state or 0,
            engine=self.engine,
            threads=self.threads,
        )
        self.model_: Model = run.model
        self.n_iter_ = len(run.epochs)

    def _table(
        self,
        X: Any,  # noqa: N803
        *,
        reset: bool,
        labels: pl.Series | None = None,
        kind: str = "label",
        weights: Array | None = None,
    ) -> Table:
        """X as a table: texts, or columns of numbers and categories."""
        texts = as_texts(X)
        if texts is not None:
            held = None if labels is None else labels.to_list()
            return Table.from_lists(texts, held, weights=weights, target=kind, name="X")  # type: ignore[arg-type]
        if hasattr(X, "columns") and not all_numbers(X):
            frame = as_frame(X)
            if reset:
                self.n_features_in_ = frame.width
                self.feature_names_in_ = np.array(frame.columns, dtype=object)
        else:
            array = validate_data(self, X, reset=reset, dtype=np.float64)
            names = getattr(self, "feature_names_in_", [f"x{i}" for i in range(array.shape[1])])
            frame = pl.DataFrame(array, schema=[str(name) for name in names])
        if labels is None:
            return Table.from_frame(frame, **self.model_.task.columns(), label=None, name="X")
        label, weight = (max([*frame.columns, ""]) + name for name in ("y", "w"))  # names that are free
        numbers = [name for name, dtype in frame.schema.items() if dtype.is_numeric() or dtype == pl.Boolean]
        others = [name for name in frame.columns if name not in numbers]
        named: dict[str, Any] = {"numbers": numbers, "categories": others, "label": label, "target": kind}
        if weights is not None:
            frame, named["weight"] = frame.with_columns(pl.Series(weight, weights)), weight
        return Table.from_frame(frame.with_columns(labels.alias(label)), **named, name="X")

    def _responses(self, X: Any) -> Array:  # noqa: N803
        check_is_fitted(self, "model_")
        table = self._table(X, reset=False)
        return self.model_.responses(self.model_.codec.encode(table, targets=False), engine=self.engine)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        return tags


class ChainruleClassifier(ClassifierMixin, _Estimator):  # type: ignore[misc]
    """A learner of chainrule as a classifier of scikit-learn.

    X is a sequence of texts, an array of numbers of shape (rows, features), or a data frame, in which columns that are
    no numbers are categories. y holds one label a row, of any type.

    Args:
        learner: "auto" (`bow` for texts, `mlp` for columns), the name of a learner, or one such as
            `FeedForward(dim=50)`.
        inputs: how texts or columns become arrays: `Text(...)` or `Columns(...)`; None for the defaults.
        training: how it is trained; None for what suits the learner.
        validation_fraction: the part of the rows that early stopping watches; of fewer than 50 rows, all are used for
            both. A class with one row is learned from.
        random_state: the seed; None for 0, as there is no hidden state of chance.
        engine: "native" or "eager".
        threads: that may work on a step; None for all cores.
        class_weight: how much each class counts in the loss: "balanced", a mapping from classes to weights (1 for
            those that it does not name), or None for 1.

    Attributes:
        classes_: the labels, ascending.
        model_: the trained `chainrule.Model`.
        n_iter_: epochs.
        n_features_in_: columns of X, where it has any.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> ChainruleClassifier().fit(X, y).score(X, y) > 0.9
        True
        >>> texts, labels = ["so good", "good fun", "so bad", "bad luck"] * 10, [1, 1, 0, 0] * 10
        >>> ChainruleClassifier("bow").fit(texts, labels).predict(["good", "bad"])
        array([1, 0])
    """

    def __init__(
        self,
        learner: str | Learner = "auto",
        *,
        inputs: Inputs | None = None,
        training: Training | None = None,
        validation_fraction: float = 0.1,
        random_state: int | None = 0,
        engine: str = "native",
        threads: int | None = None,
        class_weight: Mapping[Any, float] | str | None = None,
    ) -> None:
        super().__init__(
            learner,
            inputs=inputs,
            training=training,
            validation_fraction=validation_fraction,
            random_state=random_state,
            engine=engine,
            threads=threads,
        )
        self.class_weight = class_weight

    def _task(self) -> Task:
        given = self.class_weight
        if isinstance(given, Mapping):
            unknown = [label for label in given if label not in self._names]
            if unknown:
                raise ConfigurationError(f"class_weight: there is no class {unknown[0]!r}")
            given = {self._names[label].strip(): weight for label, weight in given.items()}
        return Classify(class_weights=given)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> ChainruleClassifier:  # noqa: N803
        """Train.

        Args:
            X: texts, an array of shape (rows, features) or a data frame.
            y: shape (rows,), one label a row.
            sample_weight: how much each row counts in the loss, finite numbers of 0 or more, shape (rows,); rows with 0
                are left out. None for 1.

        Raises:
            ValueError: for data that cannot be learned from, as scikit-learn and chainrule say.
        """
        y = self._checked(X, y)
        check_classification_targets(y)
        weights = as_weights(sample_weight, len(y))
        self.classes_, classes = np.unique(y, return_inverse=True)
        names = list(map(str, self.classes_))
        read = as_labels(pl.Series(names), "y").to_list()
        if None in read or len(set(read)) < len(read):
            names = read = [str(i) for i in range(len(names))]
        self._names = dict(zip(self.classes_.tolist(), names, strict=True))
        counting = np.unique(classes if weights is None else classes[weights > 0])
        self.classes_ = self.classes_[counting]
        if len(self.classes_) < 2:
            raise ValueError(f"a classifier needs two classes or more, got {len(counting)} class: {self.classes_!r}")
        self._fit(X, [names[i] for i in classes], "label", weights)
        self._order = [self.model_.labels.index(read[i]) for i in counting]
        return self

    def _checked(self, X: Any, y: Any) -> Array:  # noqa: N803
        if y is None:
            raise ValueError("This ChainruleClassifier estimator requires y to be passed, but the target y is None.")
        if as_texts(X) is None and not (hasattr(X, "columns") and not all_numbers(X)):
            _, y = validate_data(self, X, y, dtype=np.float64, y_numeric=False)
        labels: Array = column_or_1d(np.asarray(y), warn=True)
        return labels

    def predict_proba(self, X: Any) -> Array:  # noqa: N803
        """The probability of each class for each row, in the order of `classes_`."""
        probabilities: Array = self._responses(X)[:, self._order].astype(np.float64)
        return probabilities

    def predict(self, X: Any) -> Array:  # noqa: N803
        """The most probable class of each row."""
        check_is_fitted(self, "model_")
        labels: Array = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return labels


class ChainruleRegressor(RegressorMixin, _Estimator):  # type: ignore[misc]
    """A learner of chainrule as a regressor of scikit-learn.

    X is as of `ChainruleClassifier`, and so are the arguments; y holds one number a row.

    Args:
        learner: "auto" (`bow` for texts, `mlp` for columns), the name of a learner, or one such as `LinearModel()`.
        inputs: how texts or columns become arrays.
        training: how it is trained; None for what suits the learner.
        validation_fraction: the part of the rows that early stopping watches.
        random_state: the seed; None for 0.
        engine: "native" or "eager".
        threads: that may work on a step; None for all cores.

    Attributes:
        model_: the trained `chainrule.Model`.
        n_iter_: epochs.
        n_features_in_: columns of X, where it has any.

    Example:
        >>> from sklearn.datasets import load_diabetes
        >>> X, y = load_diabetes(return_X_y=True)
        >>> ChainruleRegressor().fit(X, y).score(X, y) > 0.4
        True
    """

    def _task(self) -> Task:
        return Regress()

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> ChainruleRegressor:  # noqa: N803
        """Train.

        Args:
            X: texts, an array of shape (rows, features) or a data frame.
            y: shape (rows,), one number a row.
            sample_weight: how much each row counts in the loss, as of `ChainruleClassifier.fit`.

        Raises:
            ValueError: for data that cannot be learned from, as scikit-learn and chainrule say.
        """
        if y is None:
            raise ValueError("This ChainruleRegressor estimator requires y to be passed, but the target y is None.")
        if as_texts(X) is None and not (hasattr(X, "columns") and not all_numbers(X)):
            _, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        y = column_or_1d(np.asarray(y), warn=True).astype(np.float64)
        if not np.isfinite(y).all():
            raise ValueError("y holds NaN or infinity; expected finite numbers")
        if len(y) < 2:
            raise ValueError(f"n_samples={len(y)}: numbers are learned from two rows or more")
        self._fit(X, y.tolist(), "number", as_weights(sample_weight, len(y)))
        return self

    def predict(self, X: Any) -> Array:  # noqa: N803
        """The number for each row."""
        check_is_fitted(self, "model_")
        numbers: Array = self.model_.codec.targets.restored(self._responses(X)[:, 0])
        return numbers
