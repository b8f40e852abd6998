"""Arrays that a compiled function closes over: it keeps the numbers of when it was traced, and warns if they change."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from weakref import ReferenceType

import numpy as np

from chainrule.graph.array import as_array
from chainrule.graph.leaves import Constant
from chainrule.graph.spec import Array
from chainrule.graph.tensor import Tensor


class Frozen:
    """The arrays that constants of traced graphs were copied from."""

    def __init__(self) -> None:
        self._held: dict[int, tuple[ReferenceType[Array], Array]] = {}
        self._calls = 0

    def __bool__(self) -> bool:
        return bool(self._held)

    def add(self, nodes: Iterable[Tensor]) -> None:
        """Note the arrays that the constants among some nodes were copied from."""
        for node in nodes:
            if isinstance(node, Constant) and node.source is not None and node.value is not None:
                self._held[id(node.source())] = node.source, node.value

    def warn_of_changes(self, name: str) -> None:
        """Warn once of an array that was written since, from a call of a function; look in calls 2, 4, 8 ..."""
        self._calls += 1
        if self._calls & (self._calls - 1):
            return
        for source, value in self._held.values():
            array = source()
            if array is not None and not np.array_equal(as_array(array, value.dtype), value, equal_nan=True):
                self._held = {}
                warnings.warn(
                    f"{name}: an array of shape {value.shape} that this compiled function uses has changed since it "
                    f"was traced, and the program keeps the numbers of then; pass the array as an argument, or hold "
                    f"it in chainrule.Mutable and assign to that",
                    stacklevel=3,
                )
                return
