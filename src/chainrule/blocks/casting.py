"""Blocks that keep the numbers of a tensor and change its dtype, or whether it passes a gradient on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from chainrule.dataclasses import dataclass
from chainrule.errors import DTypeError
from chainrule.graph.array import DTYPES
from chainrule.graph.block import Contributions, Elementwise, Samples, integers, real, sample
from chainrule.graph.conversion import as_tensors
from chainrule.graph.leaves import Constant
from chainrule.graph.spec import Spec
from chainrule.graph.tensor import Tensor, TensorLike, operation


@dataclass(frozen=True, repr=False)
class Cast(Elementwise):
    """y = x in another dtype, as `cast` says; the gradient passes between floating-point dtypes only."""

    dtype: np.dtype[Any]

    def infer(self, x: Spec) -> Spec:
        return Spec(x.shape, self.dtype)

    def forward(self, xp: Any, x: Any) -> Any:
        return xp.astype(x, self.dtype)

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (cast(gradient, x.dtype) if x.spec.floating else None,)

    @classmethod
    def samples(cls) -> Samples:
        return (
            sample(cls(np.dtype(np.float64)), real(2, 3)),
            sample(cls(np.dtype(np.float32)), real(2, 3)),
            sample(cls(np.dtype(np.float32)), integers(4, high=9)),
            sample(cls(np.dtype(np.int64)), integers(4, high=2) > 0),
        )


class StopGradient(Elementwise):
    """y = x, and no gradient passes.

    Of a tensor that has a value it is a leaf, and what that was computed from is let go of: a loop with
    `w = (w - 0.1 * g).detach()` does not keep all its steps.

    Gradient: none.
    PyTorch: torch.Tensor.detach. NumPy: none.

    Example:
        >>> import chainrule
        >>> x = chainrule.tensor(3.0)
        >>> chainrule.grad(x * chainrule.stop_gradient(x), x).item()
        3.0
    """

    def __call__(self, *inputs: TensorLike) -> Tensor:
        """The numbers as a leaf where they are known, else as a node."""
        (x,) = as_tensors(inputs)
        if not x.known:
            return super().__call__(x)
        value = x.numpy()
        own = x.block is not None and value.base is None  # else steps may write into it
        return Constant(x.spec, value if own else value.copy())

    differentiable = False

    def forward(self, xp: Any, x: Any) -> Any:
        return x

    def backward(self, gradient: Tensor, output: Tensor, x: Tensor) -> Contributions:
        return (None,)


class Renew(Elementwise):
    """y = b, the new value of a leaf a; the gradient is a's, as b is what a holds by now.

    It stands for a leaf that a traced function has updated and then reads.
    """

    hands_on = True

    def forward(self, xp: Any, a: Any, b: Any) -> Any:
        return b

    def backward(self, gradient: Tensor, output: Tensor, a: Tensor, b: Tensor) -> Contributions:
        return gradient, None

    @classmethod
    def samples(cls) -> Samples:
        """Integers: of real numbers the gradient is, on purpose, not that of the equation."""
        return (sample(cls(), integers(4, high=9), integers(4, high=7)),)


operation(Renew())
stop_gradient = operation(StopGradient())


@operation
def cast(x: TensorLike, dtype: DTypeLike) -> Tensor:
    """The tensor in another dtype: float32, float64, int32, int64, uint32 or bool.

    A float that becomes an integer loses its fraction; what is beyond the dtype becomes its largest or smallest
    integer, and NaN becomes 0. An integer keeps its low bits in a narrower dtype. Of anything but 0, bool makes True.

    Gradient: 1 between floating-point dtypes, else none.
    PyTorch: torch.Tensor.to. NumPy: numpy.ndarray.astype.

    Raises:
        DTypeError: for a dtype that is not supported.

    Example:
        >>> import chainrule
        >>> chainrule.cast([0.0, 2.7], "int64").value
        array([0, 2])
    """
    try:
        wanted: np.dtype[Any] | None = np.dtype(dtype)
    except TypeError:
        wanted = None
    if wanted is None or wanted not in DTYPES:
        raise DTypeError(f"cast: dtype {dtype!r} is not supported; expected one of {', '.join(d.name for d in DTYPES)}")
    (held,) = as_tensors([x])
    return held if held.dtype == wanted else Cast.of(wanted)(held)
