"""NumPy's warnings of infinities and NaN are off while blocks compute: they are results, as everywhere in the field.

`np.errstate(all="ignore")` does that, but takes three times as long as a small addition, as it makes a new setting and
puts it into a variable of the context each time. So the setting is made once, here, and blocks put it there:

    before = set_errors(IGNORE)
    try:
        ...
    finally:
        reset_errors(before)

Even that is a fifth of a small addition: where many nodes are computed, it is done once, around them all.
"""

from __future__ import annotations

from contextvars import copy_context
from typing import Any

import numpy as np


class Slowly:
    """The same, for a NumPy that keeps the setting anywhere else."""

    def get(self) -> None:
        """What is set is not known."""

    def set(self, _: Any) -> np.errstate:
        """Ignore floating-point errors from now on."""
        state = np.errstate(all="ignore")
        state.__enter__()
        return state

    def reset(self, state: np.errstate) -> None:
        """Do what was done about them before."""
        state.__exit__(None, None, None)


def _found() -> tuple[Any, Any]:
    """The variable that `np.errstate` sets, and its value while errors are ignored."""
    before = copy_context()
    with np.errstate(all="ignore"):
        changed = [(variable, value) for variable, value in copy_context().items() if before.get(variable) is not value]
    return changed[0] if len(changed) == 1 else (Slowly(), None)


_variable, IGNORE = _found()
#: Of the variable, looked up once: each takes as long to find as to call, and every operation does.
errors_now, set_errors, reset_errors = _variable.get, _variable.set, _variable.reset
