"""Averages of weights over the steps of a training, which often generalise better than the last weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from chainrule.errors import ConfigurationError, shortened
from chainrule.graph.leaves import Mutable
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import assign
from chainrule.optim.contract import require_leaves


class Averages:
    """Averages of parameters: an exponential moving one, or the plain mean (stochastic weight averaging).

        exponential:  a ← β a + (1 - β) θ, which is divided by 1 - βⁿ after n updates
        plain:        a ← a + (θ - a) / n

    `update` is called after a step, eagerly or in a compiled function; of weights that still move far, it is called
    from some step on, or once an epoch. A table that it reads is updated densely. `swapped` puts the averages in the
    place of the parameters for as long as a `with` statement lasts.

    Args:
        parameters: that are averaged.
        decay: β, above 0 and below 1; None for the plain mean.

    Raises:
        ConfigurationError: for another decay, or anything but parameters.

    Example:
        >>> import chainrule
        >>> weight = chainrule.Parameter.of([0.0])
        >>> averages = Averages([weight])
        >>> for value in (1.0, 2.0, 6.0):
        ...     weight.assign([value])
        ...     averages.update()
        >>> with averages.swapped():
        ...     weight.item()
        3.0
        >>> weight.item()
        6.0

    Source: Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging (1992); Izmailov et al.,
    Averaging Weights Leads to Wider Optima and Better Generalization (2018).
    """

    def __init__(self, parameters: Sequence[Tensor], decay: float | None = None) -> None:
        require_leaves("Averages", parameters)
        if decay is not None and not 0 < decay < 1:
            raise ConfigurationError(f"Averages: expected a decay above 0 and below 1, got {shortened(decay)}")
        self.parameters = [x for x in parameters if isinstance(x, Mutable)]
        self.decay = decay
        self.count = Mutable.of(np.zeros(()), dtype="float64", name="count")
        self.sums = [Mutable.of(np.zeros(x.shape), dtype=x.dtype, name=x.name) for x in self.parameters]

    def update(self) -> None:
        """Take the parameters as they are now into the averages."""
        assign(self.count, self.count + 1)
        for parameter, total in zip(self.parameters, self.sums, strict=True):
            if self.decay is None:
                assign(total, total + (parameter - total) / self.count.astype(total.dtype))
            else:
                assign(total, self.decay * total + (1 - self.decay) * parameter)

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """The parameters are the averages meanwhile.

        Raises:
            ConfigurationError: before the first update.
        """
        count = self.count.item()
        if not count:
            raise ConfigurationError("Averages: there are none before the first update")
        scale = 1.0 if self.decay is None else 1 - self.decay**count
        kept = [parameter.numpy().copy() for parameter in self.parameters]
        try:
            for parameter, total in zip(self.parameters, self.sums, strict=True):
                np.copyto(parameter.writable(), total.numpy() / scale, casting="same_kind")
            yield
        finally:
            for parameter, before in zip(self.parameters, kept, strict=True):
                np.copyto(parameter.writable(), before)
