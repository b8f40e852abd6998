"""Imitated scalars of a generated loop, which refuse what a generated loop cannot do.

The compiler runs the loop bodies of blocks on scalars that stand for instructions. These scalars compute a value
instead, but they allow the same things only: operators and the functions in `SCALAR_FUNCTIONS`, no Python `if` on a
value, no NumPy array.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.errors import ShapeError
from chainrule.graph.array import converted
from chainrule.graph.block import Block, Elementwise, Movement, Reduction, Scatter
from chainrule.graph.contract import BRANCH, SCALAR_FUNCTIONS
from chainrule.graph.spec import Array, Shape, spec_of


class Scalar:
    """One number of a loop body, of a dtype; Python numbers take its dtype, as in NumPy."""

    __array_ufunc__ = None

    def __init__(self, value: Any) -> None:
        self.value = value

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype, which the number of a loop knows too."""
        return np.asarray(self.value).dtype

    def __bool__(self) -> bool:
        raise TypeError(BRANCH)

    def __neg__(self) -> Scalar:
        return apply(operator.neg, self)

    def __pos__(self) -> Scalar:
        return self

    def __abs__(self) -> Scalar:
        return apply(operator.abs, self)

    def __invert__(self) -> Scalar:
        return apply(operator.invert, self)

    __hash__ = None  # type: ignore[assignment]


def apply(function: Callable[..., Any], *operands: Any) -> Scalar:
    """A function of scalars and Python numbers."""
    values = []
    for x in operands:
        if not isinstance(x, Scalar | int | float | bool):
            raise TypeError(f"a loop body works on scalars and Python numbers, got {type(x).__name__}")
        values.append(np.asarray(x.value) if isinstance(x, Scalar) else x)
    with np.errstate(all="ignore"):
        return Scalar(np.asarray(function(*values))[()])


def _binary(function: Callable[..., Any], reverse: bool = False) -> Any:
    if reverse:
        return lambda self, other: apply(function, other, self)
    return lambda self, other: apply(function, self, other)


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or", "xor", "lshift", "rshift"):
    _function = getattr(operator, f"{_name}_" if _name in ("and", "or") else _name)
    setattr(Scalar, f"__{_name}__", _binary(_function))
    setattr(Scalar, f"__r{_name}__", _binary(_function, reverse=True))
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(Scalar, f"__{_name}__", _binary(getattr(operator, _name)))


class Scalars:
    """The `xp` of a loop body: only the functions that a generated loop has."""

    def __getattr__(self, name: str) -> Any:
        if name not in SCALAR_FUNCTIONS:
            raise AttributeError(f"a loop body may call {', '.join(SCALAR_FUNCTIONS)} on xp; it called {name}")
        if name == "astype":
            return lambda x, dtype: Scalar(converted(x.value, dtype)[()])
        return lambda *operands: apply(getattr(np, name), *operands)


class Read:
    """An input of a loop body: reads the element at an index."""

    def __init__(self, array: Array) -> None:
        self.array = array
        self.shape = array.shape

    def __call__(self, index: tuple[Any, ...]) -> Scalar:
        """The element at an index made of integers and scalars."""
        places = tuple(int(i.value) if isinstance(i, Scalar) else int(i) for i in index)
        if any(not 0 <= i < n for i, n in zip(places, self.shape, strict=True)):
            raise IndexError(f"a loop body read {places} of an input of shape {self.shape}")
        return Scalar(self.array[places])


class Written(Read):
    """An array that loops write."""

    def __init__(self, array: Array) -> None:
        super().__init__(array)
        self.spec = spec_of(array)

    def store(self, nest: Nest, index: tuple[Any, ...], value: Any, *, accumulate: bool = False) -> None:  # noqa: ARG002
        """Write, or add to, the element at an index."""
        place = tuple(int(i.value) if isinstance(i, Scalar) else int(i) for i in index)
        number = value.value if isinstance(value, Scalar) else value
        self.array[place] = self.array[place] + number if accumulate else number

    def prefetch(self, nest: Nest, index: tuple[Any, ...]) -> None:  # noqa: ARG002
        """Does nothing but check the index."""
        self(index)


class Held:
    """A variable of a loop nest."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def get(self) -> Any:
        """Its value now."""
        return self.value


class Nest:
    """The loop language of `loops`, run at once."""

    #: The functions of `SCALAR_FUNCTIONS`.
    xp = Scalars()

    def whole(self, value: int) -> Scalar:
        """A whole number."""
        return Scalar(np.int64(value))

    def number(self, value: float, dtype: np.dtype[Any]) -> Scalar:
        """A number of a dtype."""
        return Scalar(dtype.type(value))

    def choose(self, condition: Any, a: Any, b: Any) -> Any:
        """a where the condition holds, else b."""
        return Scalars().where(condition, a, b)

    def declare(self, start: Any) -> Held:
        """A new variable."""
        return Held(start)

    def assign(self, variable: Held, value: Any) -> None:
        """Change a variable."""
        variable.value = value

    def refuse(self, condition: Scalar, value: Scalar) -> None:
        """End with an error about a value where a condition holds."""
        if condition.value:
            raise ShapeError(f"a loop refused {value.value}")

    def when(self, condition: Scalar, body: Callable[[], None], *, seldom: bool = False) -> None:  # noqa: ARG002
        """Run a body where a condition holds."""
        if condition.value:
            body()

    def loop(
        self,
        end: Any,
        body: Callable[[Scalar], None],
        start: Any = 0,
        *,
        parallel: bool = False,
        total: Any = None,  # noqa: ARG002
    ) -> None:
        """Run a body for start ... end - 1; a parallel loop runs backwards, as its order must not matter."""
        first, last = (int(x.value) if isinstance(x, Scalar) else int(x) for x in (start, end))
        for i in reversed(range(first, last)) if parallel else range(first, last):
            body(Scalar(np.int64(i)))

    def nest(
        self, sizes: tuple[int, ...], body: Callable[[tuple[Scalar, ...]], None], *, parallel: int | None = None
    ) -> None:
        """Run a body for every index of a shape; a parallel axis runs backwards."""
        places = list(np.ndindex(tuple(sizes)))
        if parallel is not None:
            places.sort(key=lambda place: -place[parallel])
        for place in places:
            body(tuple(Scalar(np.int64(i)) for i in place))


def run_loop(block: Block, arrays: tuple[Array, ...], shape: Shape, dtype: np.dtype[Any]) -> Array | None:
    """The value of a block computed by its loop body, element by element; None for a block of no kind."""
    xp = Scalars()
    if isinstance(block, Elementwise | Movement):
        output = np.zeros(shape, dtype)
        reads = [Read(array) for array in arrays]
        for place in np.ndindex(shape):
            index = tuple(Scalar(np.int64(i)) for i in place)
            result = block.element(xp, index, shape, *reads)
            output[place] = result.value if isinstance(result, Scalar) else result
        return output
    if isinstance(block, Reduction):
        (x,) = arrays
        kept = tuple(1 if i in block.axis else n for i, n in enumerate(x.shape))
        output = np.full(kept, block.start(dtype), dtype)
        for place in np.ndindex(x.shape):
            into = tuple(0 if i in block.axis else p for i, p in enumerate(place))
            element = Scalar(np.asarray(x[place]).astype(dtype)[()])
            output[into] = block.combine(xp, Scalar(output[into]), element).value
        return output.reshape(shape)
    if isinstance(block, Scatter):
        output = np.zeros(shape, dtype)
        reads = [Read(array) for array in arrays]
        for place in np.ndindex(arrays[0].shape):
            into = tuple(int(i.value) if isinstance(i, Scalar) else i for i in block.target(place, *reads))
            if all(i < n for i, n in zip(into, shape, strict=True)):  # an index past the end stands for no row
                output[into] += arrays[0][place]
        return output
    if hasattr(block, "loops"):
        written = Written(np.full(shape, 77, dtype))  # elements that the loops do not write stay 77
        memory = []
        if hasattr(block, "scratch"):
            spec = block.scratch(*[spec_of(x) for x in arrays])
            memory.append(Written(np.zeros(spec.shape, spec.dtype)))
        block.loops(Nest(), written, *memory, *[Read(array) for array in arrays])
        if any(held.array.any() for held in memory):
            raise AssertionError(f"{block!r}: loops left its scratch memory other than zero")
        return written.array
    return None
