"""Training: the loop, early stopping, checkpoints, metrics and records."""

from chainrule.train.fit import Run, fit
from chainrule.train.metrics import Evaluation, evaluate
from chainrule.train.trainer import Epoch, Observer, Trainer

__all__ = ["Epoch", "Evaluation", "Observer", "Run", "Trainer", "evaluate", "fit"]
