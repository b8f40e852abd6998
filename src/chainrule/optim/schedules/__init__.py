"""Schedules: how the learning rate changes from step to step, a file each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.lazy import loader
from chainrule.optim.schedules.schedule import SCHEDULES, Schedule

if TYPE_CHECKING:
    from chainrule.optim.schedules.combined import Product, Sequence
    from chainrule.optim.schedules.constant import Constant
    from chainrule.optim.schedules.cosine import Cosine
    from chainrule.optim.schedules.exponential import Exponential
    from chainrule.optim.schedules.inverse_sqrt import InverseSqrt
    from chainrule.optim.schedules.linear import Linear
    from chainrule.optim.schedules.one_cycle import OneCycle
    from chainrule.optim.schedules.plateau import Plateau
    from chainrule.optim.schedules.polynomial import Polynomial
    from chainrule.optim.schedules.step import Step
    from chainrule.optim.schedules.warmup import Warmup

__all__ = [
    "SCHEDULES", "Constant", "Cosine", "Exponential", "InverseSqrt", "Linear", "OneCycle", "Plateau", "Polynomial",
    "Product", "Schedule", "Sequence", "Step", "Warmup",
]  # fmt: skip

__getattr__ = loader(
    __name__,
    {
        "combined": ("Product", "Sequence"),
        "constant": ("Constant",),
        "cosine": ("Cosine",),
        "exponential": ("Exponential",),
        "inverse_sqrt": ("InverseSqrt",),
        "linear": ("Linear",),
        "one_cycle": ("OneCycle",),
        "plateau": ("Plateau",),
        "polynomial": ("Polynomial",),
        "step": ("Step",),
        "warmup": ("Warmup",),
    },
)
