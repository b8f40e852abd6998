"""Errors a user can act on: each message says where, what was expected, what came, and what to do.

Every error here is a `ChainruleError`. The command line prints the message of one and exits with code 2;
in Python each is also the built-in exception that its kind suggests, so `except ValueError` works as expected.
What works but could be better is a warning, which Python's `warnings` can silence or turn into an error.
"""

from typing import Any

#: How much of a value a message repeats.
SHOWN = 80


def shortened(value: Any) -> str:
    """A value as a message repeats it, in at most 80 characters: what a user or a file gave may be long.

    Example:
        >>> shortened("good"), len(shortened(list(range(1000))))
        ("'good'", 80)
    """
    try:
        text = repr(value)
    except ValueError:  # Python does not write whole numbers of more than 4,300 digits
        return f"{type(value).__name__} of too many digits"
    end = "...'" if text[:1] == "'" else "..."
    return text if len(text) <= SHOWN else text[: SHOWN - len(end)] + end


class ChainruleError(Exception):
    """The root of all errors that chainrule raises on purpose."""


class ShapeError(ChainruleError, ValueError):
    """Shapes that do not fit; the message names the operation or layer, the shapes and the axis."""


class DTypeError(ChainruleError, TypeError):
    """An operation on a data type it is not defined for, or on two that do not mix."""


class GradientError(ChainruleError, ValueError):
    """A gradient that does not exist: no path reaches it, or its tensor holds integers or booleans."""


class BlockError(ChainruleError, TypeError):
    """A block that does what blocks do not do; the message names it, says what it did and what is allowed."""


class ConfigurationError(ChainruleError, ValueError):
    """A setting (a hyper-parameter, an option, an argument) outside the values it may take."""


class SettingError(ConfigurationError):
    """A setting outside the values it may take.

    Attributes:
        kind: what it is a setting of, such as "ffnn".
        field: the setting.
        reason: what is wrong, such as "must be a whole number of 1 or more, got 0".
    """

    def __init__(self, kind: str, field: str, reason: str) -> None:
        super().__init__(f"{kind}: {field} {reason}" if kind else f"{field} {reason}")
        self.kind = kind
        self.field = field
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.kind, self.field, self.reason), vars(self)


class DataError(ChainruleError, ValueError):
    """Data that cannot be used: a file, a column, a row, a label or a text; the message names it."""


class ModelError(ChainruleError, ValueError):
    """A model folder that is missing, incomplete, altered or of an unknown version."""


class UnsupportedError(ModelError):
    """What a file of another toolkit asks for and is not there, such as an operator; the message names it."""


class DivergenceError(ChainruleError, ArithmeticError):
    """A loss that is no longer a finite number; the message names the step.

    Attributes:
        run: the training with the best weights before, when `chainrule.fit` raised it and an epoch had ended.
        batch: which mini-batch had that loss, counted from 1; None where it was that of validation.
    """

    run: Any = None
    batch: int | None = None


class NonFiniteError(ChainruleError, ArithmeticError):
    """An infinity or NaN where `check_finite`, or `compile(..., finite=True)`, expects none; the message names it."""


class IndexRangeError(ChainruleError, IndexError):
    """An index outside the rows or classes there are; the message gives it and the range."""


class DeviceError(ChainruleError, RuntimeError):
    """A device, such as a GPU, that is not there or is out of memory; the message says what to do."""


class RankError(ChainruleError, RuntimeError):
    """Processes that cannot train together: one that is not to be reached, ended, or has other data or settings."""


class StorageError(ChainruleError, OSError):
    """A file or folder that could not be written; nothing half-written is left in its place."""


class PerformanceWarning(UserWarning):
    """Something that works, but could be much faster; the message names it and says what to do."""
