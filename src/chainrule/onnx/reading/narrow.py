"""Whole numbers of few bits: held as int32, and brought back into their range where an operator may leave it."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import blocks as b
from chainrule.dataclasses import dataclass
from chainrule.graph.spec import INT32
from chainrule.graph.tensor import Tensor

#: The bits of each dtype, by its name, and whether it has a sign.
NARROW: dict[str, tuple[int, bool]] = {
    f"{'' if signed else 'u'}int{bits}": (bits, signed) for bits in (2, 4, 8, 16) for signed in (True, False)
}


@dataclass(frozen=True, eq=False)
class Narrow:
    """A tensor of whole numbers of few bits.

    Attributes:
        numbers: int32, all in the range of the dtype.
        dtype: that the graph has for them.
    """

    numbers: Tensor
    dtype: np.dtype[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the tensor."""
        return self.numbers.shape

    @classmethod
    def wrapped(cls, x: Tensor, dtype: np.dtype[Any]) -> Narrow:
        """Of whole numbers of any size: what their last bits are, as processors have it."""
        least, most = limits(dtype)
        numbers = b.cast(x, INT32)
        return cls(b.remainder(numbers - least, most - least + 1) + least, dtype)

    @classmethod
    def saturated(cls, x: Tensor, dtype: np.dtype[Any]) -> Narrow:
        """Of whole numbers in any dtype: the nearest that there is."""
        return cls(b.cast(b.clamp(x, *limits(dtype)), INT32), dtype)


def is_narrow(dtype: np.dtype[Any]) -> bool:
    """Whether these are whole numbers of few bits."""
    return dtype.name in NARROW


def limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    """The smallest and the largest number.

    Example:
        >>> limits(np.dtype(np.int8)), limits(np.dtype(np.uint16))
        ((-128, 127), (0, 65535))
    """
    bits, signed = NARROW[dtype.name]
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
