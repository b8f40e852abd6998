"""Tensor: a node of the graph, with its value when it ran eagerly and its gradient after `backward`."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from chainrule.errors import ChainruleError, ConfigurationError, ShapeError
from chainrule.graph.array import as_array
from chainrule.graph.operations import OPERATIONS as OPERATIONS
from chainrule.graph.operations import of_booleans, of_numpy
from chainrule.graph.operations import operation as operation
from chainrule.graph.spec import Array, Shape, Spec

if TYPE_CHECKING:
    from chainrule.graph.block import Block
    from chainrule.graph.leaves import Loan
    from chainrule.graph.sparse import RowSparse

#: Whether this code runs inside a call of `trace`.
TRACING: ContextVar[bool] = ContextVar("tracing", default=False)


def _method(name: str) -> Callable[..., Any]:
    """A method of tensors: the function of that name, with the tensor before its other arguments."""

    def method(self: Tensor, *arguments: Any, **settings: Any) -> Any:
        return OPERATIONS[name](self, *arguments, **settings)

    method.__name__, method.__qualname__, method.__doc__ = name, f"Tensor.{name}", f"See `chainrule.{name}`."
    return method


class OwnOperators:
    """What has operators of its own, to which a tensor on its left leaves the work."""


class Tensor:
    """A node of the computational graph: a block, its inputs, a spec and, when it ran eagerly, a value.

    Tensors are made by `tensor` (from data), by functions and operators over other tensors, and by
    `trace` (from a spec, without a value). A function computes its value at once if all its inputs
    have values. This is the only difference between running eagerly and tracing.

    `==` compares values, element by element, as `chainrule.equal` does. As a key of a dictionary a tensor is itself.

    Attributes:
        block: the operation that made it; None for a leaf.
        inputs: the tensors the block was applied to.
        spec: shape and dtype.
        value: the NumPy array, or None in a traced graph.
        gradient: what `backward` found, or None.
        name: a label for messages and drawings.
        layers: the layers that returned this tensor, innermost first.
        loans: for each input the array that the value was computed from; a leaf may get another one later.

    Example:
        >>> from chainrule import tensor
        >>> x = tensor([1.0, 2.0, 3.0])
        >>> (x * 2 + 1).value
        array([3., 5., 7.], dtype=float32)
    """

    __slots__ = ("__weakref__", "block", "gradient", "inputs", "layers", "loans", "name", "spec", "value")

    def __init__(
        self,
        spec: Spec,
        value: Array | None = None,
        block: Block | None = None,  # blocks pass it by position, as keywords would take as long again as all the rest
        inputs: tuple[Tensor, ...] = (),
        name: str | None = None,
    ) -> None:
        self.block = block
        self.inputs = inputs
        self.spec = spec
        self.value = value
        self.gradient: Tensor | RowSparse | None = None
        self.name = name
        self.layers: tuple[Any, ...] = ()
        self.loans: Sequence[Loan | Array | None] = ()

    @property
    def shape(self) -> Shape:
        """The size along each axis."""
        return self.spec.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        return self.spec.dtype

    @property
    def known(self) -> bool:
        """Whether it has a value to compute with."""
        return self.value is not None

    @property
    def label(self) -> str:
        """The name for messages: the tensor's own, or else its operation and spec."""
        return f"'{self.name}'" if self.name else f"{self.block.name if self.block else 'leaf'} {self.spec}"

    def numpy(self) -> Array:
        """The value as a NumPy array: the tensor's own memory, which a compiled step writes into; copy it to keep it.

        Raises:
            ChainruleError: when the tensor was traced and has no value.
        """
        if self.value is None:
            raise ChainruleError(
                f"{self.label} was traced and has no value; run the function on data instead, or write what compiled "
                f"functions and gradients do with functions over tensors, such as chainrule.where in place of an if"
            )
        return self.value

    def assign(self, value: TensorLike) -> None:
        """Replace the value of a leaf; gradients of what was computed from it stay those of the old value.

        In a compiled function use `chainrule.assign`, which makes it a part of each call.

        Raises:
            ShapeError: when the new value has another shape.
            ConfigurationError: for a tensor that was computed, and in a trace.
        """
        if self.block is not None:
            raise ConfigurationError(
                f"assign: {self.label} was computed; only leaves, such as parameters, can be changed"
            )
        if TRACING.get():
            raise ConfigurationError(
                f"assign: in a compiled function {self.label} is changed by chainrule.assign(target, value) instead"
            )
        array = as_array(value.numpy() if isinstance(value, Tensor) else value, self.dtype)
        if array.shape != self.shape:
            raise ShapeError(f"{self.label}: expected a value of shape {self.shape}, got {array.shape}")
        self.value = np.array(array, order="C")

    def detach(self) -> Tensor:
        """The same numbers without their history: no gradient passes. See `chainrule.stop_gradient`."""
        return OPERATIONS["stop_gradient"](self)

    def item(self) -> float:
        """The value of a tensor of one element, as a Python number."""
        return self.numpy().item()  # type: ignore[no-any-return]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __array_ufunc__(self, function: np.ufunc, method: str, *inputs: Any, **settings: Any) -> Tensor:
        """NumPy's functions of tensors are chainrule's of the same name; so are its operators, as in `array + tensor`.

        Raises:
            DTypeError: for one that chainrule does not have, and where NumPy would write into an array.
        """
        return of_numpy(function, method, inputs, settings)

    def _repr_svg_(self) -> str | None:
        """What a notebook shows: its graph, or None (the text) where that is too large to draw."""
        draw = importlib.import_module("chainrule.drawing.draw").draw  # loads a layout library, and is a room above
        try:
            return str(draw(self))
        except ConfigurationError:
            return None

    def __repr__(self) -> str:
        title = f"{self.name}: " if self.name else ""
        operation = f" = {self.block}" if self.block else ""
        if self.value is None:
            return f"Tensor({title}{self.spec}{operation})"
        shown = np.array2string(self.value, precision=4, threshold=20, edgeitems=2, separator=", ")
        return f"Tensor({title}{shown}, {self.spec}{operation})"

    # Operators: each is one function over tensors, found by its name.
    def __add__(self, other: TensorLike) -> Tensor:
        return NotImplemented if isinstance(other, OwnOperators) else OPERATIONS["add"](self, other)

    def __radd__(self, other: TensorLike) -> Tensor:
        return OPERATIONS["add"](other, self)

    def __sub__(self, other: TensorLike) -> Tensor:
        return NotImplemented if isinstance(other, OwnOperators) else OPERATIONS["subtract"](self, other)

    def __rsub__(self, other: TensorLike) -> Tensor:
        return OPERATIONS["subtract"](other, self)

    def __mul__(self, other: TensorLike) -> Tensor:
        return NotImplemented if isinstance(other, OwnOperators) else OPERATIONS["multiply"](self, other)

    def __rmul__(self, other: TensorLike) -> Tensor:
        return OPERATIONS["multiply"](other, self)

    def __truediv__(self, other: TensorLike) -> Tensor:
        return OPERATIONS["divide"](self, other)

    def __rtruediv__(self, other: TensorLike) -> Tensor:
        return OPERATIONS["divide"](other, self)

    def __pow__(self, other: TensorLike) -> Tensor:
        return OPERATIONS["power"](self, other)

    def __rpow__(self, other: TensorLike) -> Tensor:
        return OPERATIONS["power"](other, self)

    def __matmul__(self, other: TensorLike) -> Tensor:
        return OPERATIONS["matmul"](self, other)

    def __rmatmul__(self, other: TensorLike) -> Tensor:
        return OPERATIONS["matmul"](other, self)

    def __floordiv__(self, other: TensorLike) -> Tensor:
        return OPERATIONS["floor_divide"](self, other)

    def __rfloordiv__(self, other: TensorLike) -> Tensor:
        return OPERATIONS["floor_divide"](other, self)

    def __mod__(self, other: TensorLike) -> Tensor:
        return OPERATIONS["remainder"](self, other)

    def __rmod__(self, other: TensorLike) -> Tensor:
        return OPERATIONS["remainder"](other, self)

    def __and__(self, other: TensorLike) -> Tensor:
        return of_booleans("&", "logical_and", self, other)

    def __rand__(self, other: TensorLike) -> Tensor:
        return of_booleans("&", "logical_and", other, self)

    def __or__(self, other: TensorLike) -> Tensor:
        return of_booleans("|", "logical_or", self, other)

    def __ror__(self, other: TensorLike) -> Tensor:
        return of_booleans("|", "logical_or", other, self)

    def __xor__(self, other: TensorLike) -> Tensor:
        return of_booleans("^", "logical_xor", self, other)

    def __rxor__(self, other: TensorLike) -> Tensor:
        return of_booleans("^", "logical_xor", other, self)

    def __invert__(self) -> Tensor:
        return of_booleans("~", "logical_not", self)

    def __neg__(self) -> Tensor:
        return OPERATIONS["negative"](self)

    def __abs__(self) -> Tensor:
        return OPERATIONS["absolute"](self)

    def __lt__(self, other: TensorLike) -> Tensor:
        return OPERATIONS["less"](self, other)

    def __le__(self, other: TensorLike) -> Tensor:
        return OPERATIONS["less_equal"](self, other)

    def __gt__(self, other: TensorLike) -> Tensor:
        return OPERATIONS["greater"](self, other)

    def __ge__(self, other: TensorLike) -> Tensor:
        return OPERATIONS["greater_equal"](self, other)

    # `==` compares values, as in NumPy. A tensor is found in a dictionary or set as itself: dictionaries look for the
    # very object first, and hashes of distinct objects differ. In a list, `in` and `index` would compare values.
    def __eq__(self, other: object) -> Tensor:  # type: ignore[override]
        return OPERATIONS["equal"](self, other) if isinstance(other, COMPARABLE) else NotImplemented

    def __ne__(self, other: object) -> Tensor:  # type: ignore[override]
        return OPERATIONS["not_equal"](self, other) if isinstance(other, COMPARABLE) else NotImplemented

    __hash__ = object.__hash__

    def __getitem__(self, index: Any) -> Tensor:
        return OPERATIONS["index"](self, index)

    def __len__(self) -> int:
        if not self.shape:
            raise ShapeError("a scalar tensor has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __setitem__(self, index: Any, value: Any) -> None:
        raise ConfigurationError(
            f"{self.label} is not written in place, as graphs are computed from it; y = chainrule.update_at(x, index, "
            f"value) gives a new tensor"
        )

    def __bool__(self) -> bool:
        if self.spec.size != 1:
            raise ShapeError(
                f"{self.label}: an if needs one truth value, and it has {self.spec.size}; use chainrule.where, or "
                f".any() or .all()"
            )
        return bool(self.numpy())

    def __float__(self) -> float:
        return float(self.numpy())

    @property
    def T(self) -> Tensor:  # noqa: N802  (the field's name for the transpose)
        """The tensor with its axes in reverse order."""
        return OPERATIONS["transpose"](self)

    @property
    def mT(self) -> Tensor:  # noqa: N802  (the field's name for transposed matrices)
        """The tensor with its last two axes exchanged: every matrix of a batch transposed.

        Raises:
            ShapeError: for fewer than two axes.
        """
        return OPERATIONS["swapaxes"](self, -1, -2)

    def sum(self, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Tensor:
        """See `chainrule.sum`."""
        return OPERATIONS["sum"](self, axis, keepdims)

    def mean(self, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Tensor:
        """See `chainrule.mean`."""
        return OPERATIONS["mean"](self, axis, keepdims)

    def max(self, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> Tensor:
        """See `chainrule.max`."""
        return OPERATIONS["max"](self, axis, keepdims)

    def reshape(self, *shape: int | Sequence[int]) -> Tensor:
        """See `chainrule.reshape`; the sizes one by one, or in one sequence."""
        return OPERATIONS["reshape"](self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: int | Sequence[int]) -> Tensor:
        """See `chainrule.transpose`; the axes one by one, or in one sequence."""
        given = axes[0] if len(axes) == 1 and isinstance(axes[0], Sequence) else axes
        return OPERATIONS["transpose"](self, given or None)

    def astype(self, dtype: DTypeLike) -> Tensor:
        """See `chainrule.cast`."""
        return OPERATIONS["cast"](self, dtype)

    # The functions of one tensor that NumPy or PyTorch has as methods, too.
    absolute = _method("absolute")
    all = _method("all")
    any = _method("any")
    argmax = _method("argmax")
    argmin = _method("argmin")
    argsort = _method("argsort")
    ceil = _method("ceil")
    clamp = _method("clamp")
    cos = _method("cos")
    cumsum = _method("cumsum")
    erf = _method("erf")
    exp = _method("exp")
    exp2 = _method("exp2")
    expm1 = _method("expm1")
    floor = _method("floor")
    isfinite = _method("isfinite")
    isnan = _method("isnan")
    log = _method("log")
    log10 = _method("log10")
    log1p = _method("log1p")
    log2 = _method("log2")
    log_softmax = _method("log_softmax")
    logsumexp = _method("logsumexp")
    min = _method("min")
    prod = _method("prod")
    reciprocal = _method("reciprocal")
    relu = _method("relu")
    repeat = _method("repeat")
    roll = _method("roll")
    round = _method("round")
    rsqrt = _method("rsqrt")
    sigmoid = _method("sigmoid")
    sign = _method("sign")
    sin = _method("sin")
    softmax = _method("softmax")
    sort = _method("sort")
    split = _method("split")
    sqrt = _method("sqrt")
    square = _method("square")
    squeeze = _method("squeeze")
    std = _method("std")
    swapaxes = _method("swapaxes")
    tan = _method("tan")
    tanh = _method("tanh")
    tile = _method("tile")
    topk = _method("topk")
    tril = _method("tril")
    triu = _method("triu")
    unstack = _method("unstack")
    var = _method("var")


#: What `==` compares with a tensor's values. Anything else, such as None, is not equal to it.
COMPARABLE = (Tensor, np.ndarray, np.generic, int, float, bool, list, tuple)

TensorLike: TypeAlias = Tensor | Array | float | int | bool | Sequence[Any] | np.generic
