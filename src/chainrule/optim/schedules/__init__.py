"""Schedules: how the learning rate changes from step to step, a file each."""

from chainrule.optim.schedules.constant import Constant
from chainrule.optim.schedules.linear import Linear
from chainrule.optim.schedules.schedule import SCHEDULES, Schedule

__all__ = ["SCHEDULES", "Constant", "Linear", "Schedule"]
