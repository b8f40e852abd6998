"""Every function over tensors by its name, and which of them NumPy's functions and operators are."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from chainrule.errors import DTypeError

if TYPE_CHECKING:
    from chainrule.graph.tensor import Tensor, TensorLike


class _Operations(dict[str, "Callable[..., Tensor]"]):
    """Functions by name; whoever asks for one that is not there has not loaded its module yet."""

    def __missing__(self, name: str) -> Callable[..., Tensor]:
        blocks = importlib.import_module("chainrule.blocks")  # by name, as this package does not import the blocks
        getattr(blocks, name, None)
        if name not in self:
            raise KeyError(name)
        return self[name]

    def named(self, name: str) -> Callable[..., Tensor] | None:
        """The function of a name; None where there is none."""
        try:
            return self[name]
        except KeyError:
            return None


#: Every function over tensors, by its name. `operation` adds a function where it is declared. The operators of tensors
#: find their functions here.
OPERATIONS = _Operations()
#: The operators & | ^ of arrays, as NumPy names them: the symbol, and what they are of booleans.
BIT_OPERATORS = {
    "bitwise_and": ("&", "logical_and"),
    "bitwise_or": ("|", "logical_or"),
    "bitwise_xor": ("^", "logical_xor"),
}

Operation = TypeVar("Operation", bound=Callable[..., Any])


def operation(function: Operation) -> Operation:
    """Register a function over tensors (or a block without settings, which is one) under its name."""
    name: str = getattr(function, "__name__", "") or getattr(function, "name", "")
    OPERATIONS[name] = function
    return function


def of_booleans(symbol: str, name: str, *operands: TensorLike) -> Tensor:
    """What an operator such as & gives: a function of truth values.

    Raises:
        DTypeError: for numbers, of which other libraries let these operators combine the bits.
    """
    for x in operands:
        dtype = getattr(x, "dtype", None) or np.asarray(x).dtype
        if dtype.kind != "b":
            raise DTypeError(
                f"{symbol}: expected booleans, got {dtype.name}; compare first, as in x > 0, or call chainrule.{name}"
            )
    return OPERATIONS[name](*operands)


def of_numpy(function: np.ufunc, method: str, inputs: Sequence[Any], settings: Mapping[str, Any]) -> Tensor:
    """What a function of NumPy's gives for tensors: what the function over tensors of the same name gives.

    Raises:
        DTypeError: where there is none, and where NumPy would write into an array.
    """
    name = function.__name__
    if method == "__call__" and not settings:
        if name in BIT_OPERATORS:
            return of_booleans(*BIT_OPERATORS[name], *inputs)
        function_over_tensors = OPERATIONS.named(name)
        if function_over_tensors is not None:
            return function_over_tensors(*inputs)
    raise DTypeError(
        f"numpy.{name}: it is not defined for tensors in this form; use the functions over tensors, such as "
        f"chainrule.exp, or the array of x, x.numpy()"
    )
