"""Training: the loop, early stopping, checkpoints and records; knows no task and no learner in particular."""

from chainrule.train.check import Check, check
from chainrule.train.fit import Run, fit
from chainrule.train.range_test import RangeTest, find_rate
from chainrule.train.trainer import Epoch, Observer, Trainer
from chainrule.train.training import Training

__all__ = ["Check", "Epoch", "Observer", "RangeTest", "Run", "Trainer", "Training", "check", "find_rate", "fit"]
