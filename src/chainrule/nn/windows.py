"""Convolution and pooling over ordinary arrays, such as signals and pictures, whose axes are all of one length."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike

from chainrule.blocks import matmul, reshape, transpose
from chainrule.blocks.windows import Stencil, Windows
from chainrule.errors import ConfigurationError, ShapeError
from chainrule.graph.conversion import as_tensors, promote
from chainrule.graph.leaves import Parameter
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn.initializers import Initializer, XavierUniform
from chainrule.nn.layer import Layer, is_size

#: One number for all axes, or one for each.
Counts = int | Sequence[int]
#: As `padding`: as much as gives as many outputs as inputs, where the stride is 1.
SAME = "same"


class Windowed(Layer):
    """A layer that reads windows of an array of shape (batch, *sizes, channels), at so many places an axis.

    An axis of n numbers has ⌊(n + padding − dilation (width − 1) − 1) / stride⌋ + 1 places, where the padding is that
    of both ends.

    Args:
        width: numbers that a window reads along each axis.
        stride: how far it moves from one place to the next.
        padding: numbers that are added at both ends of each axis, or "same" for as many places as numbers at stride 1,
            of which the odd one is at the end.
        dilation: how far the numbers that it reads are from each other.

    Raises:
        ConfigurationError: for widths, strides and dilations below 1, and padding below 0.
    """

    #: How many axes there are between the batch and the channels.
    axes: ClassVar[int]

    def __init__(self, width: Counts, stride: Counts, padding: Counts | str, dilation: Counts) -> None:
        counts = [self._counts(*each, 1) for each in (("width", width), ("stride", stride), ("dilation", dilation))]
        spans = [d * (w - 1) for w, d in zip(counts[0], counts[2], strict=True)]
        if padding == SAME:
            before = tuple(span // 2 for span in spans)
            after = tuple(span - span // 2 for span in spans)
        elif isinstance(padding, str):
            raise ConfigurationError(f"{self.kind}: expected padding as numbers or {SAME!r}, got {padding!r}")
        else:
            before = after = self._counts("padding", padding, 0)
        self.stencil = Stencil(counts[0], counts[1], counts[2], before, after)

    @property
    def kind(self) -> str:
        """The name of the class."""
        return type(self).__name__

    def _counts(self, name: str, given: Counts, least: int) -> tuple[int, ...]:
        """One whole number for each axis."""
        counts = tuple(given) if isinstance(given, Sequence) else (given,) * self.axes
        whole = all(isinstance(n, int | np.integer) and not isinstance(n, bool) and n >= least for n in counts)
        if len(counts) != self.axes or not whole:
            several = f", or {self.axes} of them" if self.axes > 1 else ""
            raise ConfigurationError(
                f"{self.kind}: expected {name} as a whole number of {least} or more{several}, got {given!r}"
            )
        return tuple(int(n) for n in counts)

    def windows(self, x: Tensor, filling: float = 0.0) -> Tensor:
        """What the windows read: shape (batch, *places, *width, channels)."""
        if x.spec.rank != self.axes + 2:
            axes = ", ".join(["batch", ("length", "height, width")[self.axes - 1], "channels"])
            raise ShapeError(f"expected an array of shape ({axes}), got {x.shape}")
        return Windows(self.stencil, filling)(x)

    def _shown(self) -> str:
        """Settings that are not the usual ones."""
        stencil = self.stencil
        said = [f"width {_listed(stencil.width)}"]
        steps = {"stride": stencil.stride, "dilation": stencil.dilation}
        said += [f"{name} {_listed(counts)}" for name, counts in steps.items() if set(counts) != {1}]
        if stencil.padded:
            margins = zip(stencil.before, stencil.after, strict=True)
            said.append("padding " + "×".join(f"{a}" if a == b else f"{a}+{b}" for a, b in margins))
        return ", ".join(said)


def _listed(counts: Sequence[int]) -> str:
    return "×".join(map(str, counts))


class ArrayConvolution(Windowed):
    """y[n, p] = b + Σₖ x[n, stride · p + dilation · k − padding] W[k], for places p and offsets k of the window.

    The windows of all places are written side by side, and multiplied with W in one product (for several groups in one
    each).

    Args:
        inputs: channels that it reads.
        outputs: channels that it gives: how many filters there are.
        width, stride, padding, dilation: see `Windowed`.
        groups: parts that inputs and outputs are cut into, each of which is a convolution of its own.
        generator: where the initial weights are drawn from.
        initializer: how W is drawn, as a matrix of (numbers of a window, outputs); None for Xavier's.
        dtype: float32 or float64.

    Attributes:
        weight: W, shape (*width, inputs / groups, outputs); in PyTorch (outputs, inputs / groups, *width).
        bias: b, shape (outputs,), which starts at 0.

    Raises:
        ConfigurationError: for sizes below 1, and groups that do not divide them.
    """

    weight: Parameter
    bias: Parameter

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        width: Counts,
        stride: Counts = 1,
        padding: Counts | str = 0,
        dilation: Counts = 1,
        groups: int = 1,
        generator: np.random.Generator,
        initializer: Initializer | None = None,
        dtype: DTypeLike = "float32",
    ) -> None:
        super().__init__(width, stride, padding, dilation)
        if not (is_size(inputs) and is_size(outputs) and is_size(groups)) or inputs % groups or outputs % groups:
            raise ConfigurationError(
                f"{self.kind}: expected sizes of at least 1 that {groups} groups divide, got {inputs} inputs and "
                f"{outputs} outputs"
            )
        self.groups = groups
        shape = (*self.stencil.width, inputs // groups)
        drawn = (initializer or XavierUniform())((math.prod(shape), outputs), generator, dtype)
        self.weight = Parameter.of(drawn.reshape(*shape, outputs), name="weight", dtype=dtype)
        self.bias = Parameter.of(np.zeros(outputs), name="bias", dtype=dtype)

    def __call__(self, x: TensorLike) -> Tensor:
        """The outputs.

        Args:
            x: shape (batch, *sizes, inputs).

        Returns:
            shape (batch, *places, outputs).

        Raises:
            ShapeError: when a size differs, or the array is smaller than a window.
        """
        x, weight = promote(self.kind, [x, self.weight])
        inputs, outputs = weight.shape[-2] * self.groups, weight.shape[-1]
        if x.spec.rank == self.axes + 2 and x.shape[-1] != inputs:
            raise ShapeError(f"expected {inputs} channels on the last axis, got {x.shape[-1]} (shape {x.shape})")
        windows = self.windows(x)
        places = windows.shape[: 1 + self.axes]
        count, read = math.prod(places), math.prod(self.stencil.width)
        if self.groups == 1:
            products = matmul(reshape(windows, (count, read * inputs)), reshape(weight, (read * inputs, outputs)))
            return reshape(products, (*places, outputs)) + self.bias
        # One product a group, of shapes (places, numbers of a window) and (numbers of a window, outputs / groups).
        shape = count, read, self.groups, inputs // self.groups
        by_group = reshape(transpose(reshape(windows, shape), (2, 0, 1, 3)), (self.groups, count, read * shape[-1]))
        weights = transpose(reshape(weight, (read * shape[-1], self.groups, outputs // self.groups)), (1, 0, 2))
        products = transpose(matmul(by_group, weights), (1, 0, 2))
        return reshape(products, (*places, outputs)) + self.bias

    def __repr__(self) -> str:
        inputs, outputs = self.weight.shape[-2] * self.groups, self.weight.shape[-1]
        groups = f", groups {self.groups}" if self.groups > 1 else ""
        return f"{self.kind}({inputs} → {outputs}, {self._shown()}{groups})"


class Conv1d(ArrayConvolution):
    """Convolution over signals: arrays of shape (batch, length, channels); see `ArrayConvolution`.

    Example:
        >>> convolution = Conv1d(3, 2, width=3, padding="same", generator=np.random.default_rng(0))
        >>> convolution, convolution(np.ones((4, 10, 3))).shape
        (Conv1d(3 → 2, width 3, padding 1), (4, 10, 2))

    Source: LeCun et al., Backpropagation Applied to Handwritten Zip Code Recognition (1989).
    """

    axes: ClassVar[int] = 1
    in_torch: ClassVar[Mapping[str, str | tuple[str, tuple[int, ...]]]] = {"weight": ("weight", (2, 1, 0))}


class Conv2d(ArrayConvolution):
    """Convolution over pictures: arrays of shape (batch, height, width, channels); see `ArrayConvolution`.

    Example:
        >>> convolution = Conv2d(1, 8, width=(3, 5), stride=2, generator=np.random.default_rng(0))
        >>> convolution, convolution(np.ones((4, 28, 28, 1))).shape
        (Conv2d(1 → 8, width 3×5, stride 2×2), (4, 13, 12, 8))

    Source: LeCun et al., Gradient-Based Learning Applied to Document Recognition (1998).
    """

    axes: ClassVar[int] = 2
    in_torch: ClassVar[Mapping[str, str | tuple[str, tuple[int, ...]]]] = {"weight": ("weight", (2, 3, 1, 0))}


class ArrayPooling(Windowed):
    """One number for each window and channel; see `Windowed`. The stride is the width unless given."""

    def __init__(
        self, width: Counts, *, stride: Counts | None = None, padding: Counts | str = 0, dilation: Counts = 1
    ) -> None:
        super().__init__(width, width if stride is None else stride, padding, dilation)

    def __repr__(self) -> str:
        return f"{self.kind}({self._shown()})"


class _MaxPool(ArrayPooling):
    """y = the largest number of a window, of each channel; the padding is −∞. Equal ones share the gradient."""

    def __call__(self, x: TensorLike) -> Tensor:
        """The maxima, shape (batch, *places, channels)."""
        (x,) = as_tensors([x])
        return self.windows(x, -math.inf).max(tuple(range(1 + self.axes, 1 + 2 * self.axes)))


class _MeanPool(ArrayPooling):
    """y = the mean of a window, of each channel; the padding is zeros, which count."""

    def __call__(self, x: TensorLike) -> Tensor:
        """The means, shape (batch, *places, channels)."""
        (x,) = as_tensors([x])
        return self.windows(x).mean(tuple(range(1 + self.axes, 1 + 2 * self.axes)))


class MaxPool1d(_MaxPool):
    """y[n, p] = max over k of x[n, stride · p + k], for arrays of shape (batch, length, channels); see `Windowed`.

    The padding is −∞. Where several are equally large, they share the gradient; in PyTorch the first has it.

    Example:
        >>> MaxPool1d(2)([[[1.0], [3.0], [2.0], [0.0]]]).value[0, :, 0].tolist()
        [3.0, 2.0]
    """

    axes: ClassVar[int] = 1


class MaxPool2d(_MaxPool):
    """y[n, p] = max over k of x[n, stride · p + k], for arrays (batch, height, width, channels); see `Windowed`.

    The padding is −∞. Where several are equally large, they share the gradient; in PyTorch the first has it.

    Example:
        >>> MaxPool2d(2)(np.arange(16.0).reshape(1, 4, 4, 1)).value[0, :, :, 0].tolist()
        [[5.0, 7.0], [13.0, 15.0]]
    """

    axes: ClassVar[int] = 2


class MeanPool1d(_MeanPool):
    """y[n, p] = the mean over k of x[n, stride · p + k], for arrays of shape (batch, length, channels); see `Windowed`.

    The padding is zeros, which count.

    Example:
        >>> MeanPool1d(2)([[[1.0], [3.0], [2.0], [0.0]]]).value[0, :, 0].tolist()
        [2.0, 1.0]
    """

    axes: ClassVar[int] = 1


class MeanPool2d(_MeanPool):
    """y[n, p] = the mean over k of x[n, stride · p + k], for arrays (batch, height, width, channels); see `Windowed`.

    The padding is zeros, which count.

    Example:
        >>> MeanPool2d(2)(np.arange(16.0).reshape(1, 4, 4, 1)).value[0, :, :, 0].tolist()
        [[2.5, 4.5], [10.5, 12.5]]
    """

    axes: ClassVar[int] = 2
