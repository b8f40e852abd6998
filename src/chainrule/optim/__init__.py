"""Optimizers: update rules, what they remember, and gradient clipping."""

from chainrule.graph.trace import Update
from chainrule.optim.adam import Adam, AdamW
from chainrule.optim.clipping import clip_by_norm
from chainrule.optim.groups import Groups
from chainrule.optim.optimizer import OPTIMIZERS, Optimizer
from chainrule.optim.pause import Pause
from chainrule.optim.rule import Rule
from chainrule.optim.sgd import SGD
from chainrule.optim.state import State
from chainrule.optim.updates import commit, updates

__all__ = [
    "OPTIMIZERS", "SGD", "Adam", "AdamW", "Groups", "Optimizer", "Pause", "Rule", "State", "Update", "clip_by_norm",
    "commit", "updates",
]  # fmt: skip
