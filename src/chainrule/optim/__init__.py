"""Optimizers: update rules, what they remember, schedules of learning rates, and gradient clipping."""

from chainrule.graph.trace import Update
from chainrule.optim.adam import Adam, AdamW
from chainrule.optim.clipping import clip_by_norm
from chainrule.optim.groups import Groups
from chainrule.optim.optimizer import OPTIMIZERS, Optimizer
from chainrule.optim.pause import Pause
from chainrule.optim.rule import Rule
from chainrule.optim.schedules import SCHEDULES, Constant, Linear, Schedule
from chainrule.optim.sgd import SGD
from chainrule.optim.state import State
from chainrule.optim.updates import commit, updates

__all__ = [
    "OPTIMIZERS", "SCHEDULES", "SGD", "Adam", "AdamW", "Constant", "Groups", "Linear", "Optimizer", "Pause", "Rule",
    "Schedule", "State", "Update", "clip_by_norm", "commit", "updates",
]  # fmt: skip
