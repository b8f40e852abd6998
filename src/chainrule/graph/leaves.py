"""Leaves of a graph: constants, parameters, and other tensors that a training step changes."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any
from weakref import ReferenceType

import numpy as np
from numpy.typing import DTypeLike

from chainrule.errors import DTypeError
from chainrule.graph.array import as_array, as_dtype
from chainrule.graph.spec import FLOAT32, Array, Spec, spec_of
from chainrule.graph.tensor import TRACING, Tensor


class Constant(Tensor):
    """A leaf that is part of the program, such as the 2 in `x * 2`: it has no gradient."""

    __slots__ = ()


class Watch:
    """Tells whether any of many leaves has changed.

    `changes` is replaced whenever a watched leaf gets another array or other settlers; compare it with the object seen
    last. A compiled step has dozens of leaves, and with a watch it need not look at each of them in every call.
    """

    __slots__ = ("__weakref__", "changes")

    def __init__(self) -> None:
        self.changes = object()


class Mutable(Tensor):
    """A leaf that steps change, such as a parameter, or the moments that an optimizer keeps for one.

    Compiled steps may postpone updates of unread rows. Reading `value` first runs the `settlers`, which apply the
    postponed updates; `array` does not.
    """

    __slots__ = ("_array", "_settlers", "_watches")

    def __init__(self, spec: Spec, value: Array | None = None, *, name: str | None = None) -> None:
        self._array: Array | None = None
        self._settlers: tuple[Callable[[], None], ...] = ()
        self._watches: list[ReferenceType[Watch]] = []
        super().__init__(spec, value, name=name)

    def __getstate__(self) -> dict[str, Any]:
        """The state for copies and pickles: all updates are applied, and settlers and watches stay behind."""
        held = {name: getattr(self, name) for name in ("spec", "block", "inputs", "gradient", "name", "layers")}
        return {"settlers": (), **held, "array": self.value}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._watches = []
        for name, held in state.items():
            setattr(self, name, held)

    @property
    def known(self) -> bool:
        """Whether it has a value to compute with. During a trace it has none, because later runs may have another."""
        return self._array is not None and not TRACING.get()

    @property
    def value(self) -> Array | None:
        """The NumPy array, after all postponed updates; None when the leaf has no value."""
        for settle in self._settlers:
            settle()
        return self._array

    @value.setter
    def value(self, value: Array | None) -> None:
        for settle in self._settlers:  # postponed updates belong to the old value
            settle()
        self.array = value

    @property
    def array(self) -> Array | None:
        """The array as it is in memory; updates of some rows may be postponed."""
        return self._array

    @array.setter
    def array(self, value: Array | None) -> None:
        self._array = value
        self._notify()

    @property
    def settlers(self) -> tuple[Callable[[], None], ...]:
        """Functions that apply postponed updates; `value` calls them before it returns or replaces the array."""
        return self._settlers

    @settlers.setter
    def settlers(self, settlers: tuple[Callable[[], None], ...]) -> None:
        self._settlers = settlers
        self._notify()

    def watch(self, watch: Watch) -> None:
        """From now on, replace `changes` of this watch whenever the leaf gets another array or other settlers.

        The leaf does not keep the watch alive.
        """
        self._watches.append(weakref.ref(watch, self._watches.remove))

    def _notify(self) -> None:
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
