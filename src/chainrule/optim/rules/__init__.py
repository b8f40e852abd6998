"""Update rules, a file each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.lazy import loader

if TYPE_CHECKING:
    from chainrule.optim.rules.adadelta import Adadelta
    from chainrule.optim.rules.adagrad import Adagrad
    from chainrule.optim.rules.adam import Adam
    from chainrule.optim.rules.adamax import Adamax
    from chainrule.optim.rules.adamw import AdamW
    from chainrule.optim.rules.amsgrad import AMSGrad
    from chainrule.optim.rules.lamb import LAMB
    from chainrule.optim.rules.lbfgs import LBFGS, Minimum, Problem
    from chainrule.optim.rules.lion import Lion
    from chainrule.optim.rules.muon import Muon
    from chainrule.optim.rules.nadam import NAdam
    from chainrule.optim.rules.radam import RAdam
    from chainrule.optim.rules.rmsprop import RMSprop
    from chainrule.optim.rules.sgd import SGD

__all__ = [
    "LAMB", "LBFGS", "SGD", "AMSGrad", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Lion", "Minimum", "Muon",
    "NAdam", "Problem", "RAdam", "RMSprop",
]  # fmt: skip

__getattr__ = loader(
    __name__,
    {
        "adadelta": ("Adadelta",),
        "adagrad": ("Adagrad",),
        "adam": ("Adam",),
        "adamax": ("Adamax",),
        "adamw": ("AdamW",),
        "amsgrad": ("AMSGrad",),
        "lamb": ("LAMB",),
        "lbfgs": ("LBFGS", "Minimum", "Problem"),
        "lion": ("Lion",),
        "muon": ("Muon",),
        "nadam": ("NAdam",),
        "radam": ("RAdam",),
        "rmsprop": ("RMSprop",),
        "sgd": ("SGD",),
    },
)
