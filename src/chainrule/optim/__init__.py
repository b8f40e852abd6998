"""Optimizers: update rules, what they remember, schedules of learning rates, and gradient clipping."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.graph.trace import Update
from chainrule.lazy import loader
from chainrule.optim.accumulation import Accumulation
from chainrule.optim.averaging import Averages
from chainrule.optim.clipping import clip_by_norm, clip_by_value
from chainrule.optim.groups import Groups
from chainrule.optim.optimizer import OPTIMIZERS, Optimizer
from chainrule.optim.pause import Pause
from chainrule.optim.penalties import bounded, penalty, shrunk
from chainrule.optim.rule import Rule
from chainrule.optim.state import State
from chainrule.optim.updates import commit, updates

if TYPE_CHECKING:
    from chainrule.optim.rules import (
        LAMB,
        LBFGS,
        SGD,
        Adadelta,
        Adagrad,
        Adam,
        Adamax,
        AdamW,
        AMSGrad,
        Lion,
        Minimum,
        Muon,
        NAdam,
        Problem,
        RAdam,
        RMSprop,
    )
    from chainrule.optim.schedules import (
        SCHEDULES,
        Constant,
        Cosine,
        Exponential,
        InverseSqrt,
        Linear,
        OneCycle,
        Plateau,
        Polynomial,
        Product,
        Schedule,
        Sequence,
        Step,
        Warmup,
    )

__all__ = [
    "LAMB", "LBFGS", "OPTIMIZERS", "SCHEDULES", "SGD", "AMSGrad", "Accumulation", "Adadelta", "Adagrad", "Adam",
    "AdamW", "Adamax", "Averages", "Constant", "Cosine", "Exponential", "Groups", "InverseSqrt", "Linear", "Lion",
    "Minimum", "Muon", "NAdam", "OneCycle", "Optimizer", "Pause", "Plateau", "Polynomial", "Problem", "Product",
    "RAdam", "RMSprop", "Rule", "Schedule", "Sequence", "State", "Step", "Update", "Warmup", "bounded", "clip_by_norm",
    "clip_by_value", "commit", "penalty", "shrunk", "updates",
]  # fmt: skip

__getattr__ = loader(
    __name__,
    {
        "rules": (
            "LAMB",
            "LBFGS",
            "SGD",
            "Adadelta",
            "Adagrad",
            "Adam",
            "Adamax",
            "AdamW",
            "AMSGrad",
            "Lion",
            "Minimum",
            "Muon",
            "NAdam",
            "Problem",
            "RAdam",
            "RMSprop",
        ),
        "schedules": (
            "SCHEDULES",
            "Constant",
            "Cosine",
            "Exponential",
            "InverseSqrt",
            "Linear",
            "OneCycle",
            "Plateau",
            "Polynomial",
            "Product",
            "Schedule",
            "Sequence",
            "Step",
            "Warmup",
        ),
    },
)
