"""Weighting: how much each class and each row counts in a loss."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.errors import ConfigurationError, ModelError
from chainrule.graph.spec import Array
from chainrule.graph.tensor import Tensor
from chainrule.settings import SettingError
from chainrule.tasks.task import LOSS_WEIGHT

#: What stands for weights under which all classes count the same together.
BALANCED = "balanced"
#: The weights that float32 holds.
SMALLEST, LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)


def weighted_mean(losses: Tensor, weights: Tensor | None, counts: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Σ sᵢ Lᵢ / Σ sᵢ cᵢ, and what it is divided by.

    Args:
        losses: L, shape (rows,), which have the weights of classes in them.
        weights: s, of each row; None for 1.
        counts: c, the weight of each row's class; None for 1.
    """
    if weights is None:
        if counts is None:
            raise AssertionError("a mean without weights is a plain one")
        return losses.sum() / counts.sum(), counts.sum()
    total = (weights if counts is None else weights * counts).sum()
    return (losses * weights).sum() / total, total


def mean_loss(losses: Tensor, weights: Tensor | None) -> tuple[Tensor, dict[str, Tensor]]:
    """The mean of the losses of rows, a weighted one where rows have weights, and the sum that goes with that."""
    if weights is None:
        return losses.mean(), {}
    loss, total = weighted_mean(losses, weights)
    return loss, {LOSS_WEIGHT: total}


def class_weights_given(task: str, given: Any) -> tuple[str, ...] | None:
    """Weights of classes in the form of a setting: "balanced" alone, or items such as "pos=2.0"; None for none.

    Args:
        task: the name of the task, for messages.
        given: that, a mapping from labels to weights, or the text "balanced".

    Raises:
        SettingError: for anything else, or a weight that is not a finite number above 0.

    Example:
        >>> class_weights_given("classify", {"pos": 2, "neg": 1})
        ('pos=2.0', 'neg=1.0')
    """
    if given is None or given == BALANCED:
        return None if given is None else (BALANCED,)
    if isinstance(given, Mapping):
        given = [f"{label}={weight}" for label, weight in given.items()]
    if isinstance(given, str) or not isinstance(given, Sequence) or not all(isinstance(x, str) for x in given):
        raise _fault(task, given)
    if tuple(given) in ((BALANCED,), ()):
        return tuple(given) or None
    return tuple(f"{label}={weight!r}" for label, weight in _parsed(task, given).items())


def class_weights(task: str, given: tuple[str, ...] | None, names: Sequence[str], counts: Array) -> Array | None:
    """The weight of each class, float32 of shape (classes,); None where all count the same.

        balanced:  w[c] = n / (C n[c]) for C classes, n[c] rows of class c, and n rows

    Args:
        task: the name of the task, for messages.
        given: what `class_weights_given` made of them; a class that is not named has weight 1.
        names: of the classes.
        counts: n[c], the rows of each class, or the sum of their weights.

    Raises:
        ConfigurationError: for a label that is not there.

    Source: King and Zeng, Logistic Regression in Rare Events Data (2001), section 4.1, for classes that are equally
    frequent in the population; scikit-learn's `class_weight="balanced"` is the same.
    """
    if given is None:
        return None
    if given == (BALANCED,):
        balanced: Array = counts.sum() / (len(names) * counts)
        return balanced.astype(np.float32)
    weights = _parsed(task, given)
    unknown = [label for label in weights if label not in names]
    if unknown:
        listed = ", ".join(map(repr, names[:10])) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
        raise ConfigurationError(
            f"class_weights (--class-weights): there is no label {unknown[0]!r:.80}; the labels are {listed}"
        )
    return np.array([weights.get(name, 1.0) for name in names], np.float32)


def load_class_weights(description: Mapping[str, Any], classes: int) -> Array | None:
    """The weights of classes in what `Labels.describe` gave; None where it has none.

    Raises:
        ModelError: when they are not as many numbers above 0 as there are classes.
    """
    held = description.get("class_weights")
    if held is None:
        return None
    right = isinstance(held, list) and len(held) == classes
    if not right or not all(isinstance(x, int | float) and math.isfinite(x) and x > 0 for x in held):
        raise ModelError(f"expected class_weights as {classes} numbers above 0, got {str(held)[:80]}")
    return np.array(held, np.float32)


def _parsed(task: str, given: Sequence[str]) -> dict[str, float]:
    """The weight of each label that is named."""
    weights: dict[str, float] = {}
    for item in given:
        label, mark, text = (part.strip() for part in item.rpartition("="))
        try:
            weight = float(text)
        except ValueError:
            raise _fault(task, item) from None
        if not mark or not SMALLEST <= weight <= LARGEST or label in weights:
            raise _fault(task, item)
        weights[label] = weight
    return weights


def _fault(task: str, given: Any) -> SettingError:
    return SettingError(
        task,
        "class_weights",
        f"must be {BALANCED}, or a finite number above 0 for each label that is named, once, such as pos=2,neg=1; "
        f"got {given!r:.80}",
    )
