"""State: what an optimizer remembers."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.errors import ConfigurationError, DTypeError, ShapeError
from chainrule.graph.leaves import Mutable
from chainrule.graph.spec import INT64, Array, Spec
from chainrule.graph.tensor import Tensor

if TYPE_CHECKING:
    from chainrule.optim.deferral import Deferral
    from chainrule.optim.together import Together


class State:
    """How many steps were taken, and for each parameter what is remembered of it, by name.

    Attributes:
        count: the number of steps, as a leaf that compiled steps change.
        slots: for each parameter, leaves by name.
        deferrals: of each rule, what brings rows of embedding tables up to date; see `chainrule.optim.deferral`.
        together: the parameters that the last eager step updated together; see `chainrule.optim.together`.

    Example:
        >>> import chainrule
        >>> from chainrule.optim import Adam
        >>> state = Adam().start([chainrule.Parameter.of([1.0, 2.0])])
        >>> sorted(state.arrays())
        ['0.mean', '0.square', 'step']
    """

    def __init__(
        self, step: int = 0, slots: Sequence[Mapping[str, Tensor]] = (), parameters: Sequence[Tensor] = ()
    ) -> None:
        self.count = Tensor(Spec((), INT64), np.array(step, INT64), name="step")
        owners = [parameter.name for parameter in parameters]

        def label(i: int, name: str) -> str:
            return f"{owners[i] or i}.{name}" if i < len(owners) else name

        # Copies, as steps write into them: what `init` gives may be the parameter itself, or one number broadcast.
        self.slots = [
            {name: Mutable(x.spec, _copied(x.numpy()), name=label(i, name)) for name, x in slot.items()}
            for i, slot in enumerate(slots)
        ]
        self.deferrals: list[Deferral] = []
        self.together: Together | None = None
        self._parameters = [weakref.ref(parameter) for parameter in parameters]

    def __getstate__(self) -> dict[str, Any]:
        """What copies and pickles are made of: nothing in it is behind, and it may serve copies of the parameters."""
        return {"count": self.count, "slots": self.slots, "deferrals": [], "together": None, "_parameters": []}

    def require_order(self, parameters: Sequence[Tensor]) -> None:
        """Refuse the parameters that the state was started with when they come in another order.

        Raises:
            ConfigurationError: for another order.
        """
        started = [reference() for reference in self._parameters]
        if any(x is not y for x, y in zip(started, parameters, strict=False)) and {*started} == {*parameters}:
            raise ConfigurationError(
                f"optimizer: expected the parameters in the order that the state was started with, "
                f"{', '.join(x.label for x in started if x is not None)}; got "
                f"{', '.join(x.label for x in parameters)}"
            )

    @property
    def step(self) -> int:
        """How many steps were taken."""
        return int(self.count.numpy())

    @step.setter
    def step(self, step: int) -> None:
        for deferral in self.deferrals:  # what is behind is so by the steps that were counted
            deferral.settle()
        self.count.value = np.array(step, INT64)

    def arrays(self) -> dict[str, Array]:
        """Everything by flat names, for a checkpoint: "step", and such as "0.mean" of parameter 0; copies."""
        held = {name: np.array(leaf.numpy()) for name, leaf in self._leaves().items()}
        return {"step": np.array(self.step, np.int64), **held}

    def load(self, arrays: Mapping[str, Array]) -> None:
        """Take over what `arrays` gave; nothing changes when it does not fit.

        Raises:
            ConfigurationError: when names are missing or unknown, as they are from another rule or network.
            ShapeError: when an array has another shape.
            DTypeError: when an array has another dtype.
        """
        leaves = self._leaves()
        names = {"step", *leaves}
        if set(arrays) != names:
            missing, unknown = sorted(names - set(arrays)), sorted(set(arrays) - names)
            raise ConfigurationError(
                f"optimizer state: expected the names of this optimizer and its parameters; missing: "
                f"{', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}"
            )
        for name, leaf in leaves.items():
            given = arrays[name]
            if given.shape != leaf.shape:
                raise ShapeError(f"optimizer state {name}: expected shape {leaf.shape}, got {given.shape}")
            if given.dtype != leaf.dtype:
                raise DTypeError(f"optimizer state {name}: expected {leaf.dtype.name}, got {given.dtype.name}")
        for name, leaf in leaves.items():
            leaf.value = np.array(arrays[name], order="C")
        self.step = int(arrays["step"])

    def _leaves(self) -> dict[str, Mutable]:
        return {f"{i}.{name}": leaf for i, slot in enumerate(self.slots) for name, leaf in slot.items()}


def _copied(array: Array) -> Array:
    """A copy in row order; of one 0 broadcast, zeros that take memory only where they are written."""
    if array.size and not any(array.strides) and not array.flat[0] and not np.signbit(array.flat[0]):
        return np.zeros(array.shape, array.dtype)
    return np.array(array, order="C")
