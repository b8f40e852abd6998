"""Rule: the equations of an optimizer, and what they say of rows that have no gradient."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, shortened
from chainrule.graph.tensor import Tensor
from chainrule.optim.contract import is_number
from chainrule.optim.pause import Pause
from chainrule.settings import Settings, setting


@dataclass(frozen=True)
class Rule(Settings, ABC):
    """An update rule: how a gradient changes a parameter, and what is remembered from step to step.

    A rule is its equations in blocks: `init` (what is remembered at the start), `coefficients` (the numbers of a step)
    and `update`, on whole tensors or on the rows of an embedding table alike. All further methods are about rows of a
    table that have no gradient for some steps; the defaults serve every elementwise rule.

    Attributes:
        learning_rate: the learning rate, unless a step is given another.
        lazy: for a row-sparse gradient (an embedding table's), update only the rows that were read, and what is
            remembered of them, and leave all others as they are. Otherwise every row is updated, as if the gradient
            were dense. In a compiled step that costs no more: see `chainrule.optim.deferral`.

    Raises:
        ConfigurationError: for a learning rate that is not a finite number above 0.
    """

    learning_rate: float  # no setting of its own: whoever takes steps may give another
    lazy: bool = setting(False, "update only the rows of a table that a batch reads", keyword=True)

    #: Whether `update` treats every row by itself, so that it may be given some rows instead of a whole tensor.
    rowwise: ClassVar[bool] = True
    #: Whether a step searches: it evaluates the loss at several places, so that it needs all rows and has no `update`.
    searches: ClassVar[bool] = False
    #: Names of the sums that `grow` keeps and `after_pause` reads.
    sums: ClassVar[tuple[str, ...]] = ()
    #: Names of the coefficients whose products over several steps `after_pause` or `grow` read.
    compounds: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (is_number(self.learning_rate) and self.learning_rate > 0 and math.isfinite(self.learning_rate)):
            raise ConfigurationError(
                f"{type(self).__name__}: expected a finite learning_rate above 0, got {shortened(self.learning_rate)}"
            )

    @abstractmethod
    def init(self, parameter: Tensor) -> dict[str, Tensor]:
        """What is remembered of a parameter, at the start: leaves by name.

        Most have its shape. Where one has another, such as a sum for each row, all rows of a table are updated in every
        step.
        """

    def coefficients(self, step: int, learning_rate: float) -> dict[str, float]:  # noqa: ARG002
        """The numbers of one step that are the same for all elements, such as a bias correction.

        They enter the graph of an update as scalar leaves, so that one graph serves every step.

        Args:
            step: the number of the step, from 1.
            learning_rate: of this step.
        """
        return {"learning_rate": learning_rate}

    @abstractmethod
    def update(
        self, parameter: Tensor, gradient: Tensor, state: Mapping[str, Tensor], scalars: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The new parameter and what is remembered from now on.

        Args:
            parameter: the parameter, or rows of it.
            gradient: of the same shape.
            state: what was remembered, by the names of `init`, each of the same shape.
            scalars: the coefficients of the step, as scalar tensors.
        """

    @property
    def row_updates(self) -> bool:
        """Whether a row-sparse gradient updates its rows only."""
        return self.rowwise and self.lazy

    @property
    def sleeps(self) -> bool:
        """Whether a row without a gradient stays as it is as long as all that is remembered of it is 0."""
        return False

    def closed_form_from(self) -> int | None:
        """The first step after which a pause may begin for `after_pause` to be exact enough.

        None, as it is by default, for a rule without a closed form: its own equations are run for every step of a
        pause.
        """
        return None

    def horizon(self) -> int:
        """After how many steps without a gradient `sums` no longer change."""
        return 1

    def grow(self, pause: Pause) -> dict[str, Tensor]:  # noqa: ARG002
        """The sums by name for pauses since `pause.first`, when the step `pause.last` has been taken too.

        Every rule whose `sums` are not empty defines it; `pause.sums` are those up to the step before.
        """
        return {}

    def after_pause(
        self,
        parameter: Tensor,  # noqa: ARG002
        state: Mapping[str, Tensor],  # noqa: ARG002
        pause: Pause,  # noqa: ARG002
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Rows and what is remembered of them after a pause, in a closed form.

        Every rule whose `closed_form_from` is not None defines it.

        Args:
            parameter: rows of a parameter as they were.
            state: what was remembered of these rows, by the names of `init`.
            pause: how long each row had no gradient, and what happened meanwhile.

        Raises:
            ConfigurationError: by a rule that does not define it.
        """
        raise ConfigurationError(
            f"{type(self).__name__}: closed_form_from says from when on there is a closed form of steps without a "
            f"gradient; define it as after_pause, or let closed_form_from return None"
        )
