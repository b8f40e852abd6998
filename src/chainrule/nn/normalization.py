"""Normalisation: layers that give numbers a mean and a size, over a mini-batch or within each example."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike

from chainrule.blocks import matmul, reshape, sqrt, stop_gradient
from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, ShapeError
from chainrule.graph.conversion import promote
from chainrule.graph.leaves import Mutable, Parameter
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.graph.trace import assign
from chainrule.nn.layer import Layer, is_size
from chainrule.nn.linear import Linear
from chainrule.random import Key
from chainrule.settings import Registry, Settings, setting


class _Scaling(Layer):
    """The base of layers that normalise, and then scale and shift each feature."""

    scale: Parameter
    shift: Parameter | None
    in_torch: ClassVar[Mapping[str, str]] = {
        "scale": "weight", "shift": "bias", "mean": "running_mean", "variance": "running_var"
    }  # fmt: skip

    def __init__(self, size: int, *, epsilon: float, dtype: DTypeLike, with_shift: bool = True) -> None:
        if not is_size(size):
            raise ConfigurationError(f"{type(self).__name__}: expected a size of at least 1, got {size}")
        if not epsilon > 0:
            raise ConfigurationError(f"{type(self).__name__}: expected an epsilon above 0, got {epsilon}")
        self.epsilon = epsilon
        self.scale = Parameter.of(np.ones(size), name="scale", dtype=dtype)
        self.shift = Parameter.of(np.zeros(size), name="shift", dtype=dtype) if with_shift else None

    def fitting(self, x: TensorLike, axis: int = -1) -> Tensor:
        """x, whose axis has the size of the layer.

        Raises:
            ShapeError: when it has another.
        """
        x, _ = promote("normalization", [x, self.scale])
        size = self.scale.shape[0]
        if x.spec.rank < 2 or x.shape[axis] != size:
            raise ShapeError(f"expected size {size} on axis {axis} of two or more, got shape {x.shape}")
        return x

    def scaled(self, x: Tensor) -> Tensor:
        """γ x + β over the last axis."""
        y = x * self.scale
        return y if self.shift is None else y + self.shift

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.scale.shape[0]})"


class BatchNorm(_Scaling):
    """y = γ (x - μ) / √(σ² + ε) + β with the mean μ and the variance σ² of each feature over a mini-batch.

    With a key it trains: μ and σ² are those of the mini-batch, and running ones follow them,

        mean ← (1 - m) mean + m μ,    variance ← (1 - m) variance + m σ² n / (n - 1)    for n rows.

    Without a key it evaluates by the running ones, so that an answer does not depend on the rows beside it. They are
    saved with the layer, and no parameters: no gradient reaches them.

    Args:
        size: how many features, the last axis of x.
        momentum: m, above 0 and at most 1.
        epsilon: ε, above 0.
        dtype: float32 or float64.

    Attributes:
        scale: γ, shape (size,).
        shift: β, shape (size,).
        mean: the running mean, shape (size,).
        variance: the running variance, shape (size,).

    Raises:
        ConfigurationError: for a size below 1, or settings outside their range.

    Example:
        >>> import chainrule
        >>> layer = BatchNorm(2, momentum=0.5)
        >>> layer([[0.0, 2.0], [2.0, 4.0]], chainrule.Key.of(seed=0)).value.round(3)
        array([[-1., -1.],
               [ 1.,  1.]], dtype=float32)
        >>> layer.mean.value
        array([0.5, 1.5], dtype=float32)
        >>> layer([[0.0, 2.0]], chainrule.Key.of(seed=0))
        Traceback (most recent call last):
        chainrule.errors.ShapeError: BatchNorm(2): expected two rows or more in training, as one has no variance, got \
shape (1, 2); choose a batch size that leaves no single row

    Source: Ioffe and Szegedy, Batch Normalization (2015); the running variance is unbiased, as in PyTorch.
    """

    random: ClassVar[bool] = True
    least_rows: ClassVar[int] = 2

    mean: Mutable
    variance: Mutable

    def __init__(
        self, size: int, *, momentum: float = 0.1, epsilon: float = 1e-5, dtype: DTypeLike = "float32"
    ) -> None:
        super().__init__(size, epsilon=epsilon, dtype=dtype)
        if not 0 < momentum <= 1:
            raise ConfigurationError(f"BatchNorm: expected a momentum above 0 and at most 1, got {momentum}")
        self.momentum = momentum
        self.mean = Mutable.of(np.zeros(size), name="mean", dtype=dtype)
        self.variance = Mutable.of(np.ones(size), name="variance", dtype=dtype)

    def __call__(self, x: TensorLike, key: Key | None = None) -> Tensor:
        """The equation.

        Args:
            x: shape (..., size).
            key: for training; nothing is drawn.

        Raises:
            ShapeError: for another size, or a single row in training.
        """
        x = self.fitting(x)
        if key is None:
            return self.scaled((x - self.mean) / sqrt(self.variance + self.epsilon))
        rows = x.spec.size // x.shape[-1]
        if rows < self.least_rows:
            raise ShapeError(
                f"expected two rows or more in training, as one has no variance, got shape {x.shape}; choose a batch "
                f"size that leaves no single row"
            )
        axes = tuple(range(x.spec.rank - 1))
        mean = x.mean(axes)
        centred = x - mean
        variance = (centred * centred).mean(axes)
        m = self.momentum
        assign(self.mean, (1 - m) * self.mean + m * stop_gradient(mean))
        assign(self.variance, (1 - m) * self.variance + m * rows / (rows - 1) * stop_gradient(variance))
        return self.scaled(centred / sqrt(variance + self.epsilon))


class LayerNorm(_Scaling):
    """y = γ (x - μ) / √(σ² + ε) + β with the mean μ and the variance σ² of each example over its last axis.

    Args:
        size: of the last axis.
        epsilon: ε, above 0.
        dtype: float32 or float64.

    Attributes:
        scale: γ, shape (size,).
        shift: β, shape (size,).

    Raises:
        ConfigurationError: for a size below 1, or an ε not above 0.

    Example:
        >>> LayerNorm(2)([[0.0, 2.0], [10.0, 50.0]]).value.round(3)
        array([[-1.,  1.],
               [-1.,  1.]], dtype=float32)

    Source: Ba, Kiros and Hinton, Layer Normalization (2016).
    """

    def __init__(self, size: int, *, epsilon: float = 1e-5, dtype: DTypeLike = "float32") -> None:
        super().__init__(size, epsilon=epsilon, dtype=dtype)

    def __call__(self, x: TensorLike) -> Tensor:
        """The equation, for x of shape (..., size).

        Raises:
            ShapeError: for another size.
        """
        return self.scaled(_standardised(self.fitting(x), self.epsilon))


class RMSNorm(_Scaling):
    """y = γ x / √(mean x² + ε) with the mean over the last axis: each example gets size 1, and keeps its mean.

    Args:
        size: of the last axis.
        epsilon: ε, above 0.
        dtype: float32 or float64.

    Attributes:
        scale: γ, shape (size,).

    Raises:
        ConfigurationError: for a size below 1, or an ε not above 0.

    Example:
        >>> RMSNorm(2)([[1.0, 7.0]]).value.round(3)
        array([[0.2, 1.4]], dtype=float32)

    Source: Zhang and Sennrich, Root Mean Square Layer Normalization (2019).
    """

    def __init__(self, size: int, *, epsilon: float = 1e-5, dtype: DTypeLike = "float32") -> None:
        super().__init__(size, epsilon=epsilon, dtype=dtype, with_shift=False)

    def __call__(self, x: TensorLike) -> Tensor:
        """The equation, for x of shape (..., size).

        Raises:
            ShapeError: for another size.
        """
        x = self.fitting(x)
        return self.scaled(x / sqrt((x * x).mean(-1, keepdims=True) + self.epsilon))


class GroupNorm(_Scaling):
    """y = γ (x - μ) / √(σ² + ε) + β with mean and variance of each example over groups of its features.

    Args:
        groups: how many groups the features are cut into.
        size: how many features there are, axis 1 of x.
        epsilon: ε, above 0.
        dtype: float32 or float64.

    Attributes:
        scale: γ, shape (size,).
        shift: β, shape (size,).

    Raises:
        ConfigurationError: for a size that is no multiple of the groups, or an ε not above 0.

    Example:
        >>> GroupNorm(2, 4)([[0.0, 2.0, 10.0, 50.0]]).value.round(3)
        array([[-1.,  1., -1.,  1.]], dtype=float32)

    Source: Wu and He, Group Normalization (2018).
    """

    def __init__(self, groups: int, size: int, *, epsilon: float = 1e-5, dtype: DTypeLike = "float32") -> None:
        super().__init__(size, epsilon=epsilon, dtype=dtype)
        if not is_size(groups) or size % groups:
            raise ConfigurationError(f"GroupNorm: expected groups of equal size of {size} features, got {groups}")
        self.groups = groups

    def __call__(self, x: TensorLike) -> Tensor:
        """The equation, for x of shape (batch, size, ...).

        Raises:
            ShapeError: for another size.
        """
        x = self.fitting(x, 1)
        y = reshape(_standardised(reshape(x, (x.shape[0], self.groups, -1)), self.epsilon), x.shape)
        further = [1] * (x.spec.rank - 2)
        scale, shift = (reshape(part, (-1, *further)) for part in (self.scale, self.shift) if part is not None)
        return y * scale + shift


class WeightNorm(Linear):
    """y = x W + b, where each column of W is a length times a direction: W = g V / |V|, both of which are learned.

    Args:
        linear: whose weights it starts from; its bias is taken over.

    Attributes:
        direction: V, shape (inputs, outputs).
        length: g, shape (outputs,).
        bias: b, shape (outputs,), or None.

    Example:
        >>> linear = Linear(2, 1, generator=np.random.default_rng(0))
        >>> linear.assign({"weight": [[3.0], [4.0]], "bias": [0.0]})
        >>> layer = WeightNorm(linear)
        >>> layer.length.value, layer([[1.0, 1.0]]).value
        (array([5.], dtype=float32), array([[7.]], dtype=float32))

    Source: Salimans and Kingma, Weight Normalization (2016).
    """

    in_torch: ClassVar[Mapping[str, str]] = {
        "direction": "parametrizations.weight.original1.T",
        "length": "parametrizations.weight.original0.column",
    }

    direction: Parameter
    length: Parameter

    def __init__(self, linear: Linear) -> None:
        weight = linear.weight.numpy()
        lengths = np.sqrt((weight.astype(np.float64) ** 2).sum(0))
        self.direction = Parameter.of(weight, name="direction", dtype=weight.dtype)
        self.length = Parameter.of(lengths, name="length", dtype=weight.dtype)
        self.bias = linear.bias

    def __call__(self, x: TensorLike) -> Tensor:
        """The equation, for x of shape (..., inputs).

        Raises:
            ShapeError: when the last axis has another size.
        """
        x, direction = promote("weight_norm", [x, self.direction])
        if x.shape[-1:] != direction.shape[:1]:
            raise ShapeError(f"expected size {direction.shape[0]} on axis -1, got shape {x.shape}")
        y = matmul(x, direction * (self.length / sqrt((direction * direction).sum(0))))
        return y if self.bias is None else y + self.bias

    def __repr__(self) -> str:
        inputs, outputs = self.direction.shape
        return f"WeightNorm({inputs} → {outputs})"


def _standardised(x: Tensor, epsilon: float) -> Tensor:
    """(x - μ) / √(σ² + ε) over the last axis."""
    centred = x - x.mean(-1, keepdims=True)
    return centred / sqrt((centred * centred).mean(-1, keepdims=True) + epsilon)


@dataclass(frozen=True, kw_only=True)
class Normalization(Settings):
    """What normalises hidden layers, with its settings."""

    epsilon: float = setting(1e-5, "what is added to a variance, so that none is 0", above=0)

    @abstractmethod
    def layer(self, size: int) -> Layer:
        """A layer over so many features."""


NORMALIZATIONS: Registry[Normalization] = Registry("normalization", Normalization)


@NORMALIZATIONS.register
@dataclass(frozen=True, kw_only=True)
class BatchNormalization(Normalization):
    """Over each mini-batch; it learns faster, and needs batches of more than a few rows."""

    name: ClassVar[str] = "batch"

    rate: float = setting(0.1, "how much of a mini-batch goes into the running mean and variance", above=0, below=1)

    def layer(self, size: int) -> BatchNorm:
        """A layer over so many features."""
        return BatchNorm(size, momentum=self.rate, epsilon=self.epsilon)


@NORMALIZATIONS.register
class LayerNormalization(Normalization):
    """Within each example, whatever the batch."""

    name: ClassVar[str] = "layer"

    def layer(self, size: int) -> LayerNorm:
        """A layer over so many features."""
        return LayerNorm(size, epsilon=self.epsilon)


@NORMALIZATIONS.register
@dataclass(frozen=True, kw_only=True)
class GroupNormalization(Normalization):
    """Within each example over groups of its units, whatever the batch."""

    name: ClassVar[str] = "group"

    groups: int = setting(4, "groups of equal size that the units of a layer are cut into", least=1)

    def layer(self, size: int) -> GroupNorm:
        """A layer over so many features."""
        return GroupNorm(self.groups, size, epsilon=self.epsilon)


@NORMALIZATIONS.register
class RMSNormalization(Normalization):
    """The size of each example alone, which is cheaper."""

    name: ClassVar[str] = "rms"

    def layer(self, size: int) -> RMSNorm:
        """A layer over so many features."""
        return RMSNorm(size, epsilon=self.epsilon)
