"""Tensor: a node of the graph, with its value when it ran eagerly and its gradient after `backward`."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from weakref import ReferenceType

import numpy as np
from numpy.typing import DTypeLike

from chainrule.errors import ChainruleError, ConfigurationError, DTypeError, ShapeError
from chainrule.graph.spec import BOOL, FLOAT32, FLOAT64, INT32, INT64, UINT32, Array, Shape, Spec, spec_of

if TYPE_CHECKING:
    from chainrule.graph.block import Block
    from chainrule.graph.sparse import RowSparse

DTYPES = (FLOAT32, FLOAT64, INT64, INT32, UINT32, BOOL)

#: Every function over tensors by its name. Blocks live above the graph, so the operators of a
#: tensor find their functions here; `operation` fills it where a function is declared.
OPERATIONS: dict[str, Callable[..., Tensor]] = {}


#: Whether a function is being traced.
TRACING: ContextVar[bool] = ContextVar("tracing", default=False)


class Tensor:
    """A node of the computational graph: a block, its inputs, a spec and, when it ran eagerly, a value.

    Tensors are made by `tensor` (from data), by functions and operators over other tensors, and by
    `trace` (from a spec, without a value). A function computes its value at once when all its inputs
    have one; that is all the difference between running eagerly and tracing.

    `==` asks whether two tensors are the same node, so that they can be keys of a dictionary; `chainrule.equal`
    compares values.

    Attributes:
        block: the operation that made it; None for a leaf.
        inputs: the tensors the block was applied to.
        spec: shape and dtype.
        value: the NumPy array, or None in a traced graph.
        gradient: what `backward` found, or None.
        name: a label for messages and drawings.
        layers: the layers that returned this tensor, innermost first.

    Example:
        >>> from chainrule import tensor
        >>> x = tensor([1.0, 2.0, 3.0])
        >>> (x * 2 + 1).value
        array([3., 5., 7.], dtype=float32)
    """

    __slots__ = ("__weakref__", "block", "gradient", "inputs", "layers", "name", "spec", "value")
    __array_ufunc__ = None  # array + tensor asks the tensor, not NumPy

    def __init__(
        self,
        spec: Spec,
        value: Array | None = None,
        *,
        block: Block | None = None,
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
        """What messages call this tensor: its name, or its operation and spec."""
        return f"'{self.name}'" if self.name else f"{self.block.name if self.block else 'leaf'} {self.spec}"

    def numpy(self) -> Array:
        """The value as a NumPy array: the tensor's own memory, which a compiled step writes into; copy it to keep it.

        Raises:
            ChainruleError: when the tensor was traced and has no value.
        """
        if self.value is None:
            raise ChainruleError(f"{self.label} was traced and has no value; run the function on data instead")
        return self.value

    def assign(self, value: Array) -> None:
        """Replace the value of a leaf.

        Raises:
            ShapeError: when the new value has another shape.
        """
        if value.shape != self.shape:
            raise ShapeError(f"{self.label}: expected a value of shape {self.shape}, got {value.shape}")
        self.value = np.array(value, dtype=self.dtype, order="C")

    def item(self) -> float:
        """The value of a tensor of one element, as a Python number."""
        return self.numpy().item()  # type: ignore[no-any-return]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        title = f"{self.name}: " if self.name else ""
        operation = f" = {self.block}" if self.block else ""
        if self.value is None:
            return f"Tensor({title}{self.spec}{operation})"
        shown = np.array2string(self.value, precision=4, threshold=20, edgeitems=2, separator=", ")
        return f"Tensor({title}{shown}, {self.spec}{operation})"

    def _repr_svg_(self) -> str | None:
        from chainrule.graph.draw import draw  # drawing loads a layout library: only when it is asked for

        try:
            return str(draw(self))
        except ConfigurationError:  # too large a graph to draw: a notebook falls back to the text
            return None

    # Operators: each is one function over tensors, found by its name.
    def __add__(self, other: TensorLike) -> Tensor:
        return OPERATIONS["add"](self, other)

    def __radd__(self, other: TensorLike) -> Tensor:
        return OPERATIONS["add"](other, self)

    def __sub__(self, other: TensorLike) -> Tensor:
        return OPERATIONS["subtract"](self, other)

    def __rsub__(self, other: TensorLike) -> Tensor:
        return OPERATIONS["subtract"](other, self)

    def __mul__(self, other: TensorLike) -> Tensor:
        return OPERATIONS["multiply"](self, other)

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

    # `==` compares nodes by identity, so that tensors can be dictionary keys; use `equal` for values.

    def __getitem__(self, index: Any) -> Tensor:
        return OPERATIONS["index"](self, index)

    def __len__(self) -> int:
        if not self.shape:
            raise ShapeError("a scalar tensor has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self.numpy())

    def __float__(self) -> float:
        return float(self.numpy())

    @property
    def T(self) -> Tensor:  # noqa: N802  (the field's name for the transpose)
        """The tensor with its axes in reverse order."""
        return OPERATIONS["transpose"](self)

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


class Constant(Tensor):
    """A leaf that is part of the program, such as the 2 in `x * 2`: it has no gradient."""

    __slots__ = ()


class Watch:
    """Knows whether leaves have changed: who compares `changes` finds another object after each change.

    That is how a compiled step, which has dozens of leaves, need not look at each of them in every call.
    """

    __slots__ = ("__weakref__", "changes")

    def __init__(self) -> None:
        self.changes = object()


class Mutable(Tensor):
    """A leaf that steps change, such as a parameter or what an optimizer remembers of one.

    Compiled steps may leave rows of a table behind that no batch reads, to bring them up to date later: `settlers` do.
    `value` has them do so before anyone looks; `array` is the memory as it is.
    """

    __slots__ = ("_array", "_settlers", "_watches")

    def __init__(self, spec: Spec, value: Array | None = None, *, name: str | None = None) -> None:
        self._array: Array | None = None
        self._settlers: tuple[Callable[[], None], ...] = ()
        self._watches: list[ReferenceType[Watch]] = []
        super().__init__(spec, value, name=name)

    def __getstate__(self) -> dict[str, Any]:
        """What copies and pickles are made of: the value, up to date, and nobody who would settle it."""
        held = {name: getattr(self, name) for name in ("spec", "block", "inputs", "gradient", "name", "layers")}
        return {"settlers": (), **held, "array": self.value}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._watches = []
        for name, held in state.items():
            setattr(self, name, held)

    @property
    def known(self) -> bool:
        """Whether it has a value to compute with; in a trace it has none, as a later run may find another."""
        return self._array is not None and not TRACING.get()

    @property
    def value(self) -> Array | None:
        """The NumPy array, with all rows up to date; None in a traced graph."""
        for settle in self._settlers:
            settle()
        return self._array

    @value.setter
    def value(self, value: Array | None) -> None:
        for settle in self._settlers:  # what is remembered of the rows so far belongs to the value so far
            settle()
        self.array = value

    @property
    def array(self) -> Array | None:
        """The value as it is in memory; rows may be behind."""
        return self._array

    @array.setter
    def array(self, value: Array | None) -> None:
        self._array = value
        self._tell()

    @property
    def settlers(self) -> tuple[Callable[[], None], ...]:
        """What is asked before anyone looks at the value."""
        return self._settlers

    @settlers.setter
    def settlers(self, settlers: tuple[Callable[[], None], ...]) -> None:
        self._settlers = settlers
        self._tell()

    def watch(self, watch: Watch) -> None:
        """Have a watch told when the leaf gets another array or settler, as long as somebody holds the watch."""
        self._watches.append(weakref.ref(watch, self._watches.remove))

    def _tell(self) -> None:
        for reference in list(self._watches):
            watch = reference()
            if watch is not None:
                watch.changes = object()


class Parameter(Mutable):
    """A leaf that training changes: the numbers a layer learns.

    Example:
        >>> from chainrule import Parameter
        >>> weight = Parameter.of([[1.0, 2.0]], name="weight")
        >>> weight.shape
        (1, 2)
    """

    __slots__ = ()

    @classmethod
    def of(cls, data: Any, *, name: str | None = None, dtype: DTypeLike | None = None) -> Parameter:
        """A parameter that starts with the given numbers (float32 unless asked otherwise).

        Raises:
            ShapeError: for data that is not a regular array of numbers.
            DTypeError: for a dtype that is not floating-point: only such numbers carry a gradient.
        """
        if dtype is not None and as_dtype(dtype).kind != "f":
            raise DTypeError(f"parameter: expected a dtype of float32 or float64, got {as_dtype(dtype)}")
        value = np.array(as_array(data, dtype))  # a parameter owns its memory: updates happen in place
        if value.dtype.kind != "f":
            value = value.astype(FLOAT32)
        return cls(spec_of(value), value, name=name)


TensorLike: TypeAlias = Tensor | Array | float | int | bool | Sequence[Any] | np.generic


def as_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """The dtype of this name.

    Raises:
        DTypeError: when there is none.
    """
    try:
        return np.dtype(dtype)
    except TypeError:
        raise DTypeError(f"dtype {dtype!r} is not known; expected one of {_names()}") from None


def _names() -> str:
    return ", ".join(dtype.name for dtype in DTYPES)


def as_array(data: Any, dtype: DTypeLike | None = None) -> Array:
    """Data as an array of a dtype that tensors have; floating-point data is float32 unless asked otherwise."""
    dtype = None if dtype is None else as_dtype(dtype)
    try:
        array = np.asarray(data, dtype=dtype)
    except (ValueError, TypeError) as error:
        raise ShapeError(f"tensor: expected numbers in a regular array, got data NumPy cannot read: {error}") from None
    if dtype is None and array.dtype.kind == "f":
        array = array.astype(FLOAT32)
    if dtype is None and array.dtype.kind in "iu" and array.dtype not in DTYPES:
        array = array.astype(INT64)
    if array.dtype not in DTYPES:
        raise DTypeError(f"tensor: dtype {array.dtype} is not supported; expected one of {_names()}")
    return array


def tensor(data: TensorLike, dtype: DTypeLike | None = None, *, name: str | None = None) -> Tensor:
    """A tensor that holds data: a number, nested lists or a NumPy array.

    Floating-point data becomes float32 unless `dtype` asks for float64; integers stay integers.
    Only floating-point tensors carry a gradient.

    Args:
        data: the numbers; another tensor gives a new leaf with a copy of its value, an array is used as it is.
        dtype: float32, float64, int32, int64, uint32 or bool.
        name: a label for messages and drawings.

    Raises:
        ShapeError: for data that is not a regular array of numbers.
        DTypeError: for a dtype that is not supported.

    Example:
        >>> tensor([[1, 2], [3, 4]], dtype="float64").dtype
        dtype('float64')
    """
    if isinstance(data, Tensor):
        data, dtype = data.numpy().copy(), dtype or data.dtype
    array = as_array(data, dtype)
    return Tensor(spec_of(array), array, name=name)


Operation = TypeVar("Operation", bound=Callable[..., "Tensor"])


def operation(function: Operation) -> Operation:
    """Register a function over tensors (or a block without settings, which is one) under its name."""
    name: str = getattr(function, "__name__", "") or getattr(function, "name", "")
    OPERATIONS[name] = function
    return function


def as_tensors(inputs: Sequence[TensorLike]) -> tuple[Tensor, ...]:
    """The inputs as tensors, each with its own dtype; data becomes constants."""
    return tuple(x if isinstance(x, Tensor) else _constant(as_array(x)) for x in inputs)


def promote(name: str, inputs: Sequence[TensorLike], *, floating: bool = False) -> tuple[Tensor, ...]:
    """The inputs as tensors of one common dtype.

    Numbers and arrays take the dtype of the tensors they meet; integers and booleans meet a floating-point
    tensor as its dtype. float32 and float64 tensors do not mix: a float64 that slips in would silently
    double the cost of everything after it.

    Args:
        name: the operation, for messages.
        inputs: tensors and data.
        floating: make integers floating-point (for operations such as exp).

    Raises:
        DTypeError: for tensors of float32 and float64 together.
    """
    tensors = [x for x in inputs if isinstance(x, Tensor)]
    if (
        len(tensors) == len(inputs)
        and len({x.spec.dtype for x in tensors}) == 1
        and (tensors[0].spec.floating or not floating)
    ):
        return tuple(tensors)
    arrays = [x if isinstance(x, Tensor) else as_array(x) for x in inputs]
    kinds = {x.dtype for x in arrays if isinstance(x, Tensor) and x.dtype.kind == "f"}
    if len(kinds) > 1:
        raise DTypeError(f"{name}: float32 and float64 tensors do not mix; convert one with .astype(...)")
    if kinds:
        dtype = kinds.pop()
    elif floating or any(x.dtype.kind == "f" for x in arrays):
        dtype = FLOAT32
    else:
        held = [x.dtype for x in arrays if isinstance(x, Tensor)]
        written = [x for x in inputs if not isinstance(x, Tensor)]
        # A Python integer takes the dtype of the integer tensors it meets (uint32 stays uint32).
        weak = all(isinstance(x, int) and not isinstance(x, bool) for x in written) and any(
            d.kind in "iu" for d in held
        )
        dtype = np.result_type(*(held if weak else [x.dtype for x in arrays]))
        if dtype not in DTYPES:
            raise DTypeError(
                f"{name}: {' and '.join(d.name for d in held)} tensors do not mix; convert one with .astype(...)"
            )
    return tuple(_with_dtype(x, raw, dtype) for x, raw in zip(arrays, inputs, strict=True))


def _with_dtype(x: Tensor | Array, raw: TensorLike, dtype: np.dtype[Any]) -> Tensor:
    if isinstance(x, Tensor):
        return x if x.dtype == dtype else OPERATIONS["cast"](x, dtype)
    return _constant(np.asarray(raw, dtype=dtype))


def _constant(array: Array) -> Tensor:
    return Constant(spec_of(array), array)
