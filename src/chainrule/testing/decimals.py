"""The equations of blocks in decimal arithmetic of 350 digits: the oracle of the test at extreme arguments.

`forward` of an elementwise block uses only operators and a few functions of `xp`, so it runs on decimal numbers too.
Their exponents have 18 digits, so nothing overflows or underflows. With 350 digits, a difference such as 1 - y has 20
correct digits left even where it is as small as the smallest float64. The result is what the equation means; rounded
once, it is what a float should hold.

Python's `decimal` is used because it has signed zeros, infinities and NaN with the rules of NumPy, and because whoever
writes blocks has it already. (mpmath is faster, but has one zero; the tests of this file compare the two.)
"""

from __future__ import annotations

import decimal
import operator
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np

from chainrule.errors import ConfigurationError
from chainrule.graph.block import Elementwise
from chainrule.graph.contract import BRANCH, SCALAR_FUNCTIONS
from chainrule.graph.spec import FLOAT64
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import Graph

DIGITS = 350
#: What stands for a value: a decimal for a number of any dtype, a bool for a truth value.
Value: TypeAlias = Decimal | bool


def many_digits() -> AbstractContextManager[decimal.Context]:
    """Compute with decimals of many digits in a `with` block; division by zero gives an infinity, as in NumPy."""
    context = decimal.Context(prec=DIGITS, Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX, traps=[])
    return decimal.localcontext(context)


def exact(x: Any) -> Value:
    """A number as a decimal, digit for digit, and a truth value as it is.

    Example:
        >>> import numpy as np
        >>> exact(np.float32(0.1))
        Decimal('0.100000001490116119384765625')
    """
    python = x.item() if isinstance(x, np.generic | np.ndarray) else x
    return python if isinstance(python, bool) else Decimal(python)


class DecimalScalar:
    """A number of an equation; its operators are those that a scalar of a generated loop has."""

    __array_ufunc__ = None
    __hash__ = None  # type: ignore[assignment]
    dtype = FLOAT64  #: of the equation that has most digits, where a block has one for each dtype

    def __init__(self, value: Value) -> None:
        self.value = value

    def __bool__(self) -> bool:
        raise TypeError(BRANCH)


def _apply(function: Callable[..., Value], *operands: Any) -> DecimalScalar:
    return DecimalScalar(function(*(x.value if isinstance(x, DecimalScalar) else exact(x) for x in operands)))


def _floor(x: Decimal) -> Decimal:
    return x.to_integral_value(decimal.ROUND_FLOOR)


def _floor_divide(a: Decimal, b: Decimal) -> Decimal:
    """⌊a / b⌋, and what NumPy says where b is 0 or one of them infinite: there the remainder decides."""
    if b.is_zero() or a.is_nan() or b.is_nan():
        return a / b
    if a.is_infinite():
        return Decimal("NaN")
    if b.is_infinite():
        return Decimal(-1) if not a.is_zero() and a.is_signed() != b.is_signed() else a / b
    whole = _floor(a / b)
    return whole.copy_sign(a / b) if whole.is_zero() else whole


def _remainder(a: Decimal, b: Decimal) -> Decimal:
    """a - b ⌊a / b⌋, with the sign of b where it is 0."""
    if b.is_zero() or a.is_infinite() or a.is_nan() or b.is_nan():
        return Decimal("NaN")
    if b.is_infinite():
        rest = b if not a.is_zero() and a.is_signed() != b.is_signed() else a
    else:
        rest = a - b * _floor(a / b)
    return rest.copy_sign(b) if rest.is_zero() else rest


def _power(base: Decimal, exponent: Decimal) -> Decimal:
    """aᵇ; of zeros, infinities and NaN what NumPy says, that is the C standard."""
    if all(x.is_finite() and not x.is_zero() for x in (base, exponent)):
        return base**exponent
    # Beside a zero, an infinity or NaN, the other operand matters only by its sign, by being below or above 1 and by
    # being an odd integer, and float64 tells that.
    with np.errstate(all="ignore"):
        return Decimal(float(np.power(np.array([float(base)]), np.array([float(exponent)]))[0]))


def _tanh(x: Decimal) -> Decimal:
    twice = (2 * x.copy_abs()).exp()
    return x if x.is_zero() or x.is_nan() else (1 - 2 / (twice + 1)).copy_sign(x)


def _circular(x: Decimal) -> tuple[Decimal, Decimal]:
    """sin x and cos x: Taylor's series of x / 2ᵏ, which is below 1, then k times the formulas for the double angle."""
    if not x.is_finite():
        return Decimal("NaN"), Decimal("NaN")
    doublings = max(0, 4 * (x.adjusted() + 1))
    angle = x / 2**doublings
    sums = [angle, Decimal(1)]
    term, count = angle, 1
    while not term.is_zero() and term.adjusted() > -DIGITS - 50:
        count += 1
        term = term * angle / count
        sums[count % 2 == 0] += term if count % 4 in (0, 1) else -term
    sin, cos = sums
    for _ in range(doublings):
        sin, cos = 2 * sin * cos, 1 - 2 * sin * sin
    return sin, cos


def _odd(function: Callable[[Decimal], Decimal]) -> Callable[[Decimal], Decimal]:
    """A function through the origin, with the sign of a zero kept."""
    return lambda x: x if x.is_zero() else function(x)


def _cast(x: Value, dtype: np.dtype[Any]) -> Value:
    """A cast to a floating-point dtype changes nothing: only the final result is rounded."""
    if dtype.kind == "b":
        return x != 0
    return Decimal(x) if dtype.kind == "f" else Decimal(x).to_integral_value(decimal.ROUND_DOWN)


OPERATORS: Mapping[str, Callable[..., Value]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "truediv": operator.truediv,
    "floordiv": _floor_divide,
    "mod": _remainder,
    "pow": _power,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "eq": operator.eq,
    "ne": operator.ne,
}
FUNCTIONS: Mapping[str, Callable[..., Value]] = {
    "absolute": Decimal.copy_abs,
    "cos": lambda x: _circular(x)[1],
    "exp": Decimal.exp,
    "expm1": _odd(lambda x: x.exp() - 1),
    "floor": _floor,
    "log": Decimal.ln,
    "log10": Decimal.log10,
    "log2": lambda x: x.ln() / Decimal(2).ln(),
    "log1p": _odd(lambda x: (x + 1).ln()),
    "power": _power,
    "rint": Decimal.to_integral_value,
    "sin": _odd(lambda x: _circular(x)[0]),
    "sqrt": Decimal.sqrt,
    "tanh": _tanh,
    "where": lambda condition, a, b: a if condition else b,
}


def _operator(function: Callable[..., Value], reverse: bool = False) -> Any:
    if reverse:
        return lambda self, other: _apply(function, other, self)
    return lambda self, *other: _apply(function, self, *other)


for _name, _function in OPERATORS.items():
    setattr(DecimalScalar, f"__{_name}__", _operator(_function))
    if _name not in ("lt", "le", "gt", "ge", "eq", "ne"):
        setattr(DecimalScalar, f"__r{_name}__", _operator(_function, reverse=True))
# Python's own minus rounds, and makes 0 of 0 where floats have -0.
setattr(DecimalScalar, "__neg__", _operator(Decimal.copy_negate))  # noqa: B010
setattr(DecimalScalar, "__pos__", lambda self: self)  # noqa: B010
setattr(DecimalScalar, "__abs__", _operator(Decimal.copy_abs))  # noqa: B010
setattr(DecimalScalar, "__invert__", _operator(operator.not_))  # noqa: B010


class Decimals:
    """The `xp` of an equation that runs on decimals.

    Attributes:
        met_both_zeros: whether the equation took the maximum or minimum of 0 and -0, of which NumPy may give either.
    """

    def __init__(self) -> None:
        self.met_both_zeros = False

    def __getattr__(self, name: str) -> Any:
        if name not in SCALAR_FUNCTIONS:
            raise AttributeError(f"a loop body may call {', '.join(SCALAR_FUNCTIONS)} on xp; it called {name}")
        if name == "astype":
            return lambda x, dtype: DecimalScalar(_cast(x.value, np.dtype(dtype)))
        return lambda *operands: _apply(FUNCTIONS[name], *operands)

    def maximum(self, a: Any, b: Any) -> DecimalScalar:
        """The larger of two, or NaN when either is."""
        return _apply(lambda a, b: self._one_of(a, b, a >= b), a, b)

    def minimum(self, a: Any, b: Any) -> DecimalScalar:
        """The smaller of two, or NaN when either is."""
        return _apply(lambda a, b: self._one_of(a, b, a <= b), a, b)

    def _one_of(self, a: Decimal, b: Decimal, first: bool) -> Decimal:
        self.met_both_zeros |= a.is_zero() and b.is_zero() and a.is_signed() != b.is_signed()
        return a + b if a.is_nan() or b.is_nan() else a if first else b


def evaluate_block(block: Elementwise, *values: Value, xp: Decimals | None = None) -> Value:
    """The value of a block's `forward` for one element of each input.

    Example:
        >>> from chainrule.blocks.activation import Softplus
        >>> with many_digits():
        ...     print(f"{evaluate_block(Softplus(), Decimal(-300)):.6g}")
        5.14820e-131
    """
    result = block.forward(xp or Decimals(), *map(DecimalScalar, values))
    return result.value if isinstance(result, DecimalScalar) else exact(result)


def evaluate_graph(graph: Graph, *values: Value, xp: Decimals | None = None) -> list[Value]:
    """The outputs of a graph of elementwise blocks over scalars.

    Raises:
        ConfigurationError: for a node that is not of an elementwise block.
    """
    found: dict[Tensor, Value] = dict(zip(graph.inputs, values, strict=True))
    for node in graph.nodes():
        if isinstance(node.block, Elementwise):
            found[node] = evaluate_block(node.block, *[found[x] for x in node.inputs], xp=xp)
        elif node.block is not None:
            raise ConfigurationError(f"{node.block!r} has no equation for one element: it is no elementwise block")
        elif node not in found:
            found[node] = exact(node.numpy())
    return [found[x] for x in graph.outputs]
