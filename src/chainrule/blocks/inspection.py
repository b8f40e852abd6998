"""Looking into a computation while it runs, eagerly or compiled: printing a tensor, refusing numbers that are none."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.errors import NonFiniteError
from chainrule.graph.block import Block, Contributions, Samples, real, sample
from chainrule.graph.conversion import as_tensors
from chainrule.graph.spec import Array, Spec, spec_of
from chainrule.graph.tensor import Tensor, TensorLike, operation


@dataclass(frozen=True, repr=False)
class Debug(Block):
    """y = x, printed."""

    stops = True
    title: str

    def infer(self, x: Spec) -> Spec:
        return x

    def forward(self, xp: Any, x: Any) -> Any:
        print(f"{self.title}: {ranged(x)}\n{np.array2string(x, precision=4, threshold=20, edgeitems=2)}")  # noqa: T201
        return x

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (gradient,)

    @classmethod
    def samples(cls) -> Samples:
        return (sample(cls("x"), real(2, 3)),)


@dataclass(frozen=True, repr=False)
class CheckFinite(Block):
    """y = x, where all of x is finite; its gradient is held to the same."""

    stops = True
    title: str

    def infer(self, x: Spec) -> Spec:
        return x

    def forward(self, xp: Any, x: Any) -> Any:
        if not xp.isfinite(x).all():
            raise NonFiniteError(f"{self.title}: expected finite numbers, got {ranged(x)}; {first_place(x)}")
        return x

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (CheckFinite(f"gradient of {self.title}")(gradient),)

    @classmethod
    def samples(cls) -> Samples:
        return (sample(cls("x"), real(2, 3)),)


@operation
def debug(x: TensorLike, name: str = "debug") -> Tensor:
    """y = x, and each run prints its name, shape, range and numbers: in compiled functions, too.

    Gradient: 1.
    PyTorch: none. NumPy: none.

    Use what it returns: what nobody needs is not computed. A compiled function stops for it.

    Args:
        x: any shape.
        name: what the text begins with.

    Example:
        >>> import chainrule
        >>> double = chainrule.compile(lambda x: chainrule.debug(x * 2, "doubled") + 1)
        >>> double([1.0, 2.0]).value
        doubled: float32(2,) from 2 to 4
        [2. 4.]
        array([3., 5.], dtype=float32)
    """
    (x,) = as_tensors([x])
    return Debug(name)(x)


@operation
def check_finite(x: TensorLike, name: str = "check_finite") -> Tensor:
    """y = x, where all its numbers, and those of its gradient, are finite: in compiled functions, too.

    Gradient: 1.
    PyTorch: none. NumPy: none.

    Use what it returns: what nobody needs is not computed. A compiled function stops for it; to find out where a number
    comes from, see `finite` of `chainrule.compile`.

    Args:
        x: any shape.
        name: what the message begins with.

    Raises:
        NonFiniteError: in a run that meets an infinity or NaN.

    Example:
        >>> import chainrule
        >>> chainrule.check_finite(chainrule.log([1.0, 0.0]), "scores")
        Traceback (most recent call last):
        chainrule.errors.NonFiniteError: scores: expected finite numbers, got float32(2,) from 0 to 0, 1 infinite; first
        at (1,): -inf
    """
    (x,) = as_tensors([x])
    return CheckFinite(name)(x)


def ranged(x: Array) -> str:
    """Shape and range of an array, and how many of its numbers are none."""
    if x.dtype.kind != "f":
        return f"{spec_of(x)} from {x.min()} to {x.max()}" if x.size else f"{spec_of(x)}"
    finite = x[np.isfinite(x)]
    text = f"{spec_of(x)}"
    text += f" from {finite.min():.4g} to {finite.max():.4g}" if finite.size else ""
    for count, word in [(np.isinf(x).sum(), "infinite"), (np.isnan(x).sum(), "NaN")]:
        text += f", {count} {word}" if count else ""
    return text


def first_place(x: Array) -> str:
    """Where the first number that is not finite stands, and what it is."""
    place = tuple(int(i[0]) for i in np.nonzero(~np.isfinite(np.atleast_1d(x))))
    return f"first at {place if x.ndim else ()}: {np.atleast_1d(x)[place]}"
