"""Comparison and choice: boolean blocks, and `where`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.errors import DTypeError
from chainrule.graph.block import Contributions, Elementwise, Samples, integers, real, sample
from chainrule.graph.conversion import as_tensors, promote
from chainrule.graph.spec import Spec, broadcast_shapes
from chainrule.graph.tensor import Tensor, TensorLike, operation


class Comparison(Elementwise, abstract=True):
    """The base of blocks whose output is true or false: no gradient passes through one."""

    truth = True
    differentiable = False

    def backward(self, gradient: Tensor, output: Tensor, a: Tensor, b: Tensor) -> Contributions:
        return None, None

    @classmethod
    def samples(cls) -> Samples:
        return *super().samples(), sample(cls(), integers(3, 4, high=3), integers(4, high=3))


class Equal(Comparison):
    """y = (a = b), elementwise and broadcast.

    Gradient: none.
    PyTorch: torch.eq. NumPy: numpy.equal.

    Example:
        >>> import chainrule
        >>> chainrule.equal([1, 2, 3], 2).value
        array([False,  True, False])
    """

    commutative = True

    def forward(self, xp: Any, a: Any, b: Any) -> Any:
        return a == b


class NotEqual(Comparison):
    """y = (a ≠ b), elementwise and broadcast.

    Gradient: none.
    PyTorch: torch.ne. NumPy: numpy.not_equal.

    Example:
        >>> import chainrule
        >>> chainrule.not_equal([1, 2, 3], 2).value
        array([ True, False,  True])
    """

    commutative = True

    def forward(self, xp: Any, a: Any, b: Any) -> Any:
        return a != b


class Less(Comparison):
    """y = (a < b), elementwise and broadcast.

    Gradient: none.
    PyTorch: torch.lt. NumPy: numpy.less.

    Example:
        >>> import chainrule
        >>> chainrule.less([1, 2, 3], 2).value
        array([ True, False, False])
    """

    def forward(self, xp: Any, a: Any, b: Any) -> Any:
        return a < b


class LessEqual(Comparison):
    """y = (a ≤ b), elementwise and broadcast.

    Gradient: none.
    PyTorch: torch.le. NumPy: numpy.less_equal.

    Example:
        >>> import chainrule
        >>> chainrule.less_equal([1, 2, 3], 2).value
        array([ True,  True, False])
    """

    def forward(self, xp: Any, a: Any, b: Any) -> Any:
        return a <= b


class Greater(Comparison):
    """y = (a > b), elementwise and broadcast.

    Gradient: none.
    PyTorch: torch.gt. NumPy: numpy.greater.

    Example:
        >>> import chainrule
        >>> chainrule.greater([1, 2, 3], 2).value
        array([False, False,  True])
    """

    def forward(self, xp: Any, a: Any, b: Any) -> Any:
        return a > b


class GreaterEqual(Comparison):
    """y = (a ≥ b), elementwise and broadcast.

    Gradient: none.
    PyTorch: torch.ge. NumPy: numpy.greater_equal.

    Example:
        >>> import chainrule
        >>> chainrule.greater_equal([1, 2, 3], 2).value
        array([False,  True,  True])
    """

    def forward(self, xp: Any, a: Any, b: Any) -> Any:
        return a >= b


class Where(Elementwise):
    """y = a where the condition holds, else b; all three are broadcast.

    The gradient of the side that was not chosen is exactly 0, even where that side is infinite or NaN.

    Gradient: 1 for the side that is chosen, 0 for the other.
    PyTorch: torch.where. NumPy: numpy.where.

    Raises:
        DTypeError: when the condition is not boolean.

    Example:
        >>> import chainrule
        >>> x = chainrule.tensor([1.0, -2.0])
        >>> chainrule.where(x > 0, x, 0).value
        array([1., 0.], dtype=float32)
    """

    def promote_inputs(self, inputs: Sequence[TensorLike]) -> tuple[Tensor, ...]:
        (condition,) = as_tensors(inputs[:1])
        return condition, *promote(self.name, inputs[1:])

    def infer(self, condition: Spec, a: Spec, b: Spec) -> Spec:
        if condition.dtype.kind != "b":
            raise DTypeError(
                f"where: expected a boolean condition, got {condition.dtype.name}; compare it, as in x > 0"
            )
        return Spec(broadcast_shapes(self.name, [condition.shape, a.shape, b.shape]), a.dtype)

    def forward(self, xp: Any, condition: Any, a: Any, b: Any) -> Any:
        return xp.where(condition, a, b)

    def backward(self, gradient: Tensor, output: Tensor, condition: Tensor, a: Tensor, b: Tensor) -> Contributions:
        return None, where(condition, gradient, 0), where(condition, 0, gradient)

    @classmethod
    def samples(cls) -> Samples:
        return (
            sample(cls(), integers(2, 3, high=2) > 0, real(2, 3), real(3)),
            sample(cls(), integers(3, high=2) > 0, real(), real(2, 1)),
        )


equal = operation(Equal())
not_equal = operation(NotEqual())
less = operation(Less())
less_equal = operation(LessEqual())
greater = operation(Greater())
greater_equal = operation(GreaterEqual())
where = operation(Where())
