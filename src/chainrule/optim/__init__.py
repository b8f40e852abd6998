"""Optimizers: update rules, what they remember, schedules of learning rates, and gradient clipping."""

from chainrule.graph.trace import Update
from chainrule.optim.clipping import clip_by_norm
from chainrule.optim.groups import Groups
from chainrule.optim.optimizer import OPTIMIZERS, Optimizer
from chainrule.optim.pause import Pause
from chainrule.optim.rule import Rule
from chainrule.optim.rules import (
    LAMB,
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    AMSGrad,
    Lion,
    Muon,
    NAdam,
    RAdam,
    RMSprop,
)
from chainrule.optim.schedules import SCHEDULES, Constant, Linear, Schedule
from chainrule.optim.state import State
from chainrule.optim.updates import commit, updates

__all__ = [
    "LAMB", "OPTIMIZERS", "SCHEDULES", "SGD", "AMSGrad", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Constant",
    "Groups", "Linear", "Lion", "Muon", "NAdam", "Optimizer", "Pause", "RAdam", "RMSprop", "Rule", "Schedule", "State",
    "Update", "clip_by_norm", "commit", "updates",
]  # fmt: skip
