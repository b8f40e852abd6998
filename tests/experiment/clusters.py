"""Studies for the tests of clusters: plans whose runs end the process that makes them."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import chainrule
from chainrule.experiment import Comparison, Experiment
from chainrule.train.trainer import Observer

TRAINING = chainrule.Training(epochs=3)
LEARNERS = (chainrule.BagOfWords(), chainrule.FeedForward(dim=8))


@dataclass(frozen=True)
class Kills(Observer):
    """Kills its process in the middle of runs of a learner, so many times.

    Attributes:
        learner: the name of the learner.
        place: where it remembers how often it did.
        times: how often.
    """

    learner: str
    place: Path
    times: int

    def epoch_ended(self, trainer, epoch):
        if trainer.model.learner.name != self.learner:
            return
        for number in range(self.times):
            try:
                (self.place / f"killed-{number}").touch(exist_ok=False)
            except FileExistsError:
                continue
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Watched(Comparison):
    """A comparison with somebody who looks on at each run."""

    watching: tuple[Observer, ...] = ()

    def batches(self, *known):
        for batch in super().batches(*known):
            yield type(batch)(batch.trials, batch.stage, self.watching)


class Heard:
    """An onlooker that remembers what it was told."""

    def __init__(self, act=None):
        self.lines = []
        self.counts = set()
        self.act = act

    def at_once(self, count):
        self.counts.add(count)

    def planned(self, jobs, done, stage):
        pass

    def told(self, line):
        self.lines.append(line)

    def ended(self, line):
        if self.act is not None:
            self.act(line)

    def tested(self, line):
        pass


def experiment(table, *watching, seeds=(0, 1), training=TRAINING):
    """A comparison of two learners."""
    task = chainrule.Classify()
    configurations = [(task, learner, training) for learner in LEARNERS]
    return Experiment(table, Watched(configurations, seeds, watching=watching), task)


def outcome(study):
    """What the runs of a study came to: by their names the state, and the bits of the weights."""
    return {name: (line["state"], line.get("weights")) for name, line in study.ended().items()}
