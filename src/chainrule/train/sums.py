"""Sums: what mini-batches came to, which a device may still be computing while the next ones are begun."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Self

from chainrule.graph.tensor import Tensor
from chainrule.tasks.task import LOSS_WEIGHT

#: So many steps are begun before what one came to is read, where a device computes while the host goes on.
BEHIND = 2


class Sums(Mapping[str, float]):
    """What a mini-batch came to: "weight", "loss" (mean times weight), and the task's own; who looks waits for them.

    Args:
        weight: that the mean loss is over, unless the task says another.
        loss: the mean.
        others: the task's.
        require: called with the loss; raises where it is no finite number.
    """

    def __init__(
        self, weight: float, loss: Tensor, others: Mapping[str, Tensor], require: Callable[[float], object]
    ) -> None:
        self._weight, self._loss, self._others, self._require = weight, loss, others, require
        self._found: dict[str, float] | None = None

    @property
    def known(self) -> bool:
        """Whether they were read."""
        return self._found is not None

    def read(self) -> dict[str, float]:
        """Wait for them.

        Raises:
            DivergenceError: when the loss is no finite number.
        """
        if self._found is None:
            mean = self._loss.item()
            self._require(mean)
            sums = {name: x.item() for name, x in self._others.items()}
            self._found = {"weight": self._weight, "loss": mean * sums.get(LOSS_WEIGHT, self._weight), **sums}
        return self._found

    def __getitem__(self, name: str) -> float:
        return self.read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.read())

    def __len__(self) -> int:
        return len(self.read())


class Pace:
    """Keeps the host from running far ahead of a device: it reads what a step came to when so many others are begun.

    Args:
        later: whether the engine's results arrive later; otherwise they are read at once.
    """

    def __init__(self, *, later: bool) -> None:
        self._most = BEHIND if later else 0
        self._unread: deque[Sums] = deque()

    def __enter__(self) -> Self:
        """Steps are begun until this ends."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        """Read what is left when the user ends it by Ctrl-C: a loss of the last steps may be no finite number.

        Raises:
            DivergenceError: for such a loss.
        """
        while kind is KeyboardInterrupt and self._unread:
            self._unread.popleft().read()

    def begun(self, sums: Sums) -> Sums:
        """Take in what a step will have come to.

        Raises:
            DivergenceError: when the loss of a step, which may be one before, is no finite number.
        """
        self._unread.append(sums)
        while len(self._unread) > self._most:
            self._unread.popleft().read()
        return sums
