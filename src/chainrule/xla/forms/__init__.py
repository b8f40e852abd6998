"""Forms: how blocks are computed on XLA whose own `forward` is not enough; a file a family."""

from chainrule.xla.forms import attention, kinds, rows, segments, steps
from chainrule.xla.forms.form import Call, find_form

__all__ = ["Call", "attention", "find_form", "kinds", "rows", "segments", "steps"]
