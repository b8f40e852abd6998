"""Expressions: the numbers that loop bodies compute, in a form that can be printed and compiled.

The `forward` of an elementwise block is run on expressions instead of arrays. The expression that it returns says what
the block does to one element.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from chainrule.errors import shortened
from chainrule.graph.array import as_dtype
from chainrule.graph.contract import BRANCH, SCALAR_FUNCTIONS
from chainrule.graph.spec import BOOL, INT64

COMPARISONS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
ARITHMETIC = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%",
    "and": "&", "or": "|", "xor": "^", "lshift": "<<", "rshift": ">>",
}  # fmt: skip
SYMBOLS = {**COMPARISONS, **ARITHMETIC}
#: The functions that only floating-point numbers have.
OF_FLOATS = {*SCALAR_FUNCTIONS} - {"absolute", "astype", "maximum", "minimum", "power", "where"}
#: The operations that a kind of dtype does not have.
UNDEFINED = {
    "b": {"sub", "neg", "truediv", "floordiv", "mod", "lshift", "rshift", "power", *OF_FLOATS},
    "i": {"truediv", *OF_FLOATS},
    "u": {"truediv", *OF_FLOATS},
    "f": {"and", "or", "xor", "lshift", "rshift", "invert"},
}


#: The operations that are computed from no other number.
LEAVES = {"constant", "index", "size", "variable"}
#: Whole numbers below this, of either sign, are certainly ones of int64.
SMALL = 1 << 62
#: How many operands a function has, where it is not one.
OPERANDS = {"astype": 2, "maximum": 2, "minimum": 2, "power": 2, "where": 3}


class Expression:
    """One number of a loop body: an operation on operands.

    Attributes:
        operation: what computes it: "constant", "index", "size", "load", "variable", "cast", "where", a function of
            `SCALAR_FUNCTIONS`, or the name of an operator.
        operands: the expressions it is computed from. A constant has its value; an index and a variable have a name; a
            size has a buffer and an axis, and a load a buffer and its index.
        dtype: the dtype of the number.
        inner: the expressions among the operands, once `parts` has collected them.
    """

    __slots__ = ("dtype", "inner", "operands", "operation")
    __array_ufunc__ = None

    def __init__(self, operation: str, operands: tuple[Any, ...], dtype: np.dtype[Any]) -> None:
        self.operation = operation
        self.operands = operands
        self.dtype = dtype
        self.inner: tuple[Expression, ...] | None = None

    def __bool__(self) -> bool:
        raise TypeError(BRANCH)

    __hash__ = None  # type: ignore[assignment]

    def __neg__(self) -> Expression:
        _require_defined("neg", self.dtype)
        return Expression("neg", (self,), self.dtype)

    def __invert__(self) -> Expression:
        _require_defined("invert", self.dtype)
        return Expression("invert", (self,), self.dtype)

    def __pos__(self) -> Expression:
        return self

    def __abs__(self) -> Expression:
        return call("absolute", self)

    def __pow__(self, exponent: Any) -> Expression:
        return raised(self, exponent)

    def __rpow__(self, base: Any) -> Expression:
        return raised(*common(base, self))

    def __repr__(self) -> str:
        return f"Expression({self.operation}, {self.dtype.name})"


def constant(value: Any, dtype: np.dtype[Any]) -> Expression:
    """A number written into the program.

    Raises:
        TypeError: for what is no number.
    """
    if type(value) is int and dtype is INT64 and -SMALL < value < SMALL:
        return Expression("constant", (value,), dtype)  # nearly always: an index, or a size
    if not isinstance(value, int | float | np.number | np.bool_):
        raise TypeError(f"{shortened(value)} is no number of a loop")
    return Expression("constant", (np.dtype(dtype).type(value).item(),), np.dtype(dtype))


def as_expression(value: Any, dtype: np.dtype[Any]) -> Expression:
    """A Python number as a constant of a dtype; an expression as it is."""
    return value if isinstance(value, Expression) else constant(value, dtype)


def common(*operands: Any) -> tuple[Expression, ...]:
    """The operands in one dtype: that of the expressions among them, or the one NumPy promotes theirs to."""
    if len(operands) == 2:
        left, right = operands
        if isinstance(left, Expression) and isinstance(right, Expression) and left.dtype is right.dtype:
            return operands  # nearly always
    dtypes = {x.dtype for x in operands if isinstance(x, Expression)}
    for x in operands:
        if isinstance(x, float | np.floating) and all(dtype.kind != "f" for dtype in dtypes):
            raise TypeError(f"a loop body cannot combine {x} with {dtypes.pop().name}; convert with xp.astype")
    if len(dtypes) > 1:
        dtype = np.result_type(*dtypes)
        return tuple(cast(x, dtype) if isinstance(x, Expression) else constant(x, dtype) for x in operands)
    dtype = dtypes.pop()
    if dtype == BOOL and not all(isinstance(x, Expression | bool) for x in operands):
        dtype = INT64
        return tuple(cast(x, dtype) if isinstance(x, Expression) else constant(x, dtype) for x in operands)
    return tuple(as_expression(x, dtype) for x in operands)


def cast(x: Expression, dtype: np.dtype[Any]) -> Expression:
    """The number in another dtype."""
    return x if x.dtype == dtype else Expression("cast", (x,), as_dtype(dtype))


def _require_defined(name: str, dtype: np.dtype[Any]) -> None:
    """Refuse an operation that a dtype does not have: most of those on booleans, some on floating-point numbers."""
    if name in UNDEFINED.get(dtype.kind, ()):
        raise TypeError(f"a loop body cannot apply {SYMBOLS.get(name, name)} to {dtype.name}; convert with xp.astype")


def raised(base: Expression, exponent: Any) -> Expression:
    """A power, as the operator ** writes it: a square is a product, and a whole number has no other than whole powers.

    Raises:
        TypeError: for whole numbers with an exponent that may be below 0, or has a fraction.
    """
    whole = isinstance(exponent, int | np.integer)
    if whole and exponent == 2 and base.dtype != BOOL:
        return base * base  # type: ignore[operator, no-any-return]
    constant_exponent = isinstance(exponent, Expression) and exponent.operation == "constant"
    number = exponent.operands[0] if constant_exponent else exponent
    if base.dtype.kind == "i" and (isinstance(number, Expression) or number < 0):
        raise TypeError(
            f"a loop body cannot apply ** to {base.dtype.name} with an exponent that may be below 0; convert with "
            f"xp.astype"
        )
    return call("power", base, exponent)


def _operator(name: str, reverse: bool) -> Any:
    def apply(self: Expression, other: Any) -> Expression:
        left, right = common(other, self) if reverse else common(self, other)
        return simplified(name, left, right)

    return apply


def simplified(name: str, left: Expression, right: Expression) -> Expression:
    """An operation on two operands. Integer arithmetic with 0 and 1, of which index maps are full, is left out.

    Raises:
        TypeError: for an operation that the dtype does not have.
    """
    _require_defined(name, left.dtype)
    if left.dtype.kind in "iu":
        zero_left, zero_right = (x.operation == "constant" and x.operands[0] == 0 for x in (left, right))
        one_left, one_right = (x.operation == "constant" and x.operands[0] == 1 for x in (left, right))
        if name == "add" and (zero_left or zero_right):
            return right if zero_left else left
        if name == "mul" and (one_left or one_right):
            return right if one_left else left
        if name == "mul" and (zero_left or zero_right):
            return left if zero_left else right
        if (name == "sub" and zero_right) or (name == "floordiv" and one_right):
            return left
        if name == "mod" and one_right:
            return constant(0, left.dtype)
    return Expression(name, (left, right), BOOL if name in COMPARISONS else left.dtype)


for _name in SYMBOLS:
    setattr(Expression, f"__{_name}__", _operator(_name, reverse=False))
    if _name in ARITHMETIC:
        setattr(Expression, f"__r{_name}__", _operator(_name, reverse=True))


class Functions:
    """The `xp` that a loop body is called with to become an expression: it has the functions `SCALAR_FUNCTIONS`."""

    def __getattr__(self, name: str) -> Any:
        if name not in SCALAR_FUNCTIONS:
            raise AttributeError(f"a loop body may call {', '.join(SCALAR_FUNCTIONS)} on xp; it called {name}")
        return partial(_applied, name)


def _applied(name: str, *operands: Any) -> Any:
    """A function of expressions as an expression; of Python numbers alone, such as sizes, as a Python number."""
    if any(isinstance(x, Expression) for x in operands):
        return call(name, *operands)
    return getattr(np, name)(*operands).item()


def call(name: str, *operands: Any) -> Expression:
    """A function of expressions and Python numbers.

    Raises:
        TypeError: for another number of operands than the function has, or a dtype that it is not defined for.
    """
    count = OPERANDS.get(name, 1)
    if len(operands) != count:
        raise TypeError(f"xp.{name} takes {count} operand{'s' * (count > 1)}, got {len(operands)}")
    if name == "astype":
        x, dtype = operands
        return cast(x, np.dtype(dtype))
    if name == "where":
        condition, a, b = operands
        if not isinstance(a, Expression) and not isinstance(b, Expression):
            raise TypeError("xp.where: expected an expression on at least one side, to know the dtype")
        a, b = common(a, b)
        if not isinstance(condition, Expression):  # known by the sizes alone
            return a if condition else b
        return Expression("where", (condition, a, b), a.dtype)
    promoted = common(*operands)
    _require_defined(name, promoted[0].dtype)
    return Expression(name, promoted, promoted[0].dtype)


def power_of_two(x: Expression) -> int | None:
    """k of a constant 2ᵏ; None of any other expression."""
    value = x.operands[0] if x.operation == "constant" else None
    return value.bit_length() - 1 if type(value) is int and value > 0 and not value & (value - 1) else None


def rotation(x: Expression) -> tuple[Expression, Expression] | None:
    """a and k of (a << k) | (a >> (bits - k)), which rotates a word; None of any other expression."""
    if x.operation != "or" or x.dtype.kind != "u":
        return None
    left, right = x.operands
    if left.operation != "lshift" or right.operation != "rshift" or left.operands[0] is not right.operands[0]:
        return None
    (word, up), down = left.operands, right.operands[1]
    if up.operation != "constant" or down.operation != "constant" or not up.operands[0] > 0:
        return None
    return (word, up) if up.operands[0] + down.operands[0] == 8 * x.dtype.itemsize else None


def all_parts(values: Iterable[Expression]) -> list[Expression]:
    """Expressions and all that they are computed from; a part that several share is listed once."""
    found: dict[int, Expression] = {}
    stack = list(values)
    while stack:
        x = stack.pop()
        if id(x) not in found:
            found[id(x)] = x
            stack += parts(x)
    return list(found.values())


def parts(x: Expression) -> tuple[Expression, ...]:
    """The expressions an expression is computed from. They are kept, as compiling asks for them many times."""
    if x.inner is None:
        candidates = () if x.operation in LEAVES else x.operands[1] if x.operation == "load" else x.operands
        x.inner = tuple([part for part in candidates if isinstance(part, Expression)])
    return x.inner
