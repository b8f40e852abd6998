"""Noise on what a network computes in training: Gaussian, on embeddings' rows, and mixtures of examples."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike

from chainrule.blocks import broadcast_to, gather, greater_equal, random_normal, random_uniform, shuffle
from chainrule.blocks.chance import check_rate
from chainrule.errors import ConfigurationError, DTypeError, ShapeError, shortened
from chainrule.graph.conversion import as_tensors
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn.layer import Layer
from chainrule.random import Key


class GaussianNoise(Layer):
    """y = x + σ n with a key, with n normal of deviation 1, drawn anew for each number; y = x without one.

    Args:
        deviation: σ, a finite number of 0 or more.

    Raises:
        ConfigurationError: for another deviation.

    Example:
        >>> import chainrule
        >>> noise = GaussianNoise(0.1)
        >>> noise([1.0, 2.0]).value
        array([1., 2.], dtype=float32)
        >>> bool(abs(noise([1.0, 2.0], chainrule.Key.of(seed=1)).value - [1, 2]).max() > 0)
        True

    Source: Bishop, Training with Noise is Equivalent to Tikhonov Regularization (1995).
    """

    random: ClassVar[bool] = True

    def __init__(self, deviation: float) -> None:
        if not 0 <= deviation < np.inf:
            raise ConfigurationError(f"GaussianNoise: expected a deviation of 0 or more, got {shortened(deviation)}")
        self.deviation = deviation

    def __call__(self, x: TensorLike, key: Key | None = None) -> Tensor:
        """Add noise to x, of any shape, when there is a key."""
        (x,) = as_tensors([x])
        return x if key is None else x + (self.deviation * random_normal(key, x.shape)).astype(x.dtype)

    def __repr__(self) -> str:
        return f"GaussianNoise({self.deviation})"


class EmbeddingDropout(Layer):
    """Weights that drop rows of an embedding table: an id gets 0 or 1 / (1 - rate), the same wherever it occurs.

    They are the weights of an `EmbeddingBag`, or what embeddings are multiplied by. All are 1 without a key.

    Args:
        rows: of the table.
        rate: the probability of dropping a row, at least 0 and below 1.
        dtype: of the weights, float32 or float64.

    Raises:
        ConfigurationError: for another rate, or fewer than 1 row.

    Example:
        >>> import chainrule
        >>> dropout = EmbeddingDropout(4, 0.5)
        >>> dropout([1, 2, 3, 2]).value, dropout([1, 2, 3, 2], chainrule.Key.of(seed=1)).value
        (array([1., 1., 1., 1.], dtype=float32), array([2., 0., 2., 0.], dtype=float32))

    Source: Gal and Ghahramani, A Theoretically Grounded Application of Dropout in Recurrent Neural Networks (2016),
    section 4.2.
    """

    random: ClassVar[bool] = True

    def __init__(self, rows: int, rate: float, *, dtype: DTypeLike = "float32") -> None:
        check_rate("EmbeddingDropout", rate)
        if rows < 1:
            raise ConfigurationError(f"EmbeddingDropout: expected 1 row or more, got {rows}")
        self.rows = rows
        self.rate = rate
        self.dtype = np.dtype(dtype)

    def __call__(self, ids: TensorLike, key: Key | None = None) -> Tensor:
        """One weight an id.

        Args:
            ids: any shape.
            key: for training.
        """
        (ids,) = as_tensors([ids])
        if key is None:
            return broadcast_to(np.ones((), self.dtype), ids.shape)
        kept = greater_equal(random_uniform(key, (self.rows,)), self.rate).astype(self.dtype)
        return gather(kept, ids) / (1 - self.rate)

    def __repr__(self) -> str:
        return f"EmbeddingDropout({self.rows}, {self.rate})"


class Mixture:
    """Which two examples of a mini-batch are mixed, and how: x̃ = λ x + (1 - λ) x[π].

    π is a permutation of the rows, and λ one number for all, uniform between 0 and 1 (the paper's Beta(1, 1)).

    Args:
        rows: of the mini-batch.
        key: of the step; the same key gives the same mixture.

    Attributes:
        share: λ, a scalar.
        order: π, shape (rows,).

    Example:
        >>> import chainrule
        >>> mixture = Mixture(2, chainrule.Key.of(seed=1))
        >>> mixed = mixture([[1.0], [3.0]])
        >>> mixed.shape, mixed.sum().item()
        ((2, 1), 4.0)
    """

    def __init__(self, rows: int, key: Key) -> None:
        self.order = shuffle(np.arange(rows), key.at(0))
        self.share = random_uniform(key.at(1), ())

    def __call__(self, x: TensorLike) -> Tensor:
        """The mixtures of rows of x, floating-point of shape (rows, ...)."""
        (x,) = as_tensors([x])
        return self.between(x, self.other(x))

    def other(self, x: TensorLike) -> Tensor:
        """x[π], with which x is mixed."""
        return gather(x, self.order)

    def between(self, first: Tensor, second: Tensor) -> Tensor:
        """λ of the first and 1 - λ of the second."""
        share = self.share.astype(first.dtype)
        result: Tensor = share * first + (1 - share) * second
        return result


def mixup(x: TensorLike, targets: TensorLike, key: Key) -> tuple[Tensor, Tensor]:
    """Mixtures of examples and of their targets: x̃ = λ x + (1 - λ) x[π], t̃ = λ t + (1 - λ) t[π].

    `Mixture` says what π and λ are. Of texts it is their embeddings that are mixed: numbers of tokens cannot be.

    Args:
        x: shape (n, ...), floating-point.
        targets: shape (n, ...), floating-point: of classes, one-hot or probabilities.
        key: of the step.

    Returns:
        the mixtures, of the same shapes.

    Raises:
        ShapeError: where x and targets differ in their number of rows.
        DTypeError: for what is not floating-point.

    Example:
        >>> import chainrule
        >>> mixed, targets = mixup([[1.0], [3.0]], [[1.0, 0.0], [0.0, 1.0]], chainrule.Key.of(seed=1))
        >>> mixed.shape, targets.value.sum(axis=1)
        ((2, 1), array([1., 1.], dtype=float32))

    Source: Zhang et al., mixup: Beyond Empirical Risk Minimization (2018); of embeddings: Guo, Mao and Zhang,
    Augmenting Data with Mixup for Sentence Classification (2019).
    """
    x, targets = as_tensors([x, targets])
    if not x.shape or not targets.shape or x.shape[0] != targets.shape[0]:
        raise ShapeError(f"mixup: expected as many rows of x as of targets, got {x.shape} and {targets.shape}")
    if not (x.spec.floating and targets.spec.floating):
        raise DTypeError(
            f"mixup: expected floating-point x and targets (classes as one-hot), got {x.dtype.name} and "
            f"{targets.dtype.name}"
        )
    mixture = Mixture(x.shape[0], key)
    return mixture(x), mixture(targets)
