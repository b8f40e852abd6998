"""Calls that are recorded as one operation, of layers and of functions that are marked."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Protocol


class Recorder(Protocol):
    """What takes calls down instead of making them; see `chainrule.batched`."""

    def call(self, target: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """What stands for the result of `target(*args, **named)`."""


#: What takes down the calls of this code, or None where they are made.
CALLS: ContextVar[Recorder | None] = ContextVar("calls", default=None)


class Cell:
    """A function that `chainrule.batched` takes as one operation; made by `chainrule.cell`."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        functools.update_wrapper(self, function)

    def __call__(self, *args: Any, **named: Any) -> Any:
        """What the function gives."""
        recorder = CALLS.get()
        if recorder is not None:
            return recorder.call(self, args, named)
        return self.function(*args, **named)

    def __repr__(self) -> str:
        return getattr(self.function, "__name__", "cell")


def cell(function: Callable[..., Any]) -> Cell:
    """The function as one operation of a batched network: `chainrule.batched` records its calls, not what is inside.

    Layers are taken so by themselves. A function of few, small operations gains most: what is recorded takes time for
    each operation, and what is computed together is fused.

    Args:
        function: over tensors of one example. It must follow from its arguments and parameters alone. Numbers and
            arrays among its arguments may differ from call to call, and it must treat them as tensors; text, True,
            False and None decide what it does.

    Example:
        >>> import chainrule
        >>> weight = chainrule.Parameter.of([[0.5], [0.25]])
        >>> @chainrule.cell
        ... def join(left, right):
        ...     return chainrule.tanh(chainrule.concatenate([left, right]) @ weight)
        >>> def value(tree):
        ...     return join(value(tree[0]), value(tree[1])) if isinstance(tree, tuple) else chainrule.tensor([tree])
        >>> chainrule.batched(value)([(1.0, 2.0), ((1.0, 2.0), 3.0)]).shape
        (2, 1)
    """
    return Cell(function)
