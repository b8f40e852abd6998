"""The observer that looks on for the diagnostics, and writes what it sees into the record.

It reads what is there and changes nothing: with and without it, weights have the same bits. It looks into the network
when validation has brought all rows of embedding tables up to date, and at fewer and fewer validations, so that it
takes little of the time: after the first, whenever ten times as many steps were taken as at the last look, and after
the last.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from chainrule.data import Examples, Table
from chainrule.graph.spec import Array
from chainrule.random import generator
from chainrule.shown import one_line
from chainrule.tasks.task import LOSS_WEIGHT
from chainrule.train.diagnostics.look import changes, look
from chainrule.train.diagnostics.replay import explain
from chainrule.train.trainer import Epoch, Observer, Trainer

#: Rows that a look goes through the network with.
ROWS = 64
#: How many times as many steps are taken before the next look.
SELDOM = 10
#: Means of losses that are kept of an epoch.
LOSSES = 8
#: The model is sure of an answer from this probability on.
CERTAIN = 0.8
#: Rows that are written down.
LISTED = 20


class Observation(Observer):
    """Looks on for the diagnostics: losses of steps, activations, gradients, updates, and labels.

    Args:
        trainer: before its first step, and before a checkpoint is read, whose first look takes the place of this one.
        train: the training rows, and
        valid: those of validation, to name those whose labels are likely wrong.
    """

    turn: ClassVar[int] = Observer.DECIDES

    def __init__(self, trainer: Trainer, train: Table, valid: Table) -> None:
        self.train = train
        self.valid = valid
        rows, training = trainer.train.rows, trainer.training
        self._rows = np.sort(generator(trainer.seed, "observed").permutation(rows)[:ROWS])
        self._stride = math.ceil((training.every or training.steps_of_pass(rows)) / LOSSES)
        self._looked = 0
        trainer.position.observed |= self._look(trainer)[0]

    def training_started(self, trainer: Trainer) -> None:
        """Find when the last look was, of a training that goes on."""
        self._looked = max((each.step for each in trainer.history if "updates" in each.observed), default=0)

    def batch_ended(self, trainer: Trainer, batch: Examples, sums: Mapping[str, float]) -> None:  # noqa: ARG002
        """Keep the losses, as means over so many steps that there are at most `LOSSES` of an epoch."""
        position = trainer.position
        if position.steps % self._stride or trainer.waits:
            return
        seen, sums = position.observed, position.settled().sums
        before = seen.get("counted", [0.0, 0.0])
        seen["counted"] = now = [sums["loss"], sums.get(LOSS_WEIGHT, sums["weight"])]
        seen.setdefault("losses", []).append((now[0] - before[0]) / (now[1] - before[1]))

    def epoch_ended(self, trainer: Trainer, epoch: Epoch) -> None:
        """Look, if it is time."""
        epoch.observed.pop("counted", None)
        if epoch.step >= SELDOM * self._looked:
            self._looked = epoch.step
            seen = self._seen(trainer)
            if "start" in epoch.observed:  # what was seen before the first step is that of the network itself
                seen = {name: value for name, value in seen.items() if name not in ("gradients", "norm")}
            epoch.observed.update(seen)

    def training_ended(self, trainer: Trainer) -> None:
        """Look for the last time, or find where a number that is none came from."""
        observed = trainer.position.observed
        observed.pop("counted", None)
        ended = trainer.history and not trainer.position.steps and trainer.divergence is None
        if ended and self._looked != trainer.state.step and "updates" not in observed:
            observed |= self._seen(trainer)
        if trainer.divergence is not None and "none" not in trainer.position.observed:
            said = explain(trainer, self.train)
            trainer.position.observed["none"] = said
            trainer.divergence.args = (f"{trainer.divergence}; {said}",)
            trainer.stopped = str(trainer.divergence)

    def _seen(self, trainer: Trainer) -> dict[str, Any]:
        """What a look shows after a validation, and the labels that contradict the answers."""
        seen, responses = self._look(trainer)
        del seen["start"]
        labels = self._labels(trainer, responses)
        return seen if labels is None else {**seen, "labels": labels}

    def _look(self, trainer: Trainer) -> tuple[dict[str, Any], Array]:
        """What a look shows, and the responses to the rows that are looked at."""
        seen, found, responses = look(trainer.model, trainer.train.take(self._rows))
        if trainer.state.step:
            seen["updates"] = {}
            for group, state in zip(trainer.groups, trainer.states, strict=True):
                members = {name: trainer.named_parameters[name] for name in group.names}
                rate = trainer.rate(state.step, group.share)
                seen["updates"] |= changes(group.optimizer, members, found, state, rate)
        return seen, responses

    def _labels(self, trainer: Trainer, learned: Array) -> dict[str, Any] | None:
        """Rows whose label contradicts the model's answer: how many in validation; and which, there and in training.

        Rows of validation are not learned from, so that how many there are is not hidden by what is known by heart.
        """
        names = getattr(trainer.model.codec.targets, "names", ())
        truth = trainer.task.labelled(trainer.valid)
        if truth is None or trainer.responses is None:
            return None
        known = np.flatnonzero(truth < len(names))  # the others have labels that no training row has
        wrong = known[trainer.responses[known].argmax(axis=1) != truth[known]]
        sure = wrong[trainer.responses[wrong].max(axis=1) >= CERTAIN]
        return {
            "rows": len(known),
            "sure": len(sure),
            "doubtful": len(wrong) - len(sure),
            "train": self._listed(self.train, self._rows, trainer.train.take(self._rows), learned, trainer),
            "valid": self._listed(self.valid, np.arange(len(truth)), trainer.valid, trainer.responses, trainer),
        }

    def _listed(
        self, table: Table, numbers: Array, examples: Examples, responses: Array, trainer: Trainer
    ) -> list[dict[str, Any]]:
        """Rows of which the model is sure that their label is another one, the surest first."""
        names, truth = trainer.model.codec.targets.names, trainer.task.labelled(examples)
        if truth is None:
            return []
        answers, sure = responses.argmax(axis=1), responses.max(axis=1)
        found = np.flatnonzero((truth < len(names)) & (answers != truth) & (sure >= CERTAIN))
        return [
            {
                "row": int(table.rows[numbers[i]]) + 1,
                "label": one_line(names[truth[i]]),
                "answer": one_line(names[answers[i]]),
                "probability": round(float(sure[i]), 4),
                **({"text": one_line(table.texts[int(numbers[i])])} if table.textual else {}),
            }
            for i in found[np.argsort(-sure[found], kind="stable")][:LISTED].tolist()
        ]
