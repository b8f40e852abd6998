"""Leaves of a graph: constants, parameters, and other tensors that a training step changes."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, Protocol, Self
from weakref import ReferenceType

import numpy as np
from numpy.typing import DTypeLike

from chainrule.errors import DTypeError
from chainrule.graph.array import as_array, as_dtype
from chainrule.graph.spec import FLOAT32, Array, Spec, spec_of
from chainrule.graph.tensor import TRACING, Tensor, TensorLike


class Constant(Tensor):
    """A leaf that is part of the program, such as the 2 in `x * 2`: it has no gradient."""

    __slots__ = ("_source",)

    @property
    def source(self) -> ReferenceType[Array] | None:
        """A weak reference to the array that it was copied from; None for other data."""
        return getattr(self, "_source", None)  # most constants are numbers, and are made without it

    @source.setter
    def source(self, array: Array) -> None:
        self._source = weakref.ref(array)

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        """The state for copies and pickles: what it was copied from stays behind."""
        return None, {name: getattr(self, name) for name in Tensor.__slots__ if name != "__weakref__"}


class Series(Tensor):
    """A leaf of numbers along one axis, of which the host writes one a step, such as the learning rates of all steps.

    An engine whose device has a copy tells it what was written since, instead of all: `writes` says how much that is.

    Attributes:
        place: where the last number was written.
        writes: how many were.
        copy: what an engine keeps of it elsewhere, and how many writes that has seen.
    """

    __slots__ = ("copy", "place", "writes")

    def __init__(self, value: Array, *, name: str | None = None) -> None:
        super().__init__(spec_of(value), value, name=name)
        self.place, self.writes = 0, 0
        self.copy: tuple[Any, int] | None = None

    def write(self, place: int, number: float) -> None:
        """Write one number."""
        self.numpy()[place] = number
        self.place, self.writes = place, self.writes + 1

    def rewritten(self) -> None:
        """Say that any number may have been written in another way: copies are made anew."""
        self.copy = None


class Loan:
    """An array of a leaf that nodes were computed from; they hold the loan, and a gradient through them reads `array`.

    A leaf on loan is never written in place: whoever changes it gives it another array.
    """

    __slots__ = ("__weakref__", "array")

    def __init__(self, array: Array) -> None:
        self.array = array


class Watch:
    """Tells whether any of many leaves has changed.

    `changes` is replaced whenever a watched leaf gets another array or other settlers, or goes on loan; compare it with
    the object seen last. A compiled step has dozens of leaves, and with a watch it need not look at each of them in
    every call.
    """

    __slots__ = ("__weakref__", "changes")

    def __init__(self) -> None:
        self.changes = object()


class Held(Protocol):
    """The value of a leaf while an engine has it elsewhere, such as on a device."""

    def fetch(self) -> Array:
        """A copy in the memory of the host."""

    def compile(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function that changes leaves, as the engine runs it that has the value."""


class Mutable(Tensor):
    """A leaf that steps change, such as a parameter, the moments that an optimizer keeps for one, or a running mean.

    It starts with data (`Mutable.of(data)`, or `Mutable(data)`), or without a value from a spec.

    Compiled steps may postpone updates of unread rows. Reading `value` first runs the `settlers`, which apply the
    postponed updates; `array` does not.

    An engine may have the value elsewhere (`hold`). Whoever reads it brings it back, as it may be written then;
    `copied` does not.
    """

    __slots__ = ("_array", "_held", "_loan", "_settlers", "_version", "_watches")

    def __init__(
        self,
        data: Spec | TensorLike,
        value: Array | None = None,
        *,
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        self._array: Array | None = None
        self._held: Held | None = None
        self._version = object()
        self._loan: ReferenceType[Loan] | None = None
        self._settlers: tuple[Callable[[], None], ...] = ()
        self._watches: list[ReferenceType[Watch]] = []
        if not isinstance(data, Spec):
            value = self._own(data.numpy() if isinstance(data, Tensor) else data, dtype)
            data = spec_of(value)
        super().__init__(data, value, name=name)

    @classmethod
    def of(cls, data: TensorLike, *, name: str | None = None, dtype: DTypeLike | None = None) -> Self:
        """A leaf that starts with a copy of the given numbers (float32, or integers, unless asked otherwise).

        Raises:
            ShapeError: for data that is not a regular array of numbers.
            DTypeError: for a dtype that is not supported; for a parameter, for one that is not floating-point.

        Example:
            >>> import chainrule
            >>> chainrule.Mutable.of([0, 0], name="seen").dtype
            dtype('int64')
        """
        return cls(data, name=name, dtype=dtype)

    @staticmethod
    def _own(data: Any, dtype: DTypeLike | None) -> Array:
        """A copy of data in memory of its own, as updates happen in place."""
        return np.array(as_array(data, dtype), order="C")

    def __getstate__(self) -> dict[str, Any]:
        """The state for copies and pickles: all updates are applied, and settlers and watches stay behind."""
        held = {name: getattr(self, name) for name in ("spec", "block", "inputs", "gradient", "name", "layers")}
        return {"settlers": (), **held, "array": self.value}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._watches, self._loan, self._held = [], None, None
        for name, held in state.items():
            setattr(self, name, held)

    @property
    def known(self) -> bool:
        """Whether it has a value to compute with. During a trace it has none, because later runs may have another."""
        return (self._array is not None or self._held is not None) and not TRACING.get()

    @property
    def value(self) -> Array | None:
        """The NumPy array, after all postponed updates; None when the leaf has no value."""
        if self._settlers:
            self.settle()
        return self._array if self._held is None else self.array

    @value.setter
    def value(self, value: Array | None) -> None:
        if self._settlers:
            self.settle()  # postponed updates belong to the old value
        self.array = value

    def settle(self) -> None:
        """Apply all postponed updates."""
        for settle in self._settlers:
            settle()

    def copied(self) -> Array:
        """A copy of the value, after all postponed updates; an engine that has it elsewhere goes on with it.

        Raises:
            ChainruleError: when the leaf has no value.
        """
        self.settle()
        return np.array(self.numpy(), order="C") if self._held is None else self._held.fetch()

    @property
    def held(self) -> Held | None:
        """The value while an engine has it elsewhere; None while it is in the memory of the host."""
        return self._held

    def hold(self, held: Held) -> None:
        """From now on an engine has the value, and changes it, until someone reads it."""
        self._array, self._held, self._loan = None, held, None
        self._notify()

    @property
    def version(self) -> object:
        """Another object after each time that someone gave the leaf another array."""
        return self._version

    @property
    def array(self) -> Array | None:
        """The array as it is in memory; updates of some rows may be postponed."""
        if self._held is not None:
            self._array, self._held = self._held.fetch(), None
            self._notify()
        return self._array

    @array.setter
    def array(self, value: Array | None) -> None:
        self._array, self._held, self._loan, self._version = value, None, None, object()
        if self._watches:
            self._notify()

    def lend(self) -> Loan:
        """The array on loan to a node that is computed from it: for as long as the loan is held, it stays as it is."""
        loan = self._loan() if self._loan is not None else None
        if loan is None:
            loan = Loan(self.numpy())
            self._loan = weakref.ref(loan)
            if self._watches:
                self._notify()
        return loan

    @property
    def on_loan(self) -> bool:
        """Whether a node was computed from the array as it is, so that writing into it would change a graph."""
        return self._loan is not None and self._loan() is not None

    def writable(self) -> Array:
        """The array to write into, after all postponed updates; a copy takes its place if it is on loan."""
        array = self.numpy()
        if self.on_loan:
            self.array = array = np.array(array, order="C")
        return array

    @property
    def settlers(self) -> tuple[Callable[[], None], ...]:
        """Functions that apply postponed updates; `value` calls them before it returns or replaces the array."""
        return self._settlers

    @settlers.setter
    def settlers(self, settlers: tuple[Callable[[], None], ...]) -> None:
        self._settlers = settlers
        self._notify()

    def watch(self, watch: Watch) -> None:
        """From now on, replace `changes` of this watch at every change that it is told of.

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

    @staticmethod
    def _own(data: Any, dtype: DTypeLike | None) -> Array:
        """A copy of data, floating-point: only such numbers carry a gradient."""
        if dtype is not None and as_dtype(dtype).kind != "f":
            raise DTypeError(f"parameter: expected a dtype of float32 or float64, got {as_dtype(dtype)}")
        value = as_array(data, dtype)
        return np.array(value, FLOAT32 if value.dtype.kind != "f" else None, order="C")
